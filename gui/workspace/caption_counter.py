"""How long the caption in the editor is: characters, words, the model's tokens, and CLIP's."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from core.clip_tokens import CLIP_CONTEXT
from gui.widgets.counted import counted
from gui.widgets.elided_label import ElidedLabel

_SPACING = 8


@dataclass(frozen=True)
class TokenCounts:
    """How many tokens a caption has: `model` for the loaded model, None if that is not known, and
    `clip` for CLIP, with those of the beginning and the end."""

    clip: int
    model: int | None = None


class CaptionCounter(QWidget):
    """Characters and words are counted here, tokens elsewhere and shown by `show_tokens`."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._text = ""
        self._tokens: TokenCounts | None = None
        self._parts: list[str] = []
        self.count_label = ElidedLabel()
        self.count_label.setObjectName("caption_count")
        self.clip_label = ElidedLabel()
        self.clip_label.setObjectName("clip_count")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(_SPACING)
        row.addWidget(self.count_label, 1)
        row.addWidget(self.clip_label)
        self.show_text("")

    @property
    def text(self) -> str:
        """The caption that is counted."""
        return self._text

    def show_text(self, text: str) -> None:
        """Counts another caption. The tokens of the one before stay in sight until they follow."""
        self._text = text
        self._show()

    def show_tokens(self, text: str, tokens: TokenCounts) -> None:
        """Shows the tokens of a caption, unless another one is here meanwhile."""
        if text == self._text and tokens != self._tokens:
            self._tokens = tokens
            self._show()

    def _show(self) -> None:
        one, many = self.tr("1 character"), self.tr("{count} characters")
        parts = [
            counted(len(self._text), one, many),
            counted(len(self._text.split()), self.tr("1 word"), self.tr("{count} words")),
        ]
        if self._tokens and self._tokens.model is not None:
            one, many = self.tr("1 token"), self.tr("{count} tokens")
            parts.append(counted(self._tokens.model, one, many))
        self._parts = parts
        self._show_clip()
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        """Leaves the words out where there is no room; the tool tip has all counts."""
        clip = 0 if self.clip_label.isHidden() else self.clip_label.sizeHint().width() + _SPACING
        text = "  ·  ".join(self._parts)
        if self.count_label.fontMetrics().horizontalAdvance(text) > self.width() - clip:
            text = "  ·  ".join((self._parts[0], *self._parts[2:]))
        self.count_label.setText(text)

    def _show_clip(self) -> None:
        clip = self._tokens.clip if self._tokens else 0
        self.clip_label.setVisible(bool(clip and self._text))
        too_many = max(clip - CLIP_CONTEXT, 0)
        text = self.tr("{count} of {limit} CLIP tokens")
        tip = self.tr("Image generators that use CLIP read {limit} tokens of a caption at once.")
        if too_many:
            text = self.tr("{count} of {limit} CLIP tokens, {extra} too many")
            tip = self.tr("Image generators that use CLIP may not read the last {extra} tokens.")
        fields = {"count": f"{clip:,}", "limit": CLIP_CONTEXT, "extra": f"{too_many:,}"}
        self.clip_label.setText(text.format(**fields))
        counts = "  ·  ".join(self._parts)
        self.setToolTip(f"{counts}\n{tip.format(**fields)}" if clip else counts)
        if self.clip_label.property("warns") != bool(too_many):
            self.clip_label.setProperty("warns", bool(too_many))
            self.clip_label.style().unpolish(self.clip_label)
            self.clip_label.style().polish(self.clip_label)
