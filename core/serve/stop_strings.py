"""Ends an answer at the first of some texts, which a client names. The text itself is left out."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Passes on the text of one answer up to the first of `strings`."""

    def __init__(self, strings: Sequence[str]):
        self._strings = tuple(filter(None, strings))
        self._held = ""
        self.is_found = False

    def add(self, piece: str) -> str:
        """Takes the next piece; returns what can be passed on now, which none of them begins."""
        if self.is_found:
            return ""
        text = self._held + piece
        places = [at for one in self._strings if (at := text.find(one)) >= 0]
        if places:
            self.is_found, self._held = True, ""
            return text[: min(places)]
        kept = max((_begun(text, one) for one in self._strings), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def end(self) -> str:
        """Returns what was held back, since nothing follows it."""
        rest, self._held = self._held, ""
        return rest


def _begun(text: str, string: str) -> int:
    """How many of the last characters of `text` may be the beginning of `string`."""
    most = min(len(text), len(string) - 1)
    return next((n for n in range(most, 0, -1) if string.startswith(text[-n:])), 0)
