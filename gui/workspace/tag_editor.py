"""The tags of a caption: chips, and a field below that adds others and completes them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QVBoxLayout, QWidget

from core.workspace import Completion, TagList
from gui.widgets.buttons import icon_button
from gui.widgets.menu_text import add_heading
from gui.widgets.suggestions import Suggestion, Suggestions
from gui.widgets.theme import Theme
from gui.workspace.tag_chips import TagChips


class _AddField(QLineEdit):
    """`pasted(str)`: several tags. `backed()`: Backspace was pressed before the first letter."""

    pasted = Signal(str)
    backed = Signal()

    def event(self, event: QEvent) -> bool:
        keys = QKeySequence.StandardKey
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and (event.matches(keys.Undo) or event.matches(keys.Redo))
        ):
            event.ignore()  # The window knows whether the tag before was entered later.
            return False
        # A line edit turns the line breaks between pasted tags into blanks.
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            text = QGuiApplication.clipboard().text()
            if event.matches(keys.Paste) and len(TagList.of(text).tags) > 1:
                self.pasted.emit(text)
                return True
            if event.key() == Qt.Key.Key_Backspace and not self.text():
                self.backed.emit()
                return True
        return super().event(event)


class TagEditor(QWidget):
    """`changed(str)`: the caption is to be another. `completion_asked(str)`: what a tag may go on
    with. `vocabulary_asked()`, `vocabulary_dropped()`: a file of tags is to be chosen, or not used
    any more. `added_to_selected(list)`: the selected images are to have these tags, too."""

    changed = Signal(str)
    completion_asked = Signal(str)
    vocabulary_asked = Signal()
    vocabulary_dropped = Signal()
    added_to_selected = Signal(object)

    def __init__(self, theme: Theme):
        super().__init__()
        self.chips = TagChips(theme)
        self.field = _AddField()
        self.field.setObjectName("tag_field")
        self.field.setAccessibleName(self.tr("Add tags"))
        self.field.setPlaceholderText(self.tr("Add tags"))
        self.suggestions = Suggestions(theme, self.field, self.tr("Suggested tags"))
        self._completions: Sequence[Completion] = ()
        self._is_known = True
        # How much of what is in the field was entered for a caption that is not known yet.
        self._entered = 0
        self._vocabulary = ""
        self.vocabulary_button = icon_button(theme, "list", self.tr("Tags from a file"))
        self.vocabulary_button.setObjectName("vocabulary_button")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.field, 1)
        row.addWidget(self.vocabulary_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.chips, 1)
        column.addLayout(row)
        self.chips.changed.connect(self._on_changed)
        self.chips.typed.connect(self._on_typed_in_chips)
        self.chips.left.connect(self.field.setFocus)
        self.field.textEdited.connect(self._ask_completion)
        self.field.returnPressed.connect(self._on_entered)
        self.field.pasted.connect(self._add)
        self.field.backed.connect(self.chips.focus_last)
        self.suggestions.chosen.connect(self._on_suggestion_chosen)
        self.suggestions.wanted.connect(self._ask_completion)
        self.vocabulary_button.clicked.connect(self._open_menu)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the caption, and those that stand in the field before the last one."""
        return (*self.chips.tags.tags, *TagList.of(self.field.text()).tags[:-1])

    def add_to_selected(self, tags: Sequence[str]) -> None:
        """Asks for these tags in the selected images."""
        self.added_to_selected.emit(tuple(tags))

    def show_text(self, text: str) -> None:
        """Shows the tags of another caption."""
        self.chips.show_tags(TagList.of(text))

    def set_known(self, is_known: bool) -> None:
        """Says whether the tags are those of the image in view. Until they are, none is changed,
        and what is entered waits in the field."""
        self._is_known = is_known
        if is_known and self._entered:
            text, length = self.field.text(), self._entered
            self._entered = 0
            self.field.setText(text[length:])
            self._add(text[:length])

    def finish_editing(self) -> None:
        """Takes over the tag that is being written anew, as if Enter had been pressed."""
        self.chips.finish_editing()

    def show_draft(self, text: str) -> None:
        """Puts what was typed earlier, and not added, into the field."""
        self.field.setText(", ".join(filter(None, (text, self.field.text()))))

    def take_draft(self) -> str:
        """Returns what is typed and not added, and empties the field."""
        text, self._entered = self.field.text(), 0
        self._empty()
        return text

    def show_vocabulary(self, name: str) -> None:
        """Says which file tags are suggested from, "" for none."""
        self._vocabulary = name

    def show_completions(self, part: str, found: Sequence[Completion]) -> None:
        """Suggests tags, unless something else has been typed meanwhile."""
        if part == _last_part(self.field.text()):
            self._completions = found
            self.suggestions.offer(
                [
                    Suggestion(one.text, f"{one.count:,}" if one.count is not None else "")
                    for one in found
                ]
            )

    def _add(self, text: str) -> None:
        self._on_changed(self.chips.tags.with_added(TagList.of(text).tags))
        self.chips.scrollToBottom()

    @Slot(object)
    def _on_changed(self, tags: TagList) -> None:
        if tags != self.chips.tags and self._is_known:
            self.changed.emit(tags.text)

    @Slot(str)
    def _on_typed_in_chips(self, text: str) -> None:
        self.field.setFocus()
        self.field.insert(text)
        self._ask_completion()

    @Slot()
    def _on_entered(self) -> None:
        text = self.field.text()
        if not self._is_known:
            if text[self._entered :].strip():
                self.field.setText(f"{text}, ")
                self._entered = len(self.field.text())
            return
        self._empty()
        self._add(text)

    def _empty(self) -> None:
        self.suggestions.hide()
        # What `clear` does could be undone, and Ctrl+Z would bring the letters back.
        self.field.setText("")

    @Slot(int)
    def _on_suggestion_chosen(self, row: int) -> None:
        text = self.field.text()
        before = text[: len(text) - len(_last_part(text))]
        self.field.setText(before + self._completions[row].text)
        self._on_entered()

    @Slot()
    def _ask_completion(self) -> None:
        self.completion_asked.emit(_last_part(self.field.text()))

    @Slot()
    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("vocabulary_menu")
        if self._vocabulary:
            add_heading(menu, self._vocabulary)
        menu.addAction(self.tr("Choose vocabulary…")).triggered.connect(self.vocabulary_asked)
        drop = menu.addAction(self.tr("Use no vocabulary"))
        drop.setEnabled(bool(self._vocabulary))
        drop.triggered.connect(self.vocabulary_dropped)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.vocabulary_button.mapToGlobal(self.vocabulary_button.rect().bottomLeft()))


def _last_part(text: str) -> str:
    """Returns the tag that is being typed after others: "sno" of "cat, sno", and "" of "cat, "."""
    tags = TagList.of(text)
    if not tags.tags or tags.tail.strip():
        return ""
    return text[len(text) - len(tags.tail) - len(tags.tags[-1]) :]
