"""The context menus of the image and of an exchange, opened by the right button or the menu key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu

from gui.conversation.exchange_view import ExchangeView
from gui.window.availability import obstacle
from gui.window.command import Command
from gui.window.commands import Place

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


class ContextMenus(QObject):
    """Opens them. What concerns the one exchange stands above the commands for all of it."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window = window
        view = window.drop_zone.picture_view
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_image_menu_asked)
        window.transcript_view.menu_asked.connect(self._on_exchange_menu_asked)

    @Slot(QPoint)
    def _on_image_menu_asked(self, at: QPoint) -> None:
        menu = self._window.command_actions.context_menu(Place.IMAGE)
        menu.popup(self._window.drop_zone.picture_view.mapToGlobal(at))

    @Slot(object, QPoint)
    def _on_exchange_menu_asked(self, view: ExchangeView, at: QPoint) -> None:
        self.menu_of(view).popup(at)

    def menu_of(self, view: ExchangeView) -> QMenu:
        """Returns the menu of an exchange, which deletes itself once closed."""
        window, actions = self._window, self._window.command_actions
        menu = actions.context_menu(Place.EXCHANGE)
        first = menu.actions()[0]
        state, is_whole = window.state, not view.is_open
        rows = [
            (self.tr("&Copy answer"), view.copy, is_whole and bool(view.answer), ""),
            (self.tr("Copy &question"), partial(_copy, view.prompt), True, ""),
            (self.tr("&Edit question"), view.edit, is_whole, ""),
        ]
        no_trace = obstacle(state, Command.INSPECT)
        rows.append(
            (
                self.tr("&Inspect answer"),
                view.inspect_asked.emit,
                is_whole and bool(view.answer) and no_trace is None,
                no_trace or "",
            )
        )
        for text, run, is_enabled, reason in rows:
            action = QAction(text, menu)
            action.setEnabled(is_enabled)
            action.setToolTip(reason or text.replace("&", ""))
            action.triggered.connect(partial(_run, run))
            menu.insertAction(first, action)
        menu.insertSeparator(first)
        return menu


def _run(run: Callable[[], object], checked: bool = False) -> None:
    run()


def _copy(text: str) -> None:
    QGuiApplication.clipboard().setText(text)
