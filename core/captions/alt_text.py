"""Captions with parts: an alternative text with a long description, a description with keywords.

In a caption file the alternative text is the first paragraph, and the long description follows
after an empty line. A decorative image, which screen readers are to pass over, has one word. The
keywords of an archive are a paragraph of their own, with a label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARACTERS = 125
"""What screen readers read without a pause, and what guidelines recommend at most."""

DECORATIVE = "decorative"

_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
# Non-breaking spaces stay.
_BLANKS = re.compile(r"[ \t\n]+")
_DECORATIVE = re.compile(rf"[\W_]*{DECORATIVE}(?:\s+image)?[\W_]*", re.IGNORECASE)


@dataclass(frozen=True)
class AltText:
    """An alternative text; empty for a decorative image."""

    text: str = ""
    long_description: str = ""
    is_decorative: bool = False

    @classmethod
    def of(cls, caption: str) -> AltText:
        """Returns what a caption says."""
        caption = caption.strip()
        if _DECORATIVE.fullmatch(caption):
            return cls(is_decorative=True)
        first, *rest = _PARAGRAPHS.split(caption, maxsplit=1)
        return cls(_BLANKS.sub(" ", first).strip(), rest[0].strip() if rest else "")

    @property
    def caption(self) -> str:
        """Returns the caption that says so."""
        if self.is_decorative:
            return DECORATIVE
        return f"{self.text}\n\n{self.long_description}" if self.long_description else self.text


KEYWORDS = "Keywords:"


@dataclass(frozen=True)
class Archived:
    """A description for an archive."""

    description: str = ""
    keywords: tuple[str, ...] = ()

    @classmethod
    def of(cls, caption: str) -> Archived:
        """Returns what a caption says."""
        before, label, after = caption.rpartition(f"\n{KEYWORDS}")
        if not label or "\n\n" in after.strip():
            return cls(caption.strip())
        keywords = (word.strip() for word in after.split(","))
        return cls(before.strip(), tuple(filter(None, keywords)))

    @property
    def caption(self) -> str:
        """Returns the caption that says so."""
        if not self.keywords:
            return self.description
        return f"{self.description}\n\n{KEYWORDS} {', '.join(self.keywords)}"
