"""
The signs of prompt injection: patterns of phrases in attacks, in RE2's syntax, with a weight for each.

They combine words for a model's instructions with words for what attacks do to them, in the most frequent languages.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Sign(msgspec.Struct, frozen=True):
    """A pattern, and its `weight`: the score of a text that has no other sign, 0 to 1."""

    pattern: str
    weight: float


_I: Final = "(?i)"
_ALL: Final = (
    r"(?:(?:all|any|every(?:thing)?|each|the|your|my|our|these|those|of|other|previous(?:ly)?|prior|above|"
    r"preceding|earlier|former|past|initial|original|existing|current|old|system|given|said|safety|content|"
    r"developer|preset|default)\s+){0,6}"
)
_RULES: Final = (
    r"(?:instructions?|rules?|prompts?|directions?|directives?|guidelines?|orders?|commands?|constraints?|"
    r"restrictions?|limitations?|policies|policy|programming|training|tasks?|assignments?|context|conversations?|"
    r"messages?|filters?|safeguards?|guardrails|protocols?|texts?|information|thoughts)"
)
_DROP: Final = (
    r"(?:ignore|disregard|forget|override|bypass|overlook|neglect|dismiss|abandon|discard|drop|skip|circumvent|"
    r"void|nullify|cancel)"
)
_BEFORE: Final = (
    r"(?:that|which|i|we|you|came|come|was|were|has|have|been|said|told|given|above|before|beforehand|prior|"
    r"previously|preceding|so\s+far|until\s+now|up\s+to\s+now)"
)

COMMON: Final = (
    # "Ignore all previous instructions" and the like
    Sign(rf"{_I}\b{_DROP}\s+(?:about\s+)?{_ALL}{_RULES}\b", 0.6),
    Sign(rf"{_I}\b{_DROP}\s+(?:about\s+)?(?:all\s+|any\s+|of\s+|the\s+|your\s+|my\s+|our\s+|other\s+"
         rf"){{0,4}}(?:previous|prior|above|preceding|earlier|initial|original|system|safety)\s+(?:\w+\s+"
         rf"){{0,3}}{_RULES}\b", 0.7),
    Sign(rf"{_I}\b(?:ignore|disregard|forget|abandon|discard)\s+(?:about\s+)?(?:everything|anything|all|all\s+of\s+"
         rf"(?:it|that|this)|whatever)\b(?:\s+{_BEFORE}\b|[.,;:!]|\s+and\b|\s+else\b)", 0.65),
    Sign(rf"{_I}\b(?:do\s+not|don'?t|no\s+longer|stop|never|cease)\s+(?:follow|obey|comply\s+with|adhere\s+to|"
         rf"listen\s+to|apply|following|obeying)\w*\s+{_ALL}{_RULES}\b", 0.6),
    Sign(rf"{_I}\b(?:your|the)\s+(?:new|real|actual|true|updated|revised|next)\s+(?:instructions?|tasks?|orders?|"
         rf"directives?|rules?|goals?|objectives?|role|mission|job)\s+(?:is|are|now|from|will)\b", 0.55),
    Sign(rf"{_I}\b(?:new|updated|revised|important|additional|further|secret|hidden|urgent)\s+(?:system\s+"
         rf")?(?:instructions?|tasks?|orders?|directives?|challenge)\b\s*(?::|for\s+(?:you|the\s+(?:ai|assistant|"
         rf"model)))", 0.5),
    Sign(rf"{_I}\b(?:all|any)\s+(?:previous|prior|above|earlier)\s+{_RULES}\s+(?:\w+\s+){{0,6}}(?:void|invalid|"
         rf"irrelevant|cancel\w*|obsolete|superseded|overridden|wrong|no\s+longer)", 0.65),
    Sign(rf"{_I}\b(?:from\s+now\s+on|starting\s+now|henceforth)\b[^.\n]{{0,60}}\b(?:you\s+(?:are|will|must|shall|"
         rf"have|can|should|respond|answer|act)|act\s+as|respond|answer|your)\b", 0.35),
    Sign(rf"{_I}\b(?:change|update|replace|rewrite|modify)\s+your\s+(?:\w+\s+){{0,2}}(?:instructions|rules|prompt|"
         rf"guidelines|directives)\b", 0.55),
    Sign(rf"{_I}\b(?:new|further|other|more)\s+(?:instructions|tasks|orders)\s+(?:now\s+)?(?:follow|are\s+followed|"
         rf"come)|\bnow\s+(?:new|further)\s+(?:instructions|tasks)\b", 0.5),
    Sign(rf"{_I}\b(?:leave|put|throw)\s+{_ALL}{_RULES}\s+(?:behind|aside|away|out)\b|\b(?:forgotten|ignored|"
         rf"disregarded)\s+(?:about\s+)?(?:all|every)\s+(?:the\s+|your\s+)?{_RULES}", 0.6),
    Sign(rf"{_I}\b(?:despite|regardless\s+of|contrary\s+to)\s+(?:what\s+you(?:'ve|\s+have|\s+were)|(?:all\s+|the\s+"
         rf"|your\s+){{0,2}}(?:previous|prior|other|above)\s+{_RULES})", 0.45),
    # the same in other languages
    Sign(rf"{_I}(?:vergiss|vergesst|ignorier\w*|missachte\w*|verwirf)\s+(?:bitte\s+|nun\s+|jetzt\s+)?(?:alles?|"
         rf"alle\w*|sämtliche|jegliche|die|deine|meine|vorherige\w*|bisherige\w*)\b", 0.65),
    Sign(rf"{_I}(?:alle|sämtliche|bisherigen?|vorherigen?|vorigen|vorangegangenen)\s+(?:\pL+\s+"
         rf"){{0,2}}(?:anweisungen|aufträge|aufgaben|informationen|instruktionen|befehle|"
         rf"regeln)\b[^.\n]{{0,80}}(?:vergiss|vergessen|ignorier\w*|irrelevant|hinter\s+(?:sich|dir)|ungültig|zu\s+"
         rf"streichen)", 0.65),
    Sign(rf"{_I}(?:neue|weitere|nächste)\s+(?:aufgaben?|anweisung(?:en)?|"
         rf"herausforderung(?:en)?)\b[^.\n]{{0,30}}(?:für\s+(?:dich|sie)|:|ist|lautet|folgen|an)|nun\s+folgen\s+"
         rf"(?:neue|weitere)\s+(?:anweisungen|aufgaben)", 0.5),
    Sign(rf"{_I}(?:oublie[zr]?|ignore[zr]?|ne\s+tiens?\s+pas\s+compte\s+de)\s+(?:toutes?\s+|tous\s+|les\s+|tes\s+|"
         rf"vos\s+|ce\s+){{1,3}}(?:\w+\s+){{0,2}}(?:instructions?|consignes?|règles?|ordres?|qui\s+précède|"
         rf"précédentes?)", 0.65),
    Sign(rf"{_I}(?:olvid[ae]\w*|ignor[ae]\w*|descart[ae]\w*)\s+(?:de\s+)?(?:todo|todas?|las|los|tus|sus)\b", 0.6),
    Sign(rf"{_I}(?:esqueça|ignore|dimentica|ignora)\s+(?:de\s+)?(?:todas?\s+as|todos\s+os|tudo|tutte\s+le|tutto|"
         rf"le)\s*(?:\w+\s+){{0,2}}(?:instruções|istruzioni|anteriores|precedenti|regras|regole|o\s+que|quello)?", 0.6),
    Sign(rf"{_I}(?:забудь\pL*|игнорируй\pL*|проигнорируй\pL*|zaboravi|ignoriraj|zignoruj|zapomnij|negeer|vergeet|"
         rf"glöm|bortse\s+från)\s+(?:\pL\s+)?(?:все|всё|всех|sve|sva|wszystk\pL*|alle|alles|alla|allt|предыдущ\pL*|"
         rf"prethodn\pL*)", 0.65),
    Sign(r"(?:忽略|无视|忘记|忘掉|不要理会|忽視|無視)[^。\n]{0,12}(?:指令|指示|规则|提示|内容|"
         r"要求|規則|命令|说的)", 0.65),
    Sign(r"(?:이전|위의|모든)[^.\n]{0,10}(?:지시|명령|지침|규칙)[^.\n]{0,10}(?:무시|잊)|"
         r"(?:以前の|上記の|すべての)[^。\n]{0,10}(?:指示|命令|ルール)[^。\n]{0,10}(?:無視|忘れ)", 0.65),
    # questions about what only the operator should know
    Sign(rf"{_I}\b(?:reveal|show|print|display|output|repeat|tell|give|expose|disclose|leak|dump|recite|write\s+"
         rf"(?:out|down)|what(?:'s|\s+is|\s+are|\s+was|\s+were)|share|return|list|copy|"
         rf"paste)\b[^.\n]{{0,40}}\b(?:your|the|this|its)\s+(?:\w+\s+){{0,3}}(?:system\s+(?:prompt|message|"
         rf"instructions?)|(?:initial|original|hidden|secret|first|full|entire|exact|previous)\s+(?:system\s+"
         rf")?(?:prompt|instructions|message|directives)|prompt[_\s-]?texts?|prompt\s+template|pre-?prompt)", 0.6),
    Sign(rf"{_I}\b(?:show|repeat|print|output|display|tell|give)\s+(?:me\s+)?(?:out\s+)?(?:all\s+|exactly\s+|"
         rf"verbatim\s+)?(?:all\s+|the\s+|your\s+|of\s+){{0,3}}(?:prompts?|instructions|initial\s+\w+|text\s+above|"
         rf"words\s+above|sentences?\s+(?:above|before)|content\s+above|everything\s+above)\b", 0.5),
    Sign(rf"{_I}\b(?:everything|text|words|lines?|sentences?|content|messages?)\s+(?:that\s+(?:is|are|come|came)\s+"
         rf")?(?:above|before)\s+(?:this|the\s+text|the\s+user|my|starting)", 0.35),
    Sign(rf"{_I}\bwhat\s+(?:are|is|were|was)\s+(?:your|the)\s+(?:previous\s+|initial\s+|original\s+|exact\s+|"
         rf"secret\s+|hidden\s+)?(?:system\s+)?(?:instructions|prompts?|prompt_text|guidelines|directives)\b", 0.4),
    Sign(rf"{_I}(?:zeige?|nenne|gib|wiederhole|verrate)\b[^.\n]{{0,30}}\b(?:deine[nr]?|alle|den|die)\s+(?:\w+\s+"
         rf"){{0,2}}(?:system\w*|prompts?|prompttexte?|anweisungen|instruktionen)", 0.5),
    # another role, without rules
    Sign(rf"{_I}\b(?:DAN|do\s+anything\s+now|developer\s+mode|god\s+mode|jailbr(?:eak|oken)\w*|unfiltered|"
         rf"uncensored|unrestricted|DUDE\s+mode|STAN|evil[- ]?(?:bot|confidant|mode)|debug\s+mode|sudo\s+mode|"
         rf"maintenance\s+mode|admin(?:istrator)?\s+mode|root\s+access)\b[^\n]{{0,80}}\b(?:mode|you|ai|model|"
         rf"chatgpt|gpt|assistant|enabled|activated|prompt)\b", 0.5),
    Sign(rf"{_I}\b(?:you\s+are|you're|act\s+as|pretend|imagine|roleplay|behave\s+like|"
         rf"simulate)\b[^.\n]{{0,100}}\b(?:without|no|free\s+(?:from|of)|not\s+bound\s+by|not\s+(?:limited|"
         rf"restricted)|ignor\w+|unbound|any\s+longer)\b[^.\n]{{0,40}}\b(?:restrictions?|rules|filters?|limits?|"
         rf"limitations?|guidelines|ethics|ethical|moral\w*|censorship|policies|policy|boundaries|constraints|"
         rf"safety)", 0.6),
    Sign(rf"{_I}\b(?:now|okay\.?|ok\.?|instead)[, ]+(?:you\s+are|imagine\s+you\s+are|act\s+as|pretend)\b", 0.3),
    Sign(rf"{_I}\bi\s+want\s+you\s+to\s+(?:act|behave|pretend|respond|roleplay)\s+(?:as|like|to\s+be)\b", 0.35),
    Sign(rf"{_I}\b(?:ich\s+möchte,?\s+dass\s+(?:du|sie)\s+als|du\s+bist\s+(?:jetzt|nun|ab\s+jetzt)|(?:jetzt|nun)\s+"
         rf"bist\s+du|stell\s+dir\s+vor,?\s+du\s+(?:bist|wärst)|tu\s+so,?\s+als)\b", 0.35),
    Sign(rf"{_I}\b(?:respond|answer|reply|say|output|print|write)\s+(?:only|just|exactly|nothing\s+"
         rf"but)\b[^\n]{{0,40}}(?:[\"'“„][^\"'”\n]{{2,80}}[\"'”“]|[A-Z]{{3,}})|\b(?:just|only)\s+(?:output|say|"
         rf"print|write|respond|tell\s+me)\b", 0.3),
    Sign(rf"{_I}\bdo\s+not\s+(?:look\s+(?:in|at|into)|use|consult|rely\s+on)\s+(?:the\s+)?(?:documents?|context|"
         rf"information|sources?)\b", 0.4),
    Sign(rf"{_I}\b(?:you\s+(?:must|will|have\s+to|should)\s+(?:always\s+)?(?:obey|comply|answer\s+(?:any|every|"
         rf"all))|never\s+refuse|cannot\s+refuse|no\s+matter\s+(?:how|what)\s+(?:illegal|unethical|immoral|"
         rf"harmful))\b", 0.45),
    # chat template markers, which only the gateway and the provider may set
    Sign(r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|begin_of_text)\|>|<\|"
         r"?/?(?:SYS|INST)\|?>|<<SYS>>|\[/?INST\]|\[/?SYSTEM\]|</?(?:system|assistant|user)_?(?:prompt|message|"
         r"instructions?)?>", 0.5),
    Sign(r"(?m)^\s{0,4}(?:#{1,4}\s*|\*\*|\[)?(?:system|SYSTEM|System)(?:\s+(?:prompt|message|instruction|override|"
         r"note|update)s?)?(?:\*\*|\])?\s*:", 0.4),
    Sign(r"(?m)^\s{0,4}(?:#{2,4})\s*(?:new\s+)?(?:instructions?|system|response|assistant|human|user)\b\s*:?\s*$", 0.3),
    Sign(rf"{_I}\b(?:end|start|begin(?:ning)?)\s+of\s+(?:the\s+)?(?:system\s+)?(?:prompt|instructions?|context|"
         rf"document|user\s+(?:input|query))\b", 0.3),
)  # fmt: skip

IN_TOOL_RESULTS: Final = (
    # addresses the model that reads this, and tells it what to do
    Sign(rf"{_I}\b(?:if|when|once|as)\s+you(?:'re|\s+are)?\s+(?:an?\s+)?(?:ai|llm|language\s+model|assistant|bot|"
         rf"agent|chatbot|reading|read|see|process\w*|summari[sz]\w*|analy[sz]\w*)\b", 0.4),
    Sign(rf"{_I}\b(?:attention|note|message|instructions?|important|hey|hello|dear|hi)\b[^.\n]{{0,20}}\b(?:ai|llm|"
         rf"language\s+model|assistant|agent|chatbot|gpt|claude|gemini|copilot)s?\b", 0.4),
    Sign(rf"{_I}\b(?:ai|llm|assistant|model|agent|chatbot)s?\b[^.\n]{{0,30}}\b(?:must|should|shall|has\s+to|have\s+"
         rf"to|needs?\s+to|is\s+required\s+to|will\s+now)\b", 0.3),
    Sign(rf"{_I}\b(?:do\s+not|don'?t|never|without)\s+(?:tell\w*|mention\w*|inform\w*|reveal\w*|notify\w*|alert\w*|"
         rf"ask\w*|disclos\w*|say\w*)\s+(?:this\s+to\s+|it\s+to\s+|anything\s+to\s+|to\s+)?(?:the\s+)?(?:user|"
         rf"human|owner|customer|anyone|anybody)", 0.6),
    Sign(rf"{_I}<\s*/?\s*(?:information|important|instructions?|system|admin|override|task|prompt)\s*>", 0.4),
    Sign(rf"{_I}\b(?:important|urgent|critical|mandatory)\b\s*(?:!{{1,3}}|:|instruction|message|"
         rf"notice)[^\n]{{0,120}}\b(?:you|before|first|must|please)\b", 0.35),
    Sign(rf"{_I}\bbefore\s+(?:you\s+)?(?:can\s+)?(?:solv|answer|respond|continu|proceed|complet|finish|"
         rf"summari)\w*[^.\n]{{0,40}}\b(?:please|you\s+(?:must|need|have)|do|first|make\s+sure)\b", 0.4),
    # instructions, which data should not contain
    Sign(rf"{_I}\b(?:please\s+)?(?:send|forward|e-?mail|post|upload|transfer|exfiltrate|leak|share|submit|deliver|"
         rf"copy|move|wire|pay)\b[^.\n]{{0,80}}\b(?:to|at|into|via)\b[^.\n]{{0,40}}(?:https?://|"
         rf"[\w.+-]+@[\w-]+\.\w|\b[A-Z]{{2}}\d{{2}}[A-Z0-9]{{8,}})", 0.35),
    Sign(rf"{_I}\b(?:call|use|invoke|execute|run|trigger)\s+(?:the\s+)?[`'\"]?[\w.]{{2,40}}[`'\"]?\s+(?:tool|"
         rf"function|api|command|endpoint)\b", 0.35),
    Sign(rf"{_I}!\[[^\]]{{0,80}}\]\(https?://[^)]{{0,200}}[?&=][^)]{{0,200}}\)", 0.4),
    Sign(rf"{_I}\b(?:instead|rather)\s+(?:of|than)\s+(?:answering|summari[sz]ing|responding|the\s+(?:user|"
         rf"original)|what)\b", 0.4),
    Sign(rf"{_I}\b(?:the\s+user|user'?s)\s+(?:actually\s+|really\s+|now\s+)?(?:wants?|needs?|asked|request(?:s|ed)|"
         rf"has\s+(?:authorized|approved|granted|changed))\b", 0.3),
    Sign(rf"{_I}\b(?:your|the)\s+(?:final\s+)?(?:answer|response|reply|output|summary)\s+(?:must|should|has\s+to|"
         rf"needs\s+to|shall)\s+(?:\w+\s+){{0,3}}(?:include|contain|be|say|start|end|mention|recommend)\b", 0.35),
    Sign(rf"{_I}\b(?:add|include|insert|append|embed|place|ensure|make\s+sure)\b[^.\n]{{0,40}}\b(?:code\s+snippet|"
         rf"following\s+(?:code|text|link|sentence|line)|below\s+code|this\s+link)\b[^.\n]{{0,60}}\b(?:your|"
         rf"the)?\s*(?:response|answer|reply|output|code|implementation|completion|solution)", 0.45),
)  # fmt: skip
