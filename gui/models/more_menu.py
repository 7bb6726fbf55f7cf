"""The menu with a model's folder and page, and for checking, moving and removing it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QMenu, QWidget

from core.hub import Entry
from gui.models.details_state import DetailsState
from gui.models.follow_ups import FollowUps
from gui.models.requests import ModelRequests


class MoreMenu(QMenu):
    """Acts on the entry that was shown last."""

    def __init__(self, requests: ModelRequests, follow_ups: FollowUps, parent: QWidget):
        super().__init__(parent)
        self._requests, self._follow_ups = requests, follow_ups
        self._entry: Entry | None = None
        self.setToolTipsVisible(True)
        self.folder_action = self.addAction(self.tr("Show in &folder"))
        self.page_action = self.addAction(self.tr("Open model &page"))
        self.addSeparator()
        self.check_action = self.addAction(self.tr("&Check files"))
        self.move_action = self.addAction(self.tr("&Move to another folder…"))
        self.addSeparator()
        self.remove_action = self.addAction(self.tr("&Remove from this computer…"))
        self.remove_action.setShortcut("Del")
        self.remove_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.forget_action = self.addAction(self.tr("Remove from this &list"))
        self.folder_action.triggered.connect(self._on_folder)
        self.page_action.triggered.connect(self._on_page)
        self.check_action.triggered.connect(self._on_check)
        self.move_action.triggered.connect(self._on_move)
        self.remove_action.triggered.connect(self._on_remove)
        self.forget_action.triggered.connect(self._on_forget)

    def show_details(self, details: DetailsState) -> None:
        """Offer what can be done with this entry now."""
        self._entry = details.entry
        local, allowed = details.entry.local, details.allowed()
        self.folder_action.setEnabled(local is not None)
        self.page_action.setEnabled(bool(details.entry.hub_id))
        self.check_action.setEnabled(allowed.check)
        self.move_action.setEnabled(allowed.move)
        self.remove_action.setEnabled(allowed.remove)
        self.forget_action.setVisible(details.can_be_forgotten)
        self.forget_action.setEnabled(allowed.forget)
        for action in (self.move_action, self.remove_action):
            action.setToolTip(allowed.reason)

    @Slot()
    def _on_folder(self) -> None:
        if self._entry and self._entry.local:
            self._requests.folder_opened.emit(self._entry.local.folder)

    @Slot()
    def _on_page(self) -> None:
        if self._entry:
            self._requests.page_opened.emit(self._entry.hub_id)

    @Slot()
    def _on_check(self) -> None:
        if self._entry:
            self._requests.check_asked.emit(self._entry.key)

    @Slot()
    def _on_move(self) -> None:
        if self._entry:
            self._follow_ups.ask_where_to_move(self._entry.key)

    @Slot()
    def _on_remove(self) -> None:
        if self._entry:
            self._follow_ups.confirm_removal(self._entry)

    @Slot()
    def _on_forget(self) -> None:
        if self._entry:
            self._requests.forget_asked.emit(self._entry.key)
