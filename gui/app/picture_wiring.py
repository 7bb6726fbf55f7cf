"""Connects the picture list with the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.errors import AppError
from gui.app.tasks import Begin
from gui.session.picture_list import PictureList
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow


class PictureWiring(QObject):
    """What is dropped, pasted or chosen in the window is opened, and shown there."""

    def __init__(
        self, window: MainWindow, pictures: PictureList, begin: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._pictures, self._begin = window, pictures, begin
        window.paths_opened.connect(self._on_paths_opened)
        window.image_data_dropped.connect(self._on_image_data_dropped)
        window.picture_chosen.connect(self._on_picture_chosen)
        pictures.opened.connect(window.show_picture)
        pictures.failed.connect(self._on_failed)
        pictures.list_changed.connect(window.show_picture_list)

    @Slot(list)
    def _on_paths_opened(self, paths: list[Path]) -> None:
        self._begin(self._pictures.open_paths(paths))

    @Slot(bytes, str)
    def _on_image_data_dropped(self, data: bytes, name: str) -> None:
        self._begin(self._pictures.open_image_data(data, name))

    @Slot(int)
    def _on_picture_chosen(self, index: int) -> None:
        self._begin(self._pictures.open_listed(index))

    @Slot(object, str)
    def _on_failed(self, error: AppError, name: str) -> None:
        self._window.show_picture_error(translated(error))
