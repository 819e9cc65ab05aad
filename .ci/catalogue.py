"""
Write `app/config/catalogue/models.json` anew from genai-prices, the price list that Pydantic keeps (MIT).

    .venv/bin/python .ci/catalogue.py

Look at what changed before you commit it. What models can do is in `families.toml` beside it, which people write.
"""

from __future__ import annotations

import json  # noqa: TID251 - off every path
import re
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "app" / "config" / "catalogue" / "models.json"
# Our kinds of provider, and what genai-prices calls them.
KINDS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "baseten": "baseten",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "perplexity": "perplexity",
    "together": "together",
    "voyage": "voyageai",
    "xai": "x-ai",
    "zai": "zai",
}
PRICES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}


def main() -> None:
    """Write the file."""
    found = {provider.id: provider for provider in providers}
    kinds = {kind: list(entries(found[name].models)) for kind, name in KINDS.items()}
    source = f"genai-prices {version('genai-prices')} (https://github.com/pydantic/genai-prices, MIT)"
    lines = [f'{{"version": "{date.today().isoformat()}", "source": "{source}", "kinds": {{']  # noqa: DTZ011 - a label
    for number, (kind, models) in enumerate(kinds.items()):
        comma = "," if number else ""
        lines.append(f'{comma}"{kind}": [')
        lines.append(",\n".join(json.dumps(model) for model in models))
        lines.append("]")
    TARGET.write_text("\n".join([*lines, "}}"]) + "\n", encoding="utf-8")
    print(f"{sum(map(len, kinds.values()))} models of {len(kinds)} kinds in {TARGET.relative_to(ROOT)}")


def entries(models: list[Any]) -> Iterator[dict[str, object]]:
    """Yield a line for each model that has a price or a window, in the order of the list, which is that of matching."""
    for model in models:
        price = priced(current(model.prices))
        if not price and model.context_window is None:
            continue
        names = equal(model.match)
        entry: dict[str, object] = {"id": model.id}
        if names is None:
            entry["match"] = pattern(model.match)
        elif names != [model.id]:
            entry["names"] = names
        if model.context_window is not None:
            entry["context_window"] = model.context_window
        if model.deprecated:
            entry["deprecated"] = True
        if price:
            entry["price"] = price
        yield entry


def equal(match: Any) -> list[str] | None:  # noqa: ANN401 - their types
    """Return the names that a model has, if they can be listed."""
    parts = match.or_ if type(match).__name__ == "ClauseOr" else [match]
    names = [getattr(part, "equals", None) for part in parts]
    return None if None in names else [str(name) for name in names]


def current(prices: Any) -> Any:  # noqa: ANN401 - their types
    """Return the prices of today; those of some hours of the day are left out."""
    if not isinstance(prices, list):
        return prices
    today = date.today()  # noqa: DTZ011 - prices change by days
    fitting = [
        given.prices
        for given in prices
        if given.constraint is None or getattr(given.constraint, "start_date", date.max) <= today
    ]
    return fitting[-1]


def priced(prices: Any) -> dict[str, object]:  # noqa: ANN401 - their types
    """Return our prices: for short prompts, and where that differs for long ones."""
    short, long, above = {}, {}, 0
    for name, theirs in PRICES.items():
        given = getattr(prices, theirs, None)
        if given is None:
            continue
        tiers = sorted(getattr(given, "tiers", ()), key=lambda tier: tier.start)
        short[name] = float(getattr(given, "base", given))
        long[name] = float(tiers[0].price) if tiers else short[name]
        above = above or (tiers[0].start if tiers else 0)
    request = getattr(prices, "requests_kcount", None)
    if request is not None:
        short["request_usd"] = long["request_usd"] = float(getattr(request, "base", request)) / 1000
    return {**short, "long_above_tokens": above, "long": long} if above else dict(short)


def pattern(match: Any) -> str:  # noqa: ANN401, PLR0911 - their types; one line for each
    """Return what a name must match, as one regular expression for its beginning."""
    match type(match).__name__:
        case "ClauseEquals":
            return f"{re.escape(match.equals)}$"
        case "ClauseStartsWith":
            return str(re.escape(match.starts_with))
        case "ClauseEndsWith":
            return f".*{re.escape(match.ends_with)}$"
        case "ClauseContains":
            return f".*{re.escape(match.contains)}"
        case "ClauseRegex":
            regex: str = match.regex
            return regex[1:] if regex.startswith("^") else f".*?(?:{regex})"
        case "ClauseOr":
            return f"(?:{'|'.join(map(pattern, match.or_))})"
        case "ClauseAnd":
            return "".join(f"(?={pattern(one)})" for one in match.and_)
        case name:
            raise TypeError(name)


if __name__ == "__main__":
    main()
