"""Connects the picture list with the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.errors import AppError
from core.picture import Picture
from gui.app.tasks import Begin
from gui.session.picture_list import PictureList
from gui.session.saved_picture import copy_picture, save_picture
from gui.widgets.file_manager import reveal
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import PictureState


class PictureWiring(QObject):
    """What is dropped, pasted or chosen in the window is opened, and shown there."""

    def __init__(
        self, window: MainWindow, pictures: PictureList, begin: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._pictures, self._begin = window, pictures, begin
        zone, strip = window.drop_zone, window.drop_zone.picture_strip
        window.paths_opened.connect(self._on_paths_opened)
        zone.image_data_dropped.connect(self._on_image_data_dropped)
        zone.picture_chosen.connect(self._on_picture_chosen)
        zone.returned.connect(self._on_returned)
        strip.close_asked.connect(self._on_close_asked)
        strip.reveal_asked.connect(reveal)
        window.dialogs.picture_path_chosen.connect(self._on_path_chosen)
        bind = window.command_actions.bind
        bind(Command.CLOSE_PICTURE, self._on_current_closed)
        bind(Command.REVEAL_PICTURE, self._on_reveal_asked)
        bind(Command.COPY_PICTURE, self._on_copy_asked)
        pictures.list_changed.connect(zone.show_pictures_at_hand)
        pictures.opened.connect(window.show_picture)
        pictures.failed.connect(self._on_failed)
        pictures.refused.connect(self._on_refused)
        pictures.emptied.connect(zone.clear)
        for signal in (pictures.list_changed, pictures.opened, pictures.failed, pictures.emptied):
            signal.connect(self.refresh)

    @Slot()
    def refresh(self) -> None:
        """Read the pictures into the window's state."""
        pictures = self._pictures
        picture, error = pictures.picture, pictures.error
        is_shown = picture is not None and error is None
        self._window.states.update(
            picture=PictureState(
                name=picture.name if picture and is_shown else "",
                path=picture.path if picture and is_shown else None,
                error=translated(error) if error else "",
                is_shown=is_shown,
                roots=tuple(pictures.roots),
                count=len(pictures.paths),
                index=pictures.index,
            )
        )

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
        self._window.drop_zone.show_error(translated(error))

    @Slot(object)
    def _on_refused(self, error: AppError) -> None:
        """Beside an error page the list of what is still open would be of something else."""
        self._window.show_notice(translated(error))

    @Slot(object)
    def _on_returned(self, picture: Picture) -> None:
        """After an error, the picture before it is shown again, with its conversation."""
        self._pictures.return_to_picture()
        self._window.show_picture(picture)
        self.refresh()

    @Slot(int)
    def _on_close_asked(self, index: int) -> None:
        self._begin(self._pictures.close_listed(index))

    def _on_current_closed(self) -> None:
        self._begin(self._pictures.close_picture())

    def _on_reveal_asked(self) -> None:
        if path := self._window.state.picture.path:
            reveal(path)

    def _on_copy_asked(self) -> None:
        if picture := self._pictures.picture:
            self._begin(copy_picture(picture))

    @Slot(Path)
    def _on_path_chosen(self, path: Path) -> None:
        if picture := self._pictures.picture:
            self._begin(save_picture(picture, path))
