"""The exchanges below each other, scrolled. It follows the end until the reader scrolls up."""

from __future__ import annotations

import time

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QToolButton, QWidget

from gui.conversation.exchange_view import ExchangeView
from gui.widgets.buttons import key_text
from gui.widgets.theme import Theme

SLICE_SECONDS = 0.012
_NEAR_END = 8
_LEAST_HEIGHT = 56
_BOTTOM = 12
_BESIDE_BAR = 6
# How far beyond the visible part exchanges are woken and left awake, in heights of that part.
_NEXT, _FAR = 0.25, 0.5
# Widgets are deleted when the event loop runs, all at once: 8 exchanges take 3 ms.
_ASLEEP_AT_ONCE = 8


class ExchangeColumn(QScrollArea):
    """Moves only exchanges that must move; a new width is applied in slices, visible ones first.

    Exchanges in view and next to it are awake, so that Tab finds them; others are put to sleep, if
    they can be.

    `end_left(bool)`: whether the reader is away from the end. `draft_left(str)`: an exchange was
    removed while its question was being edited; this is what was written. `drafts_changed(str)`:
    this is being written over questions, "" for nothing.
    """

    end_left = Signal(bool)
    draft_left = Signal(str)
    drafts_changed = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.column = QWidget()
        self.column.setObjectName("transcript_column")
        self.setWidget(self.column)
        self._build_end_button()
        self._views: list[ExchangeView] = []
        self._stale: list[ExchangeView] = []
        self._follows = True
        self._read: ExchangeView | None = None
        self._read_offset = 0
        self._is_placing = False
        self._is_fitting = False
        self._slice_timer = QTimer(self, singleShot=True, interval=0)
        self._slice_timer.timeout.connect(self._settle)
        theme.changed.connect(self._settle)
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        # Always there, so that the text's width does not change; enabled only if it can scroll.
        bar.rangeChanged.connect(self._on_range_changed)

    @property
    def follows_end(self) -> bool:
        """Whether the end stays in view as the last answer grows."""
        return self._follows

    def add(self, view: ExchangeView, at: int | None = None) -> None:
        """Adds an exchange at index `at`, or at the end."""
        index = len(self._views) if at is None else at
        self._views.insert(index, view)
        view.height_changed.connect(self._on_height_changed)
        view.woken.connect(self._on_woken)
        view.edit_begun.connect(self._on_edit_begun)
        view.draft_changed.connect(self._on_drafts_changed)
        view.edit_ended.connect(self._on_drafts_changed)
        view.show()
        self._fit(view)
        self._stack(index)
        # What is laid out while it is hidden has its final height only later.
        if self.column.isVisible() and not self._is_near(view, _FAR):
            view.sleep()

    def keep(self, count: int) -> None:
        """Removes all but the first `count` exchanges."""
        for view in self._views[count:]:
            if draft := _draft_of(view):
                self.draft_left.emit(draft)
            view.hide()
            view.deleteLater()
        del self._views[count:]
        self._stale = [view for view in self._stale if view in self._views]
        self._stack(min(count, len(self._views)))
        self._on_drafts_changed()

    @property
    def has_selection(self) -> bool:
        """Whether a part of a question or an answer is selected."""
        return any(view.has_selection for view in self._views)

    def button_rects(self) -> list[QRect]:
        """Returns where the buttons of the exchanges are that are in view, on the screen."""
        area = QRect(self.viewport().mapToGlobal(QPoint()), self.viewport().size())
        rects = (rect for view in self._views for rect in view.button_rects())
        return [rect & area for rect in rects if rect.intersects(area)]

    def show_word(self, view: ExchangeView, index: int) -> None:
        """Scrolls a word into view."""
        rect = view.answer_text.words.rect(index).toAlignedRect()
        at = view.answer_text.viewport().mapTo(self.column, rect.center())
        self.ensureVisible(at.x(), at.y(), 0, 2 * rect.height())

    def offset_of(self, view: ExchangeView) -> int:
        """Returns how far below the top of the visible part an exchange begins."""
        return view.y() - self.verticalScrollBar().value()

    def show_at(self, view: ExchangeView, offset: int) -> None:
        """Scrolls so that an exchange begins there, or at the top if it would be out of view."""
        self._settle()
        is_seen = -view.height() < offset < self.viewport().height()
        self.verticalScrollBar().setValue(view.y() - (offset if is_seen else 0))

    @Slot()
    def go_to_end(self) -> None:
        """Scrolls to the end, and follows it."""
        self._follow(True)
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    def minimumSizeHint(self) -> QSize:
        """Little: on a small screen, notices and the prompt need the height too."""
        return QSize(super().minimumSizeHint().width(), _LEAST_HEIGHT)

    def _build_end_button(self) -> None:
        self.end_button = QToolButton(self)
        self.end_button.setObjectName("end_button")
        self.end_button.setToolTip(self.tr("Jump to the end ({key})").format(key=key_text("End")))
        self.end_button.setAccessibleName(self.tr("Jump to the end"))
        self.end_button.setIconSize(QSize(12, 12))
        self._theme.set_icon(self.end_button, "down", "text")
        self.end_button.hide()
        self.end_button.clicked.connect(self.go_to_end)
        self.end_left.connect(self.end_button.setVisible)

    def _place_end_button(self) -> None:
        side = self.end_button.sizeHint()
        # The viewport still has its size of before.
        seen = self.width() - self.verticalScrollBar().width()
        # Over the scroll bar and the margin beside it, where no words are.
        left = seen + (self.verticalScrollBar().width() - side.width()) // 2 - _BESIDE_BAR
        self.end_button.move(left, self.height() - side.height() - 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_end_button()
        if self.viewport().width() != self.column.width():
            self._stale = list(self._views)
            self._settle()
        else:
            self._stack(len(self._views))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._slice_timer.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        match event.key():
            case Qt.Key.Key_Home:
                bar.setValue(0)
            case Qt.Key.Key_End:
                self.go_to_end()
            case _:
                super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event)
        event.accept()

    def _fit(self, view: ExchangeView) -> None:
        width = self.viewport().width()
        self._is_fitting = True
        view.resize(width, view.fit(width))
        self._is_fitting = False
        if self._theme.is_restyling and view not in self._stale:
            self._stale.append(view)

    @Slot()
    def _settle(self) -> None:
        """Fits exchanges to a new width, visible ones first, for one slice of time."""
        if self._theme.is_restyling or not self.column.isVisible():
            return
        until = time.perf_counter() + SLICE_SECONDS
        seen = self.viewport().rect().translated(0, self.verticalScrollBar().value())
        self._stale.sort(key=lambda view: view.geometry().intersects(seen))
        first = None
        while self._stale and time.perf_counter() < until:
            view = self._stale.pop()
            was_awake = view.is_awake
            self._fit(view)
            if not was_awake:
                view.sleep()
            first = view
        if first is not None:
            self._stack(0)
        if self._stale or self._wake_and_sleep(until):
            self._slice_timer.start()

    def _is_near(self, view: ExchangeView, views: float) -> bool:
        """Whether it is in view, or at most `views` heights of the viewport away."""
        top, height = self.verticalScrollBar().value(), self.viewport().height()
        margin = round(views * height)
        area = view.geometry()
        return area.top() < top + height + margin and area.bottom() >= top - margin

    def _wake_seen(self) -> None:
        """Wakes exchanges in view at once, or they would be blank; of very many, only some."""
        until = time.perf_counter() + 2 * SLICE_SECONDS
        for view in self._views:
            if not view.is_awake and self._is_near(view, 0.0):
                self._fit(view)
                if time.perf_counter() > until:
                    break
        self._slice_timer.start()

    def _wake_and_sleep(self, until: float) -> bool:
        """Wakes exchanges that are near and puts others to sleep, until `until`.

        Returns whether there is more to do.
        """
        asleep = 0
        for view in self._views:
            if view.is_awake:
                if not self._is_near(view, _FAR):
                    view.sleep()
                    asleep += not view.is_awake
            elif self._is_near(view, _NEXT):
                self._fit(view)
            if asleep == _ASLEEP_AT_ONCE or time.perf_counter() > until:
                return True
        return False

    def _stack(self, start: int) -> None:
        """Stacks the exchanges from `start` on; what is being read does not move."""
        bar = self.verticalScrollBar()
        self._is_placing = True
        y = self._views[start - 1].geometry().bottom() + 1 if start > 0 and self._views else 0
        for view in self._views[start:]:
            if view.y() != y:
                view.move(0, y)
            y += view.height()
        height = max(y + _BOTTOM, self.viewport().height())
        self.column.resize(self.viewport().width(), height)
        if self._follows:
            bar.setValue(bar.maximum())
        elif self._read is not None and self._read in self._views:
            bar.setValue(self._read.y() + self._read_offset)
        self._is_placing = False
        self._wake_seen()

    def _follow(self, follows: bool) -> None:
        if follows != self._follows:
            self._follows = follows
            self.end_left.emit(not follows)

    @Slot(int, int)
    def _on_range_changed(self, smallest: int, largest: int) -> None:
        self.verticalScrollBar().setEnabled(largest > smallest)

    @Slot()
    def _on_scrolled(self) -> None:
        if not self._is_placing:
            self._wake_seen()
            bar = self.verticalScrollBar()
            self._follow(bar.value() >= bar.maximum() - _NEAR_END)
            # The topmost exchange in view, and how far it is scrolled.
            seen = (view for view in self._views if view.geometry().bottom() >= bar.value())
            self._read = next(seen, None)
            self._read_offset = bar.value() - self._read.y() if self._read else 0

    @Slot()
    def _on_height_changed(self) -> None:
        view = self.sender()
        if not isinstance(view, ExchangeView) or view not in self._views or self._is_fitting:
            return
        if view is self._views[-1]:
            self._fit(view)
            self._stack(len(self._views) - 1)
        elif view not in self._stale:
            # When the font changes, that is all of them: in slices.
            self._stale.append(view)
            self._slice_timer.start()

    @Slot()
    def _on_edit_begun(self) -> None:
        """Scrolls to the question that is to be edited, at the top of its exchange."""
        view = self.sender()
        if isinstance(view, ExchangeView) and view in self._views:
            seen = self.viewport().height() - view.body.edit_height
            offset = self.offset_of(view)
            if not 0 <= offset <= max(0, seen):
                self.verticalScrollBar().setValue(view.y())

    @Slot()
    def _on_drafts_changed(self) -> None:
        self.drafts_changed.emit("\n".join(filter(None, map(_draft_of, self._views))))

    @Slot()
    def _on_woken(self) -> None:
        """Makes Tab come to its widgets from the exchange before, whenever they were made."""
        view = self.sender()
        if not isinstance(view, ExchangeView) or view not in self._views:
            return
        earlier = reversed(self._views[: self._views.index(view)])
        before = next((each.body.focus_order[-1] for each in earlier if each.is_awake), self)
        for widget in view.body.focus_order:
            QWidget.setTabOrder(before, widget)
            before = widget


def _draft_of(view: ExchangeView) -> str:
    """Returns what is written over the question of an exchange, "" if nothing is."""
    editor = view.body.question_edit if view.is_awake else None
    text = editor.edit.toPlainText().strip() if editor else ""
    return text if text != view.prompt.strip() else ""
