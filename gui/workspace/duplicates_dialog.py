"""Images that look alike, a group at a time, side by side: one is kept, the others go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.workspace import ImageRow
from gui.widgets.counted import counted
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import paragraph
from gui.widgets.measures import bytes_text, sides_text
from gui.widgets.text_direction import PlainTextEdit
from gui.workspace.thumbnails import Thumbnails

_SIZE = (900, 600)
_LEAST_SIZE = (480, 340)
_CARD_WIDTH = 244
_SIDE = 220
_LONGEST = 5_000
_LEAST_CAPTION = 64
_STEPS = 1000


class DuplicatesDialog(QDialog):
    """Shows how far the search is, then the groups that were found.

    `group_wanted(tuple[int, ...])`: the rows of these images are to be shown. `trash_asked(list)`:
    move these images to the trash. `copy_asked(int, list)`: give these the caption of the first.
    `undo_asked()`: take the last edit back. `kind_changed()`: `only_equal` is another.
    `stopped()`: end the search.
    """

    group_wanted = Signal(object)
    trash_asked = Signal(object)
    copy_asked = Signal(int, object)
    undo_asked = Signal()
    kind_changed = Signal()
    stopped = Signal()

    def __init__(self, thumbnails: Thumbnails, *, has_way_back: bool, parent: QWidget):
        """`has_way_back` says whether images can be brought back from the trash."""
        super().__init__(parent)
        self.setObjectName("duplicates_dialog")
        self.setWindowTitle(self.tr("Duplicates"))
        self._thumbnails, self._has_way_back = thumbnails, has_way_back
        self._groups: list[tuple[int, ...]] = []
        self._at = 0
        self._asked_for: int | None = None
        self.cards: list[DuplicateCard] = []
        self._build()
        self._place()
        thumbnails.made.connect(self._on_thumbnail_made)
        self.show_searching(0.0)

    @property
    def group(self) -> tuple[int, ...]:
        """The images in view, by their ids."""
        return self._groups[self._at] if self._at < len(self._groups) else ()

    @property
    def only_equal(self) -> bool:
        """Whether only equal files are wanted."""
        return self.kind_box.currentIndex() == 1

    def show_searching(self, share: float) -> None:
        """Shows how far the search is."""
        self.what_label.setText(self.tr("Looking for images that look alike…"))
        self.bar.setValue(round(_STEPS * share))
        self.bar.show()
        self.stop_button.show()

    def show_groups(self, groups: Sequence[tuple[int, ...]]) -> None:
        """Shows what was found."""
        before = self.group[:1]
        self.bar.hide()
        self.stop_button.hide()
        self._groups = [group for group in groups if len(group) > 1]
        places = (at for at, group in enumerate(self._groups) if before and before[0] in group)
        self._show_group(next(places, min(self._at, max(0, len(self._groups) - 1))))

    def show_rows(self, rows: Sequence[ImageRow]) -> None:
        """Shows the images of the group in view."""
        if {row.id for row in rows} - set(self.group):
            return
        focused = next((n for n, card in enumerate(self.cards) if card.has_focus), 0)
        for card in self.cards:
            card.hide()
            card.deleteLater()
        sizes = [row.width * row.height for row in rows]
        self.cards = []
        for row in rows:
            card = DuplicateCard(row, self._compared(row.width * row.height, sizes))
            card.keep_button.clicked.connect(partial(self._on_keep, row.id))
            card.copy_button.clicked.connect(partial(self._on_copy, row.id))
            for button in (card.keep_button, card.copy_button):
                button.installEventFilter(self)
            self._row.insertWidget(len(self.cards), card)
            self.cards.append(card)
        self._on_thumbnail_made()
        if self.cards:
            self.cards[min(focused, len(self.cards) - 1)].keep_button.setFocus()

    def _compared(self, size: int, sizes: Sequence[int]) -> str:
        """Returns how large an image is among these; "" where that is no reason to keep it."""
        if size < max(sizes):
            return ""
        if sizes.count(size) == 1:
            return self.tr("largest")
        return self.tr("same size") if size == min(sizes) else self.tr("one of the largest")

    def show_can_undo(self, name: str) -> None:
        """Shows what *Undo* would take back; "" for nothing."""
        self.undo_button.setEnabled(bool(name))
        self.undo_button.setToolTip(name)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """On a card's buttons, Left and Right go from image to image."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            by = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
            if by is not None and self.cards:
                focused = next((n for n, card in enumerate(self.cards) if card.has_focus), 0)
                self.cards[(focused + by) % len(self.cards)].keep_button.setFocus()
                return True
        return super().eventFilter(watched, event)

    def done(self, result: int) -> None:
        """Ends the search."""
        self.stopped.emit()
        super().done(result)

    # Parts

    def _build(self) -> None:
        self.what_label = paragraph(is_selectable=False)
        self.what_label.setObjectName("duplicates_what")
        self.kind_box = ElidedComboBox()
        self.kind_box.setAccessibleName(self.tr("Which images are duplicates"))
        self.kind_box.addItem(self.tr("Look alike"))
        self.kind_box.addItem(self.tr("Equal files"))
        self.kind_box.currentIndexChanged.connect(self.kind_changed)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        self.stop_button = QPushButton(self.tr("Stop"))
        self.stop_button.clicked.connect(self.stopped)
        self.previous_button = QPushButton(self.tr("Previous"))
        self.next_button = QPushButton(self.tr("Next"))
        self.undo_button = QPushButton(self.tr("Undo"))
        self.undo_button.setEnabled(False)
        self.close_button = QPushButton(self.tr("Close"))
        for button in (
            *(self.stop_button, self.previous_button, self.next_button, self.undo_button),
            self.close_button,
        ):
            button.setAutoDefault(False)
        self.previous_button.clicked.connect(self._on_previous)
        self.next_button.clicked.connect(self._on_next)
        self.undo_button.clicked.connect(self.undo_asked)
        self.close_button.clicked.connect(self.reject)
        for keys, slot in (
            (QKeySequence("PgUp"), self._on_previous),
            (QKeySequence("PgDown"), self._on_next),
            (QKeySequence("Ctrl+Z"), self.undo_button.click),
        ):
            QShortcut(keys, self).activated.connect(slot)

    def _place(self) -> None:
        page = QWidget()
        self._row = QHBoxLayout(page)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(12)
        self._row.addStretch(1)
        self.area = QScrollArea()
        self.area.setProperty("class", "page")
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(page)
        page.setAutoFillBackground(False)
        self.area.viewport().setAutoFillBackground(False)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.what_label, 1)
        head.addWidget(self.stop_button)
        head.addWidget(self.kind_box)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.previous_button)
        foot.addWidget(self.next_button)
        foot.addWidget(self.undo_button)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.bar)
        column.addWidget(self.area, 1)
        column.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)

    # What is shown

    def _show_group(self, at: int) -> None:
        self._at, self._asked_for = at, None
        count = len(self._groups)
        if count:
            text = self.tr("Group {number} of {count}: {images} images look alike")
            if self.only_equal:
                text = self.tr("Group {number} of {count}: {images} images are equal")
            self.what_label.setText(
                text.format(number=f"{at + 1:,}", count=f"{count:,}", images=len(self.group))
            )
        else:
            none = self.tr("No images look alike.")
            equal = self.tr("No images are equal.")
            self.what_label.setText(equal if self.only_equal else none)
        self.previous_button.setEnabled(at > 0)
        self.next_button.setEnabled(at < count - 1)
        self.group_wanted.emit(self.group)
        if not count:
            self.show_rows([])

    @Slot()
    def _on_thumbnail_made(self) -> None:
        ratio = self.devicePixelRatioF()
        for card in self.cards:
            pixmap = self._thumbnails.get(card.row, round(_SIDE * ratio))
            if pixmap is not None and not pixmap.isNull():
                shown = pixmap.scaled(
                    QSize(_SIDE, _SIDE) * ratio,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                shown.setDevicePixelRatio(ratio)
                card.picture_label.setPixmap(shown)

    # What is done

    @Slot()
    def _on_previous(self) -> None:
        if self._at > 0:
            self._show_group(self._at - 1)

    @Slot()
    def _on_next(self) -> None:
        if self._at < len(self._groups) - 1:
            self._show_group(self._at + 1)

    def _on_keep(self, id: int, checked: bool = False) -> None:
        others = [one for one in self.group if one != id]
        if not others:
            return
        if not self._has_way_back and self._asked_for != id:
            self._asked_for = id
            one = self.tr("1 image goes to the trash, which cannot be undone. Press again.")
            many = self.tr("{count} images go to the trash, which cannot be undone. Press again.")
            self.what_label.setText(counted(len(others), one, many))
            return
        self.trash_asked.emit(others)

    def _on_copy(self, id: int, checked: bool = False) -> None:
        self.copy_asked.emit(id, [one for one in self.group if one != id])


class DuplicateCard(QFrame):
    """An image of a group: what it is, and what can be done with it."""

    def __init__(self, row: ImageRow, size: str):
        """`size` says how large it is among the others."""
        super().__init__()
        self.setObjectName("duplicate_card")
        self.row = row
        self.setFixedWidth(_CARD_WIDTH)
        self.picture_label = QLabel()
        self.picture_label.setFixedSize(_SIDE, _SIDE)
        self.picture_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture_label.setAccessibleName(row.path.name)
        name = ElidedLabel(row.path.name, Qt.TextElideMode.ElideMiddle)
        name.setProperty("class", "section")
        folder = ElidedLabel(str(row.path.parent), Qt.TextElideMode.ElideMiddle)
        folder.setProperty("class", "explanation")
        facts = f"{sides_text(row.width, row.height)}  ·  {bytes_text(row.bytes)}"
        if size:
            facts += f"  ·  {size}"
        self.facts_label = QLabel(facts)
        self.facts_label.setWordWrap(True)
        self.facts_label.setProperty("class", "explanation")
        caption = PlainTextEdit(row.caption[:_LONGEST])
        caption.setProperty("class", "field")
        caption.setAccessibleName(self.tr("Caption"))
        caption.setPlaceholderText(self.tr("No caption"))
        caption.setReadOnly(True)
        caption.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        caption.setMinimumHeight(_LEAST_CAPTION)
        self.keep_button = QPushButton(self.tr("Keep this, trash the others"))
        self.copy_button = QPushButton(self.tr("Copy caption to the others"))
        self.copy_button.setEnabled(row.has_caption)
        for button in (self.keep_button, self.copy_button):
            button.setProperty("class", "small")
            button.setAutoDefault(False)
        keep, copy = (
            self.tr("Keep {name}, trash the others"),
            self.tr("Copy the caption of {name} to the others"),
        )
        self.keep_button.setAccessibleName(keep.format(name=row.path.name))
        self.copy_button.setAccessibleName(copy.format(name=row.path.name))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(6)
        for part in (self.picture_label, name, folder, self.facts_label):
            column.addWidget(part)
        column.addWidget(caption, 1)
        column.addWidget(self.keep_button)
        column.addWidget(self.copy_button)

    @property
    def has_focus(self) -> bool:
        """Whether one of its buttons has the focus."""
        return self.keep_button.hasFocus() or self.copy_button.hasFocus()
