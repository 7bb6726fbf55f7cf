"""What the images that are listed have in common, always in sight below their list."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.workspace import Bar, Frequency, Statistics, StatisticsKind, query_term
from gui.widgets.buttons import icon_button
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.theme import Theme
from gui.workspace.frequency_list import FrequencyList
from gui.workspace.length_histogram import LengthHistogram

_Kind = StatisticsKind


class StatisticsPanel(QWidget):
    """`fold_asked()`: it is to be folded away, or unfolded. `folded(bool)`: it is now, or is not
    any more. `kind_chosen(StatisticsKind)`: others are wanted. `filter_asked(str)`: the images that
    this query finds. `tag_added(str)`: a tag is to be added to the selected images."""

    fold_asked = Signal()
    folded = Signal(bool)
    kind_chosen = Signal(object)
    filter_asked = Signal(str)
    tag_added = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("statistics_panel")
        self._theme = theme
        self._statistics = Statistics()
        self._query = ""
        self._kind = _Kind.TAGS
        self._has_tags: bool | None = None
        self._is_folded = False
        self._build_head()
        self.list = FrequencyList(theme)
        self.histogram = LengthHistogram(theme)
        self.body = QStackedWidget()
        self.body.addWidget(self.list)
        self.body.addWidget(self.histogram)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._head)
        column.addWidget(self.body, 1)
        self.list.chosen.connect(self._on_value_chosen)
        self.list.added.connect(self.tag_added)
        self.histogram.chosen.connect(self._on_bar_chosen)

    @property
    def has_focus(self) -> bool:
        """Whether a part of it has the focus."""
        return self.isVisible() and self.isAncestorOf(QApplication.focusWidget() or self.window())

    def show_state(
        self, *, is_folded: bool, kind: StatisticsKind, has_tags: bool, query: str
    ) -> None:
        """Shows which statistics are in view, and which of their values was searched for."""
        if has_tags != self._has_tags:
            self._has_tags = has_tags
            self._fill_kinds()
        self._kind = kind if has_tags or kind is not _Kind.TAGS else _Kind.WORDS
        self._query = query
        self.kind_box.setCurrentIndex(self.kind_box.findData(self._kind))
        name = self.tr("Show statistics") if is_folded else self.tr("Hide statistics")
        self.fold_button.setAccessibleName(name)
        self.fold_button.setToolTip(name)
        self._theme.set_icon(
            self.fold_button, "chevron-right" if is_folded else "chevron-down", "text_quiet"
        )
        self.body.setVisible(not is_folded)
        vertical = QSizePolicy.Policy.Maximum if is_folded else QSizePolicy.Policy.Preferred
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)
        self.setMaximumHeight(self.sizeHint().height() if is_folded else 16_777_215)
        if is_folded is not self._is_folded:
            self._is_folded = is_folded
            self.folded.emit(is_folded)
        self._show()

    def show_statistics(self, statistics: Statistics) -> None:
        """Shows what was counted."""
        self._statistics = statistics
        self._show()

    def _build_head(self) -> None:
        self.fold_button = icon_button(self._theme, "chevron-down", self.tr("Hide statistics"))
        self.fold_button.setObjectName("fold_statistics_button")
        self.fold_button.clicked.connect(self.fold_asked)
        self.kind_box = ElidedComboBox()
        self.kind_box.setObjectName("statistics_kind")
        self.kind_box.setAccessibleName(self.tr("Statistics"))
        self.kind_box.activated.connect(self._on_kind_activated)
        self.unread_label = QLabel()
        self.unread_label.setObjectName("statistics_unread")
        self._head = QHBoxLayout()
        self._head.setContentsMargins(6, 4, 8, 4)
        self._head.setSpacing(4)
        self._head.addWidget(self.fold_button)
        self._head.addWidget(self.kind_box, 1)
        self._head.addWidget(self.unread_label)

    def _fill_kinds(self) -> None:
        texts = {
            _Kind.TAGS: self.tr("Tags"),
            _Kind.WORDS: self.tr("Words"),
            _Kind.SIZES: self.tr("Image sizes"),
            _Kind.LENGTHS: self.tr("Caption lengths"),
        }
        self.kind_box.clear()
        for kind, text in texts.items():
            if self._has_tags or kind is not _Kind.TAGS:
                self.kind_box.addItem(text, kind)

    def _show(self) -> None:
        counted = self._statistics
        is_list = self._kind is not _Kind.LENGTHS
        self.body.setCurrentWidget(self.list if is_list else self.histogram)
        unread = self.tr("{count} unread").format(count=f"{counted.unread:,}")
        self.unread_label.setText(unread if counted.unread else "")
        self.unread_label.setVisible(bool(counted.unread))
        if not is_list:
            self.histogram.show_bars(counted.lengths)
            return
        self.list.setAccessibleName(self.kind_box.currentText())
        values = self._values
        found = next((one.value for one in values if self._query_of(one.value) == self._query), "")
        self.list.show_empty_text("" if values or counted.unread else self._nothing)
        self.list.show_values(values, can_add=self._kind is _Kind.TAGS, found=found)

    @property
    def _nothing(self) -> str:
        nothing = {_Kind.TAGS: self.tr("No tags"), _Kind.WORDS: self.tr("No captions")}
        return nothing.get(self._kind, self.tr("No images"))

    @property
    def _values(self) -> tuple[Frequency, ...]:
        match self._kind:
            case _Kind.TAGS:
                return self._statistics.tags
            case _Kind.WORDS:
                return self._statistics.words
            case _:
                return self._statistics.sizes

    def _query_of(self, value: str) -> str:
        keys = {_Kind.TAGS: "tag", _Kind.WORDS: "caption"}
        return query_term(keys.get(self._kind, "size"), value)

    def _search(self, term: str, is_among: bool) -> None:
        """The same value once more finds all images again."""
        if is_among and self._query:
            # Terms side by side bind more than “or”.
            before = f"({self._query})" if " or " in self._query.casefold() else self._query
            self.filter_asked.emit(f"{before} {term}")
        else:
            self.filter_asked.emit("" if term == self._query else term)

    @Slot(str, bool)
    def _on_value_chosen(self, value: str, is_among: bool) -> None:
        self._search(self._query_of(value), is_among)

    @Slot(object)
    def _on_bar_chosen(self, bar: Bar) -> None:
        # No caption has no length.
        self._search(f"chars:{max(bar.first, 1)}..{bar.last}", is_among=False)

    @Slot(int)
    def _on_kind_activated(self, index: int) -> None:
        # Qt gives a plain str back.
        self.kind_chosen.emit(_Kind(self.kind_box.itemData(index)))
