"""
Judge what goes to a model and what comes back: who is being talked into something, and who says what must not be said.

Pure but for what guards are given to ask with. `guard` says what a guard is, for everybody who wants to write one;
`seen` is what it sees of a request and of an answer. `injection` and `checks` are the
gateway's own; `spotlight` and `tripwire` change prompts so that attacks fail or show.
"""
