"""Edits many captions at once: what is to be done, to which images, and what would come of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.workspace import Change, EditReport, Operation, Preview
from gui.widgets.counted import counted
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.labels import paragraph
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.theme import Theme
from gui.workspace.bulk_changes import BulkChanges
from gui.workspace.bulk_fields import BulkKind, FieldPages, Fields, kind_text

_PAUSE_MS = 120
_FIRST_SIZE = (620, 520)


class Scope(Enum):
    """To which images something is done."""

    SELECTED = auto()
    LISTED = auto()


class BulkDialog(QDialog):
    """Stands beside the list of images, in which others can be selected meanwhile.

    `preview_asked(Operation | None, Scope)`: what would it do? `preview_left()`: no answer to that
    is wanted any more. `apply_asked(Operation, Scope)`: it is to be done.
    """

    preview_asked = Signal(object, object)
    preview_left = Signal()
    apply_asked = Signal(object, object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("bulk_dialog")
        self.setWindowTitle(self.tr("Edit captions"))
        self._changed = 0
        self._has_chosen_scope = False
        self._applied: Operation | None = None
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._ask_preview)
        self._fields = FieldPages()
        self._build_choices()
        self._build_pages()
        self.changes = BulkChanges(theme)
        self.error_label = paragraph(style="error")
        self.error_label.setObjectName("bulk_error")
        self.count_label = paragraph(is_selectable=False)
        self.count_label.setObjectName("bulk_count")
        self.apply_button = QPushButton(self.tr("Apply"))
        self.apply_button.setObjectName("bulk_apply_button")
        self.apply_button.setDefault(True)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.setAutoDefault(False)
        self._place()
        self.apply_button.clicked.connect(self._on_apply_clicked)
        self.close_button.clicked.connect(self.close)
        self.finished.connect(self._on_finished)
        self.resize(*_FIRST_SIZE)
        ScreenFit(self)
        self._show_kind()

    # What is shown

    @property
    def scope(self) -> Scope:
        """Whose captions are edited."""
        return Scope.LISTED if self.scope_box.currentIndex() else Scope.SELECTED

    @property
    def operation(self) -> Operation | None:
        """The edit that is described; None as long as something is missing."""
        return self._page.operation

    def open_at(self, kind: BulkKind | None = None) -> None:
        """Shows the dialog, with the fields of an edit, or those that it showed before."""
        if kind is not None:
            self.kind_box.setCurrentIndex(self.kind_box.findData(kind))
        self.show()
        self.raise_()
        self.activateWindow()
        self._page.focus_first()
        self.ask_soon()

    def show_images(self, selected: int, listed: int, *, is_searched: bool) -> None:
        """Says how many images are selected, and listed."""
        chosen = counted(
            selected, self.tr("The selected image"), self.tr("{count} selected images")
        )
        self.scope_box.setItemText(0, chosen if selected else self.tr("No image is selected"))
        one, many = self.tr("The image"), self.tr("All {count} images")
        if is_searched:
            one, many = self.tr("The image found"), self.tr("All {count} images found")
        self.scope_box.setItemText(1, counted(listed, one, many))
        if not self._has_chosen_scope:
            self.scope_box.setCurrentIndex(0 if selected > 1 else 1)
        self.ask_soon()

    def show_tags(self, *, has_tags: bool, counts: Mapping[str, int]) -> None:
        """Offers what can be done to tags only where captions are lists of tags."""
        self._fields.counts = counts
        model = self.kind_box.model()
        for row in range(self.kind_box.count()):
            kind = self.kind_box.itemData(row)
            if isinstance(model, QStandardItemModel) and kind.is_of_tags:
                item = model.item(row)
                item.setEnabled(has_tags)
                item.setToolTip(
                    "" if has_tags else self.tr("The captions in this folder are not tags")
                )
        if not has_tags and self.kind_box.currentData().is_of_tags:
            self.kind_box.setCurrentIndex(0)
        self.ask_soon()

    def show_preview(self, preview: Preview, is_whole: bool) -> None:
        """Shows what is known of the outcome so far."""
        if self.operation is None:
            preview = Preview()
        self.error_label.hide()
        changed = preview.changed if is_whole else 0
        self._show_outcome(preview.first, self._count_text(preview, is_whole), changed)

    def show_error(self, text: str) -> None:
        """Says why the edit cannot be done."""
        self._show_outcome((), "")
        self.error_label.setText(text)
        self.error_label.show()

    def show_report(self, report: EditReport) -> None:
        """Says what has become of the edit that was applied here. After another one, the outcome
        may be another one too."""
        if self._applied is None:
            self.ask_soon()
        elif report.name == self._applied.name:
            self._applied = None
            one = self.tr("1 caption was changed.")
            many = self.tr("{count} captions were changed.")
            self._show_outcome((), counted(len(report.changed), one, many))

    @Slot()
    def ask_soon(self) -> None:
        """The outcome may be another one now."""
        if self.isVisible():
            self._leave_preview()
            self._timer.start()

    # Parts

    def _build_choices(self) -> None:
        self.kind_box = ElidedComboBox()
        self.kind_box.setObjectName("bulk_kind_box")
        self.kind_box.setAccessibleName(self.tr("Edit"))
        for kind in BulkKind:
            self.kind_box.addItem(kind_text(kind), kind)
        self.scope_box = ElidedComboBox()
        self.scope_box.setObjectName("bulk_scope_box")
        self.scope_box.setAccessibleName(self.tr("Images"))
        self.scope_box.addItems(["", ""])
        for box in (self.kind_box, self.scope_box):
            box.setMinimumContentsLength(12)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self.kind_box.currentIndexChanged.connect(self._show_kind)
        self.scope_box.activated.connect(self._on_scope_chosen)
        self.scope_box.currentIndexChanged.connect(self.ask_soon)

    def _build_pages(self) -> None:
        self.pages = QStackedWidget()
        for page in self._fields.pages.values():
            page.changed.connect(self.ask_soon)
            self.pages.addWidget(page)

    def _place(self) -> None:
        choices = QGridLayout()
        choices.setHorizontalSpacing(12)
        choices.setVerticalSpacing(4)
        labels = self.tr("Edit"), self.tr("Images")
        for column, (text, box) in enumerate(
            zip(labels, (self.kind_box, self.scope_box), strict=True)
        ):
            label = QLabel(text)
            label.setProperty("class", "key")
            label.setBuddy(box)
            choices.addWidget(label, 0, column)
            choices.addWidget(box, 1, column)
            choices.setColumnStretch(column, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.count_label, 1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.apply_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(choices)
        column.addWidget(self.pages)
        column.addWidget(self.error_label)
        column.addWidget(self.changes, 1)
        column.addLayout(buttons)
        self.error_label.hide()

    @property
    def _page(self) -> Fields:
        return self._fields.pages[self.kind_box.currentData()]

    @Slot()
    def _show_kind(self) -> None:
        self.pages.setCurrentWidget(self._page)
        for page in self._fields.pages.values():
            page.setMaximumHeight(16_777_215 if page is self._page else 0)
        height = self._page.sizeHint().height()
        self.pages.setFixedHeight(height)
        self.pages.setVisible(height > 0)
        self.ask_soon()

    def _count_text(self, preview: Preview, is_whole: bool) -> str:
        if self.operation is None:
            return ""
        total = preview.changed + preview.unchanged
        one = self.tr("1 of {total} captions changes")
        many = self.tr("{count} of {total} captions change")
        if total == 1:
            one, many = self.tr("The caption changes"), self.tr("The caption stays as it is")
        parts = [counted(preview.changed, one, many).replace("{total}", f"{total:,}")]
        if len(preview.first) < preview.changed:
            parts.append(self.tr("first {count} shown").format(count=len(preview.first)))
        if preview.unread:
            one, many = self.tr("1 is not read yet"), self.tr("{count} are not read yet")
            parts.append(counted(preview.unread, one, many))
        if not is_whole:
            parts.append(self.tr("counting…"))
        return ", ".join(parts) + "."

    def _show_outcome(self, changes: Sequence[Change], text: str, changed: int = 0) -> None:
        self._changed = changed
        self.changes.show_changes(changes)
        self.count_label.setText(text)
        self._show_apply()

    def _show_apply(self) -> None:
        self.apply_button.setEnabled(self._changed > 0)

    def _leave_preview(self) -> None:
        """What was found out, or still is, is about other captions or fields."""
        self.preview_left.emit()
        self._changed = 0
        self._show_apply()

    # What the person does

    @Slot()
    def _ask_preview(self) -> None:
        if self.isVisible():
            self.preview_asked.emit(self.operation, self.scope)

    @Slot()
    def _on_scope_chosen(self) -> None:
        self._has_chosen_scope = True

    @Slot()
    def _on_apply_clicked(self) -> None:
        operation = self.operation
        if operation is not None and self._changed:
            self._applied = operation
            self._timer.stop()
            self._leave_preview()
            self.apply_asked.emit(operation, self.scope)

    @Slot()
    def _on_finished(self) -> None:
        self._timer.stop()
        self._has_chosen_scope, self._applied = False, None
        self._leave_preview()
