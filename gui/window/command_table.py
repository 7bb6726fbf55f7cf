"""The table itself: every command of the window, by menu."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction

from gui.window.command import Command
from gui.window.command_table_images import exchange_group, images_menu
from gui.window.command_table_run import run_menu
from gui.window.commands import CommandRow, Group, Menu, MenuRows, Place, Submenu, SubmenuRow

translate = QCoreApplication.translate


def command_table() -> tuple[MenuRows, ...]:
    """Returns all commands, by menu, in the language of the window."""
    return (
        _context_rows(),
        _file_menu(),
        _edit_menu(),
        _conversation_menu(),
        images_menu(),
        _view_menu(),
        run_menu(),
        _model_menu(),
        _help_menu(),
    )


def _context_rows() -> MenuRows:
    """What can be done only with a thing that is clicked."""
    showing: Group = (
        _clicked(Command.SHOW_PICTURE, translate("Menu", "&Show image"), Place.THUMBNAIL),
    )
    examining: Group = (
        _clicked(Command.WORD_WHERE, translate("Menu", "Show w&here"), Place.WORD),
        _clicked(Command.WORD_LOOK, translate("Menu", "&Look again"), Place.WORD),
        _clicked(Command.WORD_STRIKE, translate("Menu", "&Strike out"), Place.WORD),
    )
    listed: Group = (
        _clicked(Command.LIST_REVEAL, translate("Menu", "Show in &folder"), Place.LIST),
        _clicked(Command.LIST_CLOSE, translate("Menu", "&Close image"), Place.LIST),
    )
    return MenuRows(Menu.CONTEXT, "", (showing, examining, listed, *_tag_groups()))


def _tag_groups() -> tuple[Group, ...]:
    tag = Place.TAG
    editing: Group = (
        _clicked(Command.TAG_EDIT, translate("Menu", "&Edit tag"), tag),
        _clicked(Command.TAG_COPY, translate("Menu", "&Copy"), tag),
        _clicked(Command.TAG_REMOVE, translate("Menu", "&Remove tag"), tag),
    )
    moving: Group = (
        _clicked(Command.TAG_LEFT, translate("Menu", "Move to the &left"), tag),
        _clicked(Command.TAG_RIGHT, translate("Menu", "Move to the r&ight"), tag),
    )
    using: Group = (
        _clicked(Command.TAG_FIND, translate("Menu", "&Find images with this tag"), tag),
        _clicked(Command.TAG_ADD, translate("Menu", "&Add to the selected images"), tag),
    )
    return editing, moving, using


def _clicked(command: Command, text: str, place: Place) -> CommandRow:
    return CommandRow(command, text, places=(place,), is_fixed=True)


def _file_menu() -> MenuRows:
    image, pictures = (Place.IMAGE,), (Place.IMAGE, Place.THUMBNAIL)
    opening: Group = (
        CommandRow(Command.OPEN, translate("Menu", "&Open images…"), ("Ctrl+O",)),
        CommandRow(Command.OPEN_FOLDER, translate("Menu", "Open &folder…"), ("Ctrl+Shift+O",)),
        CommandRow(Command.CAPTION_FOLDER, translate("Menu", "&Caption folder…"), ("Ctrl+B",)),
        CommandRow(Command.LAST_RUN, translate("Menu", "&Last folder run"), ("Ctrl+Shift+B",)),
    )
    picture: Group = (
        CommandRow(
            Command.SAVE_PICTURE,
            translate("Menu", "Save image &as…"),
            ("Ctrl+Shift+S",),
            places=image,
        ),
        CommandRow(
            Command.REVEAL_PICTURE,
            translate("Menu", "S&how in folder"),
            ("Ctrl+Shift+F",),
            places=pictures,
        ),
        CommandRow(
            Command.CLOSE_PICTURE, translate("Menu", "Close &image"), ("Ctrl+W",), places=pictures
        ),
    )
    conversation: Group = (
        CommandRow(Command.SAVE, translate("Menu", "&Save conversation…"), ("Ctrl+S",)),
        SubmenuRow(Submenu.RECENT, translate("Menu", "&Recent conversations")),
    )
    program: Group = (
        CommandRow(
            Command.SETTINGS,
            translate("Menu", "S&ettings…"),
            ("Ctrl+,",),
            role=QAction.MenuRole.PreferencesRole,
        ),
        CommandRow(
            Command.QUIT, translate("Menu", "&Quit"), ("Ctrl+Q",), role=QAction.MenuRole.QuitRole
        ),
    )
    groups = (opening, picture, exchange_group(), conversation, program)
    return MenuRows(Menu.FILE, translate("Menu", "&File"), groups)


def _edit_menu() -> MenuRows:
    text, selectable = (Place.TEXT,), (Place.TEXT, Place.EXCHANGE)
    redo_keys = ("Ctrl+Shift+Z", "Ctrl+Y")
    undoing: Group = (
        CommandRow(Command.UNDO, translate("Menu", "&Undo"), ("Ctrl+Z",), "", text, is_fixed=True),
        CommandRow(Command.REDO, translate("Menu", "&Redo"), redo_keys, "", text, is_fixed=True),
    )
    clipboard: Group = (
        CommandRow(Command.CUT, translate("Menu", "Cu&t"), ("Ctrl+X",), "", text, is_fixed=True),
        CommandRow(
            Command.COPY_SELECTION,
            translate("Menu", "&Copy"),
            ("Ctrl+C",),
            places=selectable,
            is_fixed=True,
        ),
        CommandRow(
            Command.PASTE,
            translate("Menu", "&Paste"),
            ("Ctrl+V",),
            translate("Menu", "Paste an image, or text into the prompt"),
            text,
            is_fixed=True,
        ),
        CommandRow(
            Command.SELECT_ALL,
            translate("Menu", "Select &all"),
            ("Ctrl+A",),
            places=selectable,
            is_fixed=True,
        ),
    )
    image: Group = (
        CommandRow(
            Command.COPY_PICTURE,
            translate("Menu", "Copy &image"),
            ("Ctrl+Alt+C",),
            places=(Place.IMAGE,),
        ),
    )
    return MenuRows(Menu.EDIT, translate("Menu", "&Edit"), (undoing, clipboard, image))


def _conversation_menu() -> MenuRows:
    exchange = (Place.EXCHANGE,)
    copying: Group = (
        CommandRow(
            Command.COPY,
            translate("Menu", "&Copy last answer"),
            ("Ctrl+Shift+C",),
            places=exchange,
            clicked_text=translate("Menu", "Copy a&nswer"),
        ),
        CommandRow(
            Command.COPY_QUESTION,
            translate("Menu", "Copy last &question"),
            places=exchange,
            clicked_text=translate("Menu", "Copy &question"),
        ),
        CommandRow(
            Command.COPY_ALL,
            translate("Menu", "Copy c&onversation"),
            ("Ctrl+Shift+A",),
            places=exchange,
        ),
    )
    groups = (_asking_group(), _answer_group(), copying)
    return MenuRows(Menu.CONVERSATION, translate("Menu", "&Conversation"), groups)


def _asking_group() -> Group:
    return (
        CommandRow(Command.NEW, translate("Menu", "&New conversation"), ("Ctrl+N",)),
        CommandRow(Command.WRITE, translate("Menu", "&Go to the prompt"), ("Ctrl+L",)),
        CommandRow(
            Command.ASK_TOGETHER, translate("Menu", "Ask a&bout all images"), is_checkable=True
        ),
        CommandRow(
            Command.REGENERATE,
            translate("Menu", "&Regenerate answer"),
            ("Ctrl+R",),
            places=(Place.EXCHANGE,),
        ),
        CommandRow(Command.STOP, translate("Menu", "&Stop or dismiss"), ("Esc",), is_fixed=True),
    )


def _answer_group() -> Group:
    exchange = (Place.EXCHANGE,)
    return (
        CommandRow(
            Command.WORDS,
            translate("Menu", "Step through &words"),
            ("F2",),
            translate("Menu", "Show the evidence for each word"),
            places=exchange,
        ),
        CommandRow(
            Command.INSPECT,
            translate("Menu", "&Inspect last answer"),
            ("Ctrl+I",),
            translate("Menu", "Show what went through the model"),
            exchange,
            clicked_text=translate("Menu", "&Inspect answer"),
        ),
        CommandRow(
            Command.EDIT_QUESTION,
            translate("Menu", "&Edit last question"),
            ("Ctrl+Shift+L",),
            places=exchange,
            clicked_text=translate("Menu", "&Edit question"),
        ),
        CommandRow(
            Command.PREVIOUS_VERSION,
            translate("Menu", "&Previous version"),
            ("Alt+PgUp",),
            translate("Menu", "Show the answer before, or the question before it was edited"),
            places=exchange,
        ),
        CommandRow(
            Command.NEXT_VERSION,
            translate("Menu", "Next &version"),
            ("Alt+PgDown",),
            translate("Menu", "Show the next answer, or the question as it was edited"),
            places=exchange,
        ),
    )


def _view_menu() -> MenuRows:
    image = (Place.IMAGE,)
    stepping: Group = (
        CommandRow(Command.PREVIOUS_PICTURE, translate("Menu", "&Previous image"), ("PgUp",)),
        CommandRow(Command.NEXT_PICTURE, translate("Menu", "&Next image"), ("PgDown",)),
    )
    listing: Group = (
        CommandRow(
            Command.GO_TO_IMAGES,
            translate("Menu", "Go &to the images"),
            ("Ctrl+J",),
            translate("Menu", "Single keys then review, search and caption images"),
        ),
        CommandRow(
            Command.IMAGE_LIST, translate("Menu", "&List of images"), ("F9",), is_checkable=True
        ),
        CommandRow(
            Command.IMAGE_GRID, translate("Menu", "Images as &grid"), ("Ctrl+G",), is_checkable=True
        ),
    )
    doubt: Group = (
        CommandRow(
            Command.UNDERLINE_DOUBT,
            translate("Menu", "Underline &doubtful words"),
            ("Ctrl+U",),
            translate("Menu", "Underline words that may be wrong"),
            is_checkable=True,
        ),
    )
    themes = (
        CommandRow(Command.THEME_SYSTEM, translate("Menu", "Follow &system"), is_checkable=True),
        CommandRow(Command.THEME_LIGHT, translate("Menu", "&Light"), is_checkable=True),
        CommandRow(Command.THEME_DARK, translate("Menu", "&Dark"), is_checkable=True),
    )
    theme: Group = (SubmenuRow(Submenu.THEME, translate("Menu", "&Theme"), themes),)
    groups = (_zooming(image), _seeing(image), stepping, listing, doubt, theme)
    return MenuRows(Menu.VIEW, translate("Menu", "&View"), groups)


def _seeing(image: tuple[Place, ...]) -> Group:
    return (
        CommandRow(
            Command.MODEL_VIEW,
            translate("Menu", "What the &model sees"),
            ("Ctrl+E",),
            places=image,
        ),
        CommandRow(
            Command.RESIZING_LOSS,
            translate("Menu", "&Lost detail"),
            ("Ctrl+Shift+E",),
            places=image,
        ),
        CommandRow(
            Command.MARK_PART,
            translate("Menu", "Mark a pa&rt"),
            ("F3",),
            translate("Menu", "Questions are then about this part of the image"),
            places=image,
            is_checkable=True,
        ),
    )


def _zooming(image: tuple[Place, ...]) -> Group:
    return (
        CommandRow(Command.FIT, translate("Menu", "&Fit image"), ("Ctrl+0",), places=image),
        CommandRow(
            Command.ACTUAL_SIZE, translate("Menu", "&Actual size"), ("Ctrl+1",), places=image
        ),
        CommandRow(
            Command.ZOOM_IN, translate("Menu", "Zoom &in"), ("Ctrl++", "Ctrl+="), places=image
        ),
        CommandRow(Command.ZOOM_OUT, translate("Menu", "Zoom &out"), ("Ctrl+-",), places=image),
    )


def _model_menu() -> MenuRows:
    all_models: Group = (CommandRow(Command.MODELS, translate("Menu", "&Models…"), ("Ctrl+M",)),)
    loading: Group = (
        CommandRow(Command.BUILT_IN_MODEL, translate("Menu", "Load &built-in model")),
        CommandRow(Command.LAST_MODEL, translate("Menu", "Load &last model")),
        CommandRow(
            Command.MODEL_FOLDER, translate("Menu", "Open model &folder…"), ("Ctrl+Shift+M",)
        ),
    )
    unloading: Group = (CommandRow(Command.UNLOAD, translate("Menu", "&Unload model")),)
    engines: Group = (CommandRow(Command.ENGINES, translate("Menu", "&Graphics card…")),)
    return MenuRows(
        Menu.MODEL, translate("Menu", "&Model"), (all_models, loading, unloading, engines)
    )


def _help_menu() -> MenuRows:
    helping: Group = (
        CommandRow(Command.KEYS, translate("Menu", "&Keyboard shortcuts"), ("F1",)),
        CommandRow(Command.LOG_FOLDER, translate("Menu", "Open &log folder")),
        CommandRow(Command.UPDATES, translate("Menu", "Check for &updates")),
    )
    about: Group = (
        CommandRow(
            Command.ABOUT, translate("Menu", "&About Onlooker"), role=QAction.MenuRole.AboutRole
        ),
    )
    return MenuRows(Menu.HELP, translate("Menu", "&Help"), (helping, about))
