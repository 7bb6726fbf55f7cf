"""Where typed text goes while nothing that takes it has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


def typing_target(window: MainWindow, focused: QWidget | None) -> QWidget:
    """Returns the field for what is typed while `focused` has the focus: the caption's in the
    caption and on its tab, and the prompt elsewhere."""
    panel, tabs = window.caption_panel, window.side_tabs.bar
    is_about_caption = focused is tabs or (focused is not None and panel.isAncestorOf(focused))
    if is_about_caption and panel.isVisible() and panel.isEnabled():
        return panel.field
    return window.prompt_box.prompt_edit


def focus_typing_target(window: MainWindow, focused: QWidget | None) -> QWidget:
    """Gives that field the focus, and returns it."""
    target = typing_target(window, focused)
    if target is window.prompt_box.prompt_edit:
        window.prompt_box.focus_prompt()
    else:
        window.caption_panel.focus_editor()
    return target
