"""The context menus of the image, an exchange and a word of it.

They are opened by the right button, the menu key or Shift+F10.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, QPoint, QRect, QRectF, Qt, Slot
from PySide6.QtGui import QAction, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from gui.conversation.exchange_view import ExchangeView
from gui.window.availability import obstacle
from gui.window.command import Command
from gui.window.commands import Place

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

# Text, what it runs, whether it can be given, and why not.
_Row = tuple[str, Callable[[], object], bool, str]


class ContextMenus(QObject):
    """Opens them. What concerns the one exchange stands above the commands for all of it."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        view = window.drop_zone.picture_view
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_image_menu_asked)
        window.transcript_view.menu_asked.connect(self._on_exchange_menu_asked)
        window.transcript_view.word_menu_asked.connect(self._on_word_menu_asked)

    @Slot(QPoint)
    def _on_image_menu_asked(self, at: QPoint) -> None:
        menu = self._window.command_actions.context_menu(Place.IMAGE)
        menu.popup(self._window.drop_zone.picture_view.mapToGlobal(at))

    @Slot(object, QPoint)
    def _on_exchange_menu_asked(self, view: ExchangeView, at: QPoint) -> None:
        self.menu_of(view).popup(at)

    @Slot(object, int, QPoint)
    def _on_word_menu_asked(self, view: ExchangeView, word: int, at: QPoint) -> None:
        self.menu_of(view, word).popup(at)

    def menu_of(self, view: ExchangeView, word: int = -1) -> QMenu:
        """Returns the menu of an exchange, and of a word of its answer, which deletes itself."""
        menu = self._window.command_actions.context_menu(Place.EXCHANGE)
        first = menu.actions()[0]
        if view is not self._window.transcript_view.exchange_views[-1]:
            for command in (Command.REGENERATE, Command.WORDS):  # They are about the last one.
                menu.removeAction(self._window.commands[command])
            first = menu.actions()[0]
        if word >= 0:
            menu.setObjectName("word_menu")
            menu.insertActions(first, self._window.evidence_view.word_actions(menu, view, word))
            menu.insertSeparator(first)
        for rows in (self._text_rows(view), self._exchange_rows(view)):
            for text, run, is_enabled, reason in rows:
                action = QAction(text, menu)
                action.setEnabled(is_enabled)
                action.setToolTip(reason or text.replace("&", ""))
                action.triggered.connect(partial(_run, run))
                menu.insertAction(first, action)
            menu.insertSeparator(first)
        return menu

    def _text_rows(self, view: ExchangeView) -> list[_Row]:
        has_answer = not view.is_open and bool(view.answer)
        return [
            (self.tr("C&opy"), view.copy_selection, view.has_selection, ""),
            (self.tr("&Copy answer"), view.copy, has_answer, ""),
            (self.tr("Copy &question"), partial(_copy, view.prompt), True, ""),
            (self.tr("Select &all"), view.select_answer, has_answer, ""),
        ]

    def _exchange_rows(self, view: ExchangeView) -> list[_Row]:
        is_whole, no_trace = not view.is_open, obstacle(self._window.state, Command.INSPECT)
        can_inspect = is_whole and bool(view.answer) and no_trace is None
        return [
            (self.tr("&Edit question"), view.edit, is_whole, ""),
            (self.tr("&Inspect answer"), view.inspect_asked.emit, can_inspect, no_trace or ""),
        ]


def open_by_key(widget: QWidget | None) -> None:
    """Opens the menu of the widget with the focus, as the menu key does."""
    if widget is not None and QApplication.activePopupWidget() is None:
        at = widget.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
        place = at.toRect().center() if isinstance(at, QRectF) else QRect(at or QRect()).center()
        reason = QContextMenuEvent.Reason.Keyboard
        event = QContextMenuEvent(reason, place, widget.mapToGlobal(place))
        QCoreApplication.sendEvent(widget, event)


def _run(run: Callable[[], object], checked: bool = False) -> None:
    run()


def _copy(text: str) -> None:
    QGuiApplication.clipboard().setText(text)
