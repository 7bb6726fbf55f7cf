"""A bar above the prompt for notes and expected errors. It is not modal and waits for the focus."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.buttons import icon_button
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.notice import Notice, NoticeAction, NoticeActionKind
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.theme import Theme

_SHOWN_MS = 15_000
# A long notice in a low window scrolls, and leaves room for what it is about.
_SHARE_OF_WINDOW, _LEAST_LINES = 0.2, 3


class NoticeBar(QFrame):
    """Shows the newest of some notices. One without an action is dismissed after 15 seconds.

    `action_chosen(NoticeAction)`: the notice's button was clicked. `dismissed(Notice)`: it was
    closed, by the person or by its time; the next one may be shown.
    """

    action_chosen = Signal(object)
    dismissed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._notice: Notice | None = None
        self.text_label = paragraph()
        self.text_label.setObjectName("notice_text")
        self.action_button = QPushButton()
        self.action_button.setProperty("class", "small")
        self.more_label = QLabel()
        self.more_label.setProperty("class", "key")
        self.close_button = icon_button(
            theme, "close", self.tr("Dismiss this notice"), tip=self.tr("Dismiss")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 4, 6)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(8)
        self._text = _ScrolledText(self.text_label, self.tr("Notice"))
        row.addWidget(self._text, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        self._below = QWidget()
        below = QHBoxLayout(self._below)
        below.setContentsMargins(0, 0, 8, 0)
        below.setSpacing(8)
        below.addWidget(self.action_button)
        below.addStretch(1)
        below.addWidget(self.more_label)
        column.addWidget(self._below)
        self._timeout = QTimer(self, singleShot=True, interval=_SHOWN_MS)
        self._timeout.timeout.connect(self.dismiss)
        self.close_button.clicked.connect(self.dismiss)
        self.action_button.clicked.connect(self._on_action_clicked)
        self.hide()

    @property
    def notice(self) -> Notice | None:
        """The notice that is shown; None if there is none."""
        return self._notice

    @property
    def action_kind(self) -> NoticeActionKind | None:
        """What the button of the notice does; None if it has no button."""
        action = self._notice.action if self._notice else None
        return action.kind if action else None

    def show_notices(self, notices: Sequence[Notice]) -> None:
        """Shows the first of these notices and how many more there are; hides without any."""
        notice, before = notices[0] if notices else None, self._notice
        self._notice = notice
        self._count(len(notices) - 1)
        if notice is None:
            self._timeout.stop()
            self.hide()
        elif notice is not before or self.isHidden():
            action = notice.action
            self.text_label.setText(breakable(notice.text))
            self.action_button.setText(action.text if action else "")
            self.action_button.setVisible(action is not None)
            self._below.setVisible(action is not None or len(notices) > 1)
            self.show()
            self._timeout.stop()
            if action is None:
                self._timeout.start()

    def show_notice(self, text: str, action: NoticeAction | None = None) -> None:
        """Shows one notice, where nobody keeps several."""
        self.show_notices([Notice(text, action)])

    @Slot()
    def dismiss(self) -> None:
        """Closes the notice that is shown."""
        notice, self._notice = self._notice, None
        self._timeout.stop()
        self.hide()
        if notice is not None:
            self.dismissed.emit(notice)

    def _count(self, more: int) -> None:
        one, many = self.tr("1 more notice"), self.tr("{count} more notices")
        self.more_label.setText(counted(more, one, many))
        self.more_label.setVisible(more > 0)
        self._below.setVisible(more > 0 or self.action_kind is not None)

    @Slot()
    def _on_action_clicked(self) -> None:
        action = self._notice.action if self._notice else None
        self.dismiss()
        if action:
            self.action_chosen.emit(action)


class _ScrolledText(ScrolledPage):
    """A text that scrolls where it takes more than its share of the window."""

    def __init__(self, label: QLabel, name: str):
        super().__init__(label)
        self.setAccessibleName(name)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        policy = self.sizePolicy()
        policy.setVerticalPolicy(QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._label = label
        self.verticalScrollBar().rangeChanged.connect(self._on_range_changed)

    def heightForWidth(self, width: int) -> int:
        least = _LEAST_LINES * self.fontMetrics().lineSpacing()
        most = max(least, round(_SHARE_OF_WINDOW * self.window().height()))
        frame = 2 * self.frameWidth()  # The ring of the focus.
        return min(self._label.heightForWidth(width - frame) + frame, most)

    def sizeHint(self) -> QSize:
        hint = self._label.sizeHint()
        return QSize(hint.width(), self.heightForWidth(max(hint.width(), self.width())))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._label.minimumSizeHint().width(), self.fontMetrics().lineSpacing())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.window().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.window():
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # The text or its font is another.
            self.updateGeometry()
        return super().viewportEvent(event)

    @Slot(int, int)
    def _on_range_changed(self, least: int, most: int) -> None:
        is_scrolled = most > least
        policy = Qt.FocusPolicy.StrongFocus if is_scrolled else Qt.FocusPolicy.NoFocus
        self.setFocusPolicy(policy)
