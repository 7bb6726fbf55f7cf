"""The edits of many captions, and the fields in which one is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from core.workspace import (
    AddTags,
    Clear,
    DropDuplicates,
    Operation,
    Prefix,
    RemoveTags,
    RenameTags,
    Replace,
    SortTags,
    Suffix,
    tags_of,
)
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.number_boxes import WholeNumberBox

translate = QCoreApplication.translate


class BulkKind(Enum):
    """What is done to many captions."""

    REPLACE = auto()
    PREFIX = auto()
    SUFFIX = auto()
    ADD_TAGS = auto()
    REMOVE_TAGS = auto()
    RENAME_TAGS = auto()
    SORT_TAGS = auto()
    DROP_DUPLICATES = auto()
    CLEAR = auto()

    @property
    def is_of_tags(self) -> bool:
        """Whether it is possible only where captions are lists of tags."""
        return self.name.endswith("_TAGS") or self is BulkKind.DROP_DUPLICATES


def kind_text(kind: BulkKind) -> str:
    """Returns its name, as in a list of choices."""
    texts = {
        BulkKind.REPLACE: translate("BulkDialog", "Find and replace"),
        BulkKind.PREFIX: translate("BulkDialog", "Add at the start"),
        BulkKind.SUFFIX: translate("BulkDialog", "Add at the end"),
        BulkKind.ADD_TAGS: translate("BulkDialog", "Add tags"),
        BulkKind.REMOVE_TAGS: translate("BulkDialog", "Remove tags"),
        BulkKind.RENAME_TAGS: translate("BulkDialog", "Rename or merge tags"),
        BulkKind.SORT_TAGS: translate("BulkDialog", "Sort tags"),
        BulkKind.DROP_DUPLICATES: translate("BulkDialog", "Remove duplicate tags"),
        BulkKind.CLEAR: translate("BulkDialog", "Clear captions"),
    }
    return texts[kind]


class Fields(QWidget):
    """The fields of one kind of edit. `changed()`: something else is written or chosen in them."""

    changed = Signal()

    def __init__(self, read: Callable[[], Operation | None]):
        """`read` returns the edit that the fields describe, None as long as they do not."""
        super().__init__()
        self._read = read
        self._row = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)

    @property
    def operation(self) -> Operation | None:
        """The edit; None as long as something is missing."""
        return self._read()

    def add_field(self, text: str, field: QWidget) -> None:
        """Places a field behind its label."""
        label = QLabel(text)
        label.setProperty("class", "key")
        label.setBuddy(field)
        field.setAccessibleName(text)
        self._grid.addWidget(label, self._row, 0)
        self._grid.addWidget(field, self._row, 1)
        self._row += 1
        match field:
            case QLineEdit():
                field.textChanged.connect(self.changed)
            case QSpinBox():
                field.valueChanged.connect(self.changed)
            case QComboBox():
                field.currentIndexChanged.connect(self.changed)
            case _:
                pass

    def add_boxes(self, *boxes: QCheckBox) -> None:
        """Places choices in a row."""
        row = QHBoxLayout()
        row.setSpacing(16)
        for box in boxes:
            box.toggled.connect(self.changed)
            row.addWidget(box)
        row.addStretch(1)
        self._grid.addLayout(row, self._row, 1)
        self._row += 1

    def focus_first(self) -> None:
        """Moves the focus to where one would write."""
        for edit in self.findChildren(QLineEdit):
            edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
            edit.selectAll()
            return


class FieldPages:
    """Makes the fields of every kind. `counts` says how many captions have each tag."""

    def __init__(self) -> None:
        self.counts: Mapping[str, int] = {}
        self.pages = {
            BulkKind.REPLACE: self._replace(),
            BulkKind.PREFIX: self._text("prefix_edit", Prefix),
            BulkKind.SUFFIX: self._text("suffix_edit", Suffix),
            BulkKind.ADD_TAGS: self._add_tags(),
            BulkKind.REMOVE_TAGS: self._remove_tags(),
            BulkKind.RENAME_TAGS: self._rename_tags(),
            BulkKind.SORT_TAGS: self._sort_tags(),
            BulkKind.DROP_DUPLICATES: Fields(DropDuplicates),
            BulkKind.CLEAR: Fields(Clear),
        }

    def _replace(self) -> Fields:
        find, by = _edit("bulk_find_edit"), _edit("bulk_by_edit")
        pattern = _box("bulk_regex_box", translate("BulkDialog", "Regular expression"))
        case = _box("bulk_case_box", translate("BulkDialog", "Match case"))
        words = _box("bulk_words_box", translate("BulkDialog", "Whole words"))

        def read() -> Operation | None:
            choices = pattern.isChecked(), case.isChecked(), words.isChecked()
            return Replace(find.text(), by.text(), *choices) if find.text() else None

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Find"), find)
        fields.add_field(translate("BulkDialog", "Replace with"), by)
        fields.add_boxes(pattern, case, words)
        return fields

    def _text(self, name: str, make: Callable[[str], Operation]) -> Fields:
        edit = _edit(name)

        def read() -> Operation | None:
            return make(edit.text()) if edit.text() else None

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Text"), edit)
        return fields

    def _add_tags(self) -> Fields:
        edit = _tags_edit("add_tags_edit")
        start = _box("at_start_box", translate("BulkDialog", "Before the other tags"))

        def read() -> Operation | None:
            tags = tuple(tags_of(edit.text()))
            return AddTags(tags, start.isChecked()) if tags else None

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Tags"), edit)
        fields.add_boxes(start)
        return fields

    def _remove_tags(self) -> Fields:
        edit = _tags_edit("remove_tags_edit")

        def read() -> Operation | None:
            tags = tuple(tags_of(edit.text()))
            return RemoveTags(tags) if tags else None

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Tags"), edit)
        return fields

    def _rename_tags(self) -> Fields:
        old, new = _tags_edit("old_tags_edit"), _edit("new_tag_edit")
        old.setToolTip(translate("BulkDialog", "Several tags are merged into the new one"))

        def read() -> Operation | None:
            tags, name = tuple(tags_of(old.text())), new.text().strip()
            return RenameTags(tags, name) if tags and name else None

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Tags"), old)
        fields.add_field(translate("BulkDialog", "New name"), new)
        return fields

    def _sort_tags(self) -> Fields:
        order, fixed = ElidedComboBox(), WholeNumberBox()
        order.setObjectName("tag_order_box")
        order.addItem(translate("BulkDialog", "By name"), False)
        order.addItem(translate("BulkDialog", "Most frequent first"), True)
        fixed.setObjectName("fixed_tags_box")
        fixed.setRange(0, 20)

        def read() -> Operation | None:
            return SortTags(fixed.value(), self.counts if order.currentData() else None)

        fields = Fields(read)
        fields.add_field(translate("BulkDialog", "Order"), order)
        fields.add_field(translate("BulkDialog", "First tags that stay in place"), fixed)
        return fields


def _edit(name: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setObjectName(name)
    return edit


def _tags_edit(name: str) -> QLineEdit:
    edit = _edit(name)
    edit.setPlaceholderText(translate("BulkDialog", "Separated by commas"))
    return edit


def _box(name: str, text: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setObjectName(name)
    return box
