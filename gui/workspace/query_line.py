"""The line above the list of images: which of them are listed, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from core.workspace import Completion, SortKey
from gui.widgets.buttons import icon_button
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.suggestions import Suggestion, Suggestions
from gui.widgets.theme import Theme
from gui.workspace.query_field import QueryField

_PAUSE_MS = 40
# A query is often wrong until a word of it is complete.
_ERROR_MS = 700


class QueryLine(QWidget):
    """`searched(str)`: images that the query finds are wanted. `left()`: on to what was found.
    `sort_chosen(SortKey)`.
    `completion_asked(str, int, bool)`: what may follow at this place of the query; all keys too if
    the person asked for them."""

    searched = Signal(str)
    left = Signal()
    completion_asked = Signal(str, int, bool)
    sort_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._on_paused)
        self._error, self._fault = "", (0, 0)
        self._error_timer = QTimer(self, interval=_ERROR_MS, singleShot=True)
        self._error_timer.timeout.connect(self._show_error)
        self.edit = QueryField(theme)
        self.edit.setObjectName("query_edit")
        self.edit.setAccessibleName(self.tr("Search images and captions"))
        self.edit.setPlaceholderText(self.tr("Search"))
        self.edit.setToolTip(
            self.tr("Words of captions and names, or tag:cat, name:IMG*, chars:>200, has:caption")
        )
        self.edit.setClearButtonEnabled(True)
        self.edit.textChanged.connect(self._on_text_changed)
        self.edit.textEdited.connect(self._on_edited)
        self.edit.returnPressed.connect(self._on_entered)
        self.suggestions = Suggestions(theme, self.edit, self.tr("Suggestions"))
        self.suggestions.chosen.connect(self._on_suggestion_chosen)
        self.suggestions.wanted.connect(self._on_suggestions_wanted)
        self.suggestions.hidden.connect(self._on_suggestions_hidden)
        self._completions: Sequence[Completion] = ()
        # Qt says of a change that was typed that it was, before it says that there is one.
        self._is_typed = False
        self.filter_button = icon_button(theme, "filter", self.tr("Filters"))
        self.filter_button.setObjectName("filter_button")
        self.filter_button.clicked.connect(self._open_filters)
        self.sort_box = ElidedComboBox()
        self.sort_box.setObjectName("sort_box")
        self.sort_box.setAccessibleName(self.tr("Sort images by"))
        for key, text in self._sorts():
            self.sort_box.addItem(text, key)
        self.sort_box.activated.connect(self._on_sort_activated)
        self.error_label = QLabel()
        self.error_label.setObjectName("query_error")
        self.error_label.setWordWrap(True)
        self.error_label.hide()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.edit, 1)
        row.addWidget(self.filter_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 8, 6)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.error_label)
        column.addWidget(self.sort_box)

    def show_query(self, text: str, error: str, fault: tuple[int, int] = (0, 0)) -> None:
        """Shows a query that was set elsewhere, and what is wrong with it, "" for nothing, from
        place to place. While one types it is not said yet."""
        if text != self.edit.text() and not self._timer.isActive():
            self.edit.blockSignals(True)
            self.edit.setText(text)
            self.edit.blockSignals(False)
        if text == self.edit.text():
            self._error, self._fault = error, fault
            if not error or not self._is_typing:
                self._show_error()

    @property
    def _is_typing(self) -> bool:
        """Whether what is wrong may just be unfinished."""
        return self._error_timer.isActive() or self._is_completed

    @property
    def _is_completed(self) -> bool:
        begin, end = self._fault
        return self.suggestions.isVisible() and begin <= self.edit.place <= end

    @Slot()
    def _show_error(self) -> None:
        """Marks what is wrong, and says it, unless the word may still be completed."""
        if not self._error or not self._is_typing:
            self._say(self._error)

    def _say(self, error: str) -> None:
        self.edit.mark(self._fault if error else None)
        if error != self.error_label.text():
            self.edit.setAccessibleDescription(error)
            self.error_label.setText(error)
            self.error_label.setVisible(bool(error))
            self.edit.setProperty("class", "wrong" if error else "")
            self.edit.style().unpolish(self.edit)
            self.edit.style().polish(self.edit)

    @Slot()
    def _on_suggestions_hidden(self) -> None:
        self._show_error()

    def show_completions(self, line: str, place: int, found: Sequence[Completion]) -> None:
        """Suggests what may follow, unless something else has been typed meanwhile."""
        if (line, place) == (self.edit.text(), self.edit.place):
            self._completions = found
            self.suggestions.offer(
                [
                    Suggestion(one.text, f"{one.count:,}" if one.count is not None else "")
                    for one in found
                ]
            )
            if self._error and self._is_completed:
                self._say("")  # It was said before it was known how the word may go on.

    def search_for(self, query: str) -> None:
        """Puts a query into the line, and searches for it at once."""
        self._set(query)

    def show_sort(self, key: SortKey) -> None:
        """Shows the order of the list."""
        self.sort_box.setCurrentIndex(self.sort_box.findData(key))

    def focus(self) -> None:
        """Puts the cursor into the query."""
        self.edit.setFocus()
        self.edit.selectAll()

    def _sorts(self) -> list[tuple[SortKey, str]]:
        return [
            (SortKey.NAME, self.tr("By name")),
            (SortKey.DATE, self.tr("By date")),
            (SortKey.SIZE, self.tr("By size")),
            (SortKey.LENGTH, self.tr("By caption length")),
            (SortKey.DOUBT, self.tr("By doubt")),
            (SortKey.RANDOM, self.tr("At random")),
        ]

    def _filters(self) -> list[tuple[str, str]]:
        """What the menu offers, and the query for it."""
        return [
            (self.tr("No caption"), "-has:caption"),
            (self.tr("Unreviewed"), "state:unreviewed"),
            (self.tr("Accepted"), "state:accepted"),
            (self.tr("Rejected"), "state:rejected"),
            (self.tr("Needs work"), "state:needs-work"),
            (self.tr("Edited"), "is:edited"),
            (self.tr("Failed"), "is:failed"),
        ]

    @Slot()
    def _open_filters(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("filter_menu")
        menu.addAction(self.tr("All images")).triggered.connect(partial(self._set, ""))
        menu.addSeparator()
        for text, query in self._filters():
            menu.addAction(text).triggered.connect(partial(self._set, query))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.filter_button.mapToGlobal(self.filter_button.rect().bottomLeft()))

    def _set(self, query: str, checked: bool = False) -> None:
        self.edit.setText(query)
        self._search_now()

    @Slot()
    def _search_now(self) -> None:
        self._timer.stop()
        self._error_timer.stop()
        self.suggestions.hide()
        self._show_error()
        self.searched.emit(self.edit.text())

    @Slot()
    def _on_entered(self) -> None:
        """Goes on to what is found; stays where the query is wrong."""
        self._search_now()
        if not self._error:
            self.left.emit()

    @Slot()
    def _on_paused(self) -> None:
        self.searched.emit(self.edit.text())

    @Slot()
    def _on_text_changed(self) -> None:
        self.edit.mark(None)
        self._error = ""
        self._timer.start()
        self._error_timer.start()
        if not self._is_typed:
            self.suggestions.hide()
        self._is_typed = False

    @Slot()
    def _on_edited(self) -> None:
        self._is_typed = True
        self.completion_asked.emit(self.edit.text(), self.edit.place, False)

    @Slot()
    def _on_suggestions_wanted(self) -> None:
        self.completion_asked.emit(self.edit.text(), self.edit.place, True)

    @Slot(int)
    def _on_suggestion_chosen(self, row: int) -> None:
        chosen = self._completions[row]
        is_key = chosen.text.endswith(":")
        self.edit.put(chosen.text, chosen.start, chosen.end)
        if is_key:
            self._on_edited()
        else:
            self._search_now()

    @Slot(int)
    def _on_sort_activated(self, index: int) -> None:
        # Qt gives a plain str back.
        self.sort_chosen.emit(SortKey(self.sort_box.itemData(index)))
