"""Keeps what is typed as a tag, and not added yet, with its image."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from gui.session.caption_editing import CaptionEditing
from gui.session.typed_texts import TypedTexts
from gui.window.main_window import MainWindow

_TAG, _RENAMED = "tag/", "renamed_tag/"


class TagDraftWiring(QObject):
    """Half a tag is no tag of its image, nor of the next one: it is in the field again whenever its
    image is in view, also after a restart. A tag that is written anew is taken over; if the program
    is killed meanwhile, what was written is in the field, too."""

    def __init__(
        self,
        window: MainWindow,
        editing: CaptionEditing,
        typed: TypedTexts,
        parent: QObject | None = None,
    ):
        """Connect after the wiring that shows captions."""
        super().__init__(parent)
        self._prompt_edit = window.prompt_box.prompt_edit
        self._tags = window.caption_panel.tag_editor
        self._editing, self._typed = editing, typed
        # The image whose tags are shown.
        self._path: Path | None = None
        self._tags.field.textChanged.connect(self._on_typed)
        self._tags.chips.rename_typed.connect(self._on_rename_typed)
        editing.leaving.connect(self._tags.finish_editing)
        editing.image_left.connect(self._on_image_left)
        editing.changed.connect(self._on_editing_changed)

    @Slot()
    def _on_typed(self) -> None:
        if self._path is not None:
            self._typed.keep(f"{_TAG}{self._path}", self._tags.field.text())

    @Slot(str)
    def _on_rename_typed(self, text: str) -> None:
        if self._path is not None:
            self._typed.keep(f"{_RENAMED}{self._path}", text)

    @Slot()
    def _on_image_left(self) -> None:
        """What was typed for an image that was left before its tags were read is no other's."""
        if self._path is None and (early := self._tags.take_draft()):
            self._prompt_edit.insertPlainText(early)
        self._leave()

    @Slot()
    def _on_editing_changed(self) -> None:
        path = self._editing.path
        if path == self._path:
            return
        if self._path is not None:
            self._leave()
        if path is not None:
            self._path = path
            names = (f"{_TAG}{path}", f"{_RENAMED}{path}")
            self._tags.show_draft(", ".join(filter(None, map(self._typed.text, names))))
            self._typed.keep(names[1], "")

    def _leave(self) -> None:
        self._path = None
        self._tags.take_draft()
