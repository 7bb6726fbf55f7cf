"""What several runs answered about an image, side by side: one is picked, or a text is merged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut, QTextCursor
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.captions.wording import differing_words, joined
from core.workspace import ImageRow
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import paragraph
from gui.widgets.plain_text import text_of
from gui.widgets.text_direction import PlainTextEdit
from gui.widgets.theme import Theme
from gui.workspace.answer_column import AnswerColumn
from gui.workspace.nothing_to_compare import NothingToCompare
from gui.workspace.thumbnails import Thumbnails

COLUMNS = 3
_SIZE = (1000, 640)
_LEAST_SIZE = (560, 340)
_SIDE = 120
_LEAST_TEXT = 56
_MOST_EDITOR = 140


class CompareDialog(QDialog):
    """Goes through the images about which the chosen runs differ.

    `columns_chosen(tuple[int, ...])`: compare these runs, by their places. `image_wanted(int)`: the
    image at this place among those that differ. `written(ImageRow, str)`: the caption of an image
    is to be another one than that of its row. `run_asked()`: there is nothing to compare, and a run
    is to be chosen.
    """

    columns_chosen = Signal(object)
    image_wanted = Signal(int)
    written = Signal(object, str)
    undo_asked = Signal()
    run_asked = Signal()

    def __init__(self, theme: Theme, thumbnails: Thumbnails, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("compare_dialog")
        self.setWindowTitle(self.tr("Compare answers"))
        self._theme, self._thumbnails = theme, thumbnails
        self._row: ImageRow | None = None
        # The caption of the row as the field has it.
        self._given = ""
        self._at = self._count = self._runs = 0
        # Until the next image is shown, nothing is picked: it would be for the one that was left.
        self._is_leaving = False
        self._undo_name = ""
        self.columns = [AnswerColumn(theme, number) for number in range(1, COLUMNS + 1)]
        self._build()
        self._place()
        for column in self.columns:
            column.box.currentIndexChanged.connect(self._on_columns_chosen)
            column.use_button.clicked.connect(partial(self._on_used, column))
            column.add_button.clicked.connect(partial(self._on_added, column))
            column.text.installEventFilter(self)
        thumbnails.made.connect(self._show_thumbnail)
        self.what_label.setText(self.tr("Reading earlier runs…"))

    def show_runs(self, labels: Sequence[str]) -> None:
        """Offers these runs, the last of which is the caption as it is now; the first two are
        compared, and a third on request."""
        self._runs = len(labels) - 1
        for number, column in enumerate(self.columns):
            column.box.blockSignals(True)
            column.box.clear()
            if number >= 2:
                column.box.addItem(self.tr("None"), -1)
            for place, label in enumerate(labels):
                column.box.addItem(label, place)
                last = column.box.count() - 1
                column.box.setItemData(last, label, Qt.ItemDataRole.ToolTipRole)
            column.box.setCurrentIndex(number if number < 2 else 0)
            column.box.blockSignals(False)
        self._on_columns_chosen()

    def show_count(self, count: int, total: int) -> None:
        """Begins with the first of `count` images about which they differ, of `total`."""
        self._count, self._at = count, 0
        self._total = total
        is_nothing = not count and self._runs < 2
        if is_nothing:
            self.nothing.show_runs(self._runs)
        self._show_whether(is_nothing)
        if count:
            self._go_to(0)
        else:
            self._show_none()

    def show_gone(self) -> None:
        """Goes on to the next image, as the one that was wanted is not there any more."""
        self._count -= 1
        if self._count > 0:
            self._at = min(self._at, self._count - 1)
            self.image_wanted.emit(self._at)
        else:
            self._total = 0
            self._show_none()
            self.what_label.setText(self.tr("These images are no longer there."))

    def show_image(self, row: ImageRow, texts: Sequence[str | None]) -> None:
        """Shows an image with the answers about it; None where a run has none."""
        if self._row is None and isinstance(self.focusWidget(), QComboBox):
            self.columns[0].text.setFocus()
        self._row, self._is_leaving = row, False
        self.name_label.setText(row.path.name)
        self.editor.setPlainText(row.caption)
        self._given = text_of(self.editor)
        known = [text for text in texts if text is not None]
        for column, text in zip(self.columns, texts, strict=False):
            other = next((one for one in known if one != text), None)
            column.show_text(text, [] if other is None else differing_words(text or "", other)[0])
        for column in self.columns[len(texts) :]:
            column.show_text(None, [])
        text = self.tr("Image {number} of {count} with different answers ({total} compared)")
        self.what_label.setText(
            text.format(
                number=f"{self._at + 1:,}", count=f"{self._count:,}", total=f"{self._total:,}"
            )
        )
        self._show_thumbnail()
        self._show_buttons()

    @property
    def typed(self) -> tuple[ImageRow | None, str]:
        """The image in view, and what is written as its caption; "" for nothing else than it is."""
        text = text_of(self.editor)
        is_other = bool(text.strip()) and text != self._given
        return None if self._is_leaving else self._row, text if is_other else ""

    def show_can_undo(self, name: str) -> None:
        """Shows what *Undo* would take back where nothing was typed; "" for nothing."""
        self._undo_name = name
        self._show_buttons()

    def show_again(self) -> None:
        """Shows the image anew, as its caption may be another one now."""
        self._row = None
        self.image_wanted.emit(self._at)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Where nothing is typed, 1 to 3 pick an answer and go on."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            number = event.key() - Qt.Key.Key_1
            if 0 <= number < COLUMNS and not event.modifiers() and watched is not self.editor:
                self._pick(self.columns[number])
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The same where a button has the focus."""
        number = event.key() - Qt.Key.Key_1
        if 0 <= number < COLUMNS and not event.modifiers():
            self._pick(self.columns[number])
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """Writes what was picked or typed last."""
        self._write()
        super().done(result)

    # Parts

    def _build(self) -> None:
        self.what_label = paragraph(is_selectable=False)
        self.what_label.setObjectName("compare_what")
        self.picture_label = QLabel()
        self.picture_label.setFixedSize(_SIDE, _SIDE)
        self.picture_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.name_label.setProperty("class", "section")
        self.editor = PlainTextEdit()
        self.editor.setObjectName("compare_editor")
        self.editor.setProperty("class", "field")
        self.editor.setAccessibleName(self.tr("Caption"))
        self.editor.setTabChangesFocus(True)
        self.editor.setMinimumHeight(_LEAST_TEXT)
        self.editor.setMaximumHeight(_MOST_EDITOR)
        self.previous_button = QPushButton(self.tr("Previous"))
        self.next_button = QPushButton(self.tr("Next"))
        self.undo_button = QPushButton(self.tr("Undo"))
        self.close_button = QPushButton(self.tr("Close"))
        for button in (
            *(self.previous_button, self.next_button, self.undo_button, self.close_button),
        ):
            button.setAutoDefault(False)
        self.previous_button.clicked.connect(self._on_previous)
        self.next_button.clicked.connect(self._on_next)
        self.undo_button.clicked.connect(self._on_undone)
        self.editor.textChanged.connect(self._show_buttons)
        self.close_button.clicked.connect(self.accept)
        for key, slot in (
            ("PgUp", self._on_previous),
            ("PgDown", self._on_next),
            ("Ctrl+Return", self._on_next),
        ):
            QShortcut(QKeySequence(key), self).activated.connect(slot)

    def _place(self) -> None:
        beside = QVBoxLayout()
        beside.addWidget(self.what_label)
        beside.addWidget(self.name_label)
        label = QLabel(self.tr("Caption"))
        label.setProperty("class", "key")
        label.setBuddy(self.editor)
        beside.addWidget(label)
        beside.addWidget(self.editor, 1)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addWidget(self.picture_label, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(beside, 1)
        self._in_row = columns = QHBoxLayout()
        columns.setSpacing(12)
        for column in self.columns:
            columns.addWidget(column, 1)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        for button in (self.previous_button, self.next_button, self.undo_button):
            foot.addWidget(button)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(20, 16, 20, 16)
        whole.setSpacing(12)
        self.nothing = NothingToCompare()
        self.nothing.hide()
        self.nothing.run_asked.connect(self.run_asked)
        self.body = QWidget()
        body = QVBoxLayout(self.body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(12)
        body.addLayout(top, 2)
        body.addLayout(columns, 3)
        whole.addWidget(self.body, 1)
        whole.addWidget(self.nothing, 1)
        whole.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)
        self._show_buttons()

    # What is shown

    def _show_whether(self, is_nothing: bool) -> None:
        """Shows the answers, or that there are no two of them."""
        self.body.setVisible(not is_nothing)
        self.nothing.setVisible(is_nothing)
        for button in (self.previous_button, self.next_button, self.undo_button):
            button.setVisible(not is_nothing)
        if is_nothing:
            self.nothing.run_button.setFocus()

    def _show_none(self) -> None:
        self._row = None
        self.name_label.setText("")
        self.editor.setPlainText("")
        self.picture_label.clear()
        for column in self.columns:
            column.show_text(None, [])
        self.what_label.setText(self.tr("These answers are the same for all images."))
        self._show_buttons()

    @Slot()
    def _show_buttons(self) -> None:
        self.editor.setEnabled(self._row is not None)
        is_typed = self._row is not None and text_of(self.editor) != self._given
        self.undo_button.setEnabled(is_typed or bool(self._count and self._undo_name))
        self.undo_button.setToolTip("" if is_typed else self._undo_name)
        self.previous_button.setEnabled(self._row is not None and self._at > 0)
        self.next_button.setEnabled(self._row is not None and self._at < self._count - 1)

    @Slot()
    def _show_thumbnail(self) -> None:
        if self._row is None:
            return
        ratio = self.devicePixelRatioF()
        pixmap = self._thumbnails.get(self._row, round(_SIDE * ratio))
        if pixmap is None or pixmap.isNull():
            self.picture_label.clear()
            return
        keep, smooth = (
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        shown = pixmap.scaled(QSize(_SIDE, _SIDE) * ratio, keep, smooth)
        shown.setDevicePixelRatio(ratio)
        self.picture_label.setPixmap(shown)

    # What is done

    @Slot()
    def _on_columns_chosen(self) -> None:
        self._write()
        places = [column.box.currentData() for column in self.columns]
        for column, place in zip(self.columns, places, strict=True):
            is_chosen = place is not None and place >= 0
            column.show_chosen(is_chosen)
            self._in_row.setStretchFactor(column, int(is_chosen))
        self.columns_chosen.emit(
            tuple(place for place in places if place is not None and place >= 0)
        )

    def _write(self) -> None:
        row, text = self.typed
        if row is not None and text:
            self._row = None
            self.written.emit(row, text)

    def _go_to(self, at: int) -> None:
        self._write()
        self._is_leaving = True
        self._at = at
        self.image_wanted.emit(at)

    @Slot()
    def _on_previous(self) -> None:
        if self._at > 0:
            self._go_to(self._at - 1)

    @Slot()
    def _on_next(self) -> None:
        if self._at < self._count - 1:
            self._go_to(self._at + 1)
        else:
            self._write()
            self.image_wanted.emit(self._at)

    @Slot()
    def _on_undone(self) -> None:
        """What is not written yet goes first, and the field can bring it back; then the last
        edit."""
        if self._row is None or text_of(self.editor) == self._given:
            self.undo_asked.emit()
            return
        cursor = QTextCursor(self.editor.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(self._given)

    def _on_used(self, column: AnswerColumn, checked: bool = False) -> None:
        if column.answer is not None:
            self.editor.setPlainText(column.answer)
            self.editor.setFocus()

    def _on_added(self, column: AnswerColumn, checked: bool = False) -> None:
        """Adds what is selected of an answer, or all of it."""
        if column.answer is not None:
            added = column.text.textCursor().selection().toPlainText() or column.answer
            self.editor.setPlainText(joined(text_of(self.editor), added))
            self.editor.moveCursor(QTextCursor.MoveOperation.End)
            self.editor.setFocus()

    def _pick(self, column: AnswerColumn) -> None:
        if column.answer is not None and self._row is not None and not self._is_leaving:
            self.editor.setPlainText(column.answer)
            self._on_next()
