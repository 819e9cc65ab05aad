"""Put values back where a text has their placeholders, also where a placeholder comes in pieces."""

from __future__ import annotations

from app.core.redaction.editing import Edit
from app.core.redaction.placeholders import BEGUN, PLACEHOLDER, Vault


class Restore:
    """An editor that holds back no more than what may be the beginning of a placeholder."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._held = ""

    def feed(self, text: str) -> list[Edit]:
        """Take the next piece; see `Editor`."""
        if not self._held and "[" not in text:
            return [(len(text), None)]
        text = self._held + text
        begun = BEGUN.search(text, text.rfind("["))
        certain = len(text) if begun is None else begun.start()
        self._held = text[certain:]
        return self._edits(text, certain)

    def end(self) -> list[Edit]:
        """Let what was held back stay; see `Editor`."""
        held, self._held = self._held, ""
        return [(len(held), None)]

    def _edits(self, text: str, certain: int) -> list[Edit]:
        edits: list[Edit] = []
        position = 0
        for found in PLACEHOLDER.finditer(text, 0, certain):
            value = self._vault.get(found[1])
            if value is not None:
                edits += [(found.start() - position, None), (found.end() - found.start(), value)]
                position = found.end()
        edits.append((certain - position, None))
        return edits
