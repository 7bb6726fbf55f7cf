"""Which commands can be given in a state of the window, and why others cannot."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from PySide6.QtCore import QCoreApplication

from core.engine import Capability, Ready
from core.transcript import BUILT_IN
from gui.batch.run_controls import RunAction
from gui.picture.model_view_switch import no_model_text, own_way_text
from gui.widgets.translated import translated
from gui.window.command import Command
from gui.window.command_table_images import PRESET_COMMANDS
from gui.window.shown import needs_model, visible_notice
from gui.window.view_state import ViewState

translate = QCoreApplication.translate

ZOOM = (Command.FIT, Command.ACTUAL_SIZE, Command.ZOOM_IN, Command.ZOOM_OUT)
STEP = (Command.PREVIOUS_PICTURE, Command.NEXT_PICTURE)
VERSION_STEPS = {Command.PREVIOUS_VERSION: -1, Command.NEXT_VERSION: 1}
THEMES = {
    Command.THEME_SYSTEM: "system",
    Command.THEME_LIGHT: "light",
    Command.THEME_DARK: "dark",
}
RUN_ACTIONS = {
    Command.RUN_START: RunAction.START,
    Command.RUN_TRY_FIRST: RunAction.TRY_FIRST,
    Command.RUN_RESUME: RunAction.RESUME,
    Command.RUN_PAUSE: RunAction.PAUSE,
    Command.RUN_STOP_NOW: RunAction.STOP_NOW,
    Command.RUN_STOP_AFTER: RunAction.STOP_AFTER_THIS,
    Command.RUN_RETRY: RunAction.RETRY_FAILED,
    Command.RUN_UNDO: RunAction.UNDO,
    Command.RUN_NEW: RunAction.NEW_RUN,
}

_LISTING = (Command.GO_TO_IMAGES, Command.IMAGE_LIST, Command.IMAGE_GRID)
_REVIEW = (Command.ACCEPT, Command.REJECT, Command.NEEDS_WORK)
_BULK = (
    *(Command.INVERT_SELECTION, Command.GENERATE, Command.CAPTION_AGAIN),
    *(Command.BULK_EDIT, Command.BULK_REPLACE, Command.REPEAT_EDIT, Command.COPY_CAPTION),
    *(Command.PASTE_CAPTION, Command.MOVE_IMAGES, Command.TRASH_IMAGES),
)
_NEXT = (Command.NEXT_UNREVIEWED, Command.NEXT_UNCAPTIONED, Command.NEXT_DOUBTFUL)
_IMAGE = (Command.COPY_PICTURE, Command.SAVE_PICTURE, Command.MARK_PART, *ZOOM)
_ANSWER = (Command.WORDS, Command.INSPECT, Command.COPY)
_EXCHANGE = (
    *(Command.NEW, Command.COPY_QUESTION, Command.COPY_ALL, Command.SAVE, Command.EDIT_QUESTION),
)
# They are about a thing that is clicked, of which the state knows nothing.
_CLICKED = (
    *(Command.SHOW_PICTURE, Command.WORD_WHERE, Command.WORD_LOOK, Command.WORD_STRIKE),
    *(Command.LIST_REVEAL, Command.LIST_CLOSE),
    *(Command.TAG_EDIT, Command.TAG_REMOVE, Command.TAG_COPY, Command.TAG_LEFT),
    *(Command.TAG_RIGHT, Command.TAG_FIND, Command.TAG_ADD),
)


def is_enabled(state: ViewState, command: Command) -> bool:
    """Whether the command can be given now."""
    return obstacle(state, command) is None


def obstacle(state: ViewState, command: Command) -> str | None:
    """Returns why the command cannot be given, "" where that is plain; None if it can."""
    find = _finder(command)
    found = find(state, command) if find else None
    return found if isinstance(found, str) else None


def is_offered(state: ViewState, command: Command) -> bool:
    """Whether there is such a thing at all: a place among presets may be empty."""
    is_preset = command in PRESET_COMMANDS
    return not is_preset or PRESET_COMMANDS.index(command) < len(state.presets)


def is_checked(state: ViewState, command: Command) -> bool:
    """Whether a command that is a choice is chosen."""
    match command:
        case Command.ASK_TOGETHER:
            return state.conversation.asks_about_all
        case Command.UNDERLINE_DOUBT:
            return state.underlines_doubt
        case Command.MARK_PART:
            return state.has_part
        case Command.ROW_SORT:
            return state.run.is_sorted_by_doubt
        case Command.IMAGE_LIST:
            return not state.workspace.is_folded
        case Command.IMAGE_GRID:
            return state.workspace.is_grid
        case _:
            return THEMES.get(command) == state.theme


def text_now(state: ViewState, command: Command) -> str:
    """Returns what a command does in this state, as a menu entry; "" for its usual text."""
    match command:
        case _ if command in PRESET_COMMANDS:
            number = PRESET_COMMANDS.index(command)
            return state.presets[number] if number < len(state.presets) else ""
        case Command.UNDO:
            return undo_text(state) if state.is_conversation and not state.focus.undoes else ""
        case Command.REDO:
            return redo_text(state) if state.is_conversation and not state.focus.redoes else ""
        case Command.REPEAT_EDIT if state.workspace.last_edit:
            text = translate("Menu", "Repeat: {name}")
            return text.format(name=state.workspace.last_edit)
        case Command.STOP:
            return _escape_text(state)
        case Command.ROW_CAPTION if state.run.is_captioning_again:
            return translate("Menu", "Stop captioning")
        case _:
            return ""


def undo_text(state: ViewState) -> str:
    """Returns what Undo does beside the image, as a menu entry; "" for nothing."""
    if state.workspace.is_selection_meant:
        return translate("Menu", "Undo: selection")
    if not state.workspace.is_caption_meant:
        return state.conversation.undo
    name = state.workspace.undo
    return translate("Menu", "Undo: {name}").format(name=name) if name else ""


def redo_text(state: ViewState) -> str:
    """Returns what Redo does beside the image, as a menu entry; "" for nothing."""
    if not state.workspace.is_caption_meant:
        return state.conversation.redo
    name = state.workspace.redo
    return translate("Menu", "Redo: {name}").format(name=name) if name else ""


def _escape_text(state: ViewState) -> str:
    if state.is_conversation:
        if state.conversation.is_answering:
            return translate("Menu", "Stop answering")
        if state.conversation.waiting:
            return translate("Menu", "Take the question back")
        if state.has_chosen_word:
            return translate("Menu", "Stop stepping through words")
        if state.has_part:
            return translate("Menu", "Remove the rectangle")
        if state.workspace.reading:
            return translate("Menu", "Stop reading the folder")
        if state.workspace.can_stop_editing:
            return translate("Menu", "Stop editing captions")
    return translate("Menu", "Dismiss notice") if _closable_notice(state) else ""


# Each returns True where the command is none of its own, None if it can be given, or the obstacle.
_Found = str | None | bool


@cache
def _finder(command: Command) -> Callable[[ViewState, Command], _Found] | None:
    """The one of these that knows the command, in every state; None if it can always be given.

    The whole table is asked after each change: through the chain that takes several times as long.
    """
    chain = (_of_edit, _of_picture, _of_conversation, _of_run, _of_row, _of_model)
    return next((find for find in chain if find(ViewState(), command) is not True), None)


def _unless(holds: object, reason: str = "") -> str | None:
    return None if holds else reason


def _of_edit(state: ViewState, command: Command) -> _Found:
    focus, run = state.focus, state.run
    match command:
        case Command.UNDO if focus.undoes:
            return _unless(focus.can_undo)
        case Command.REDO if focus.redoes:
            return _unless(focus.can_redo)
        case Command.UNDO:
            return _unless(undo_text(state) if state.is_conversation else run.can_undo_edit)
        case Command.REDO:
            return _unless(redo_text(state) if state.is_conversation else run.can_redo_edit)
        case Command.CUT:
            return _unless(focus.takes_text and focus.has_selection)
        case Command.COPY_SELECTION:
            return _unless(focus.has_selection)
        case Command.SELECT_ALL:
            return _unless(focus.has_text)
        case Command.PASTE:
            return None
        case _:
            return True


def _of_picture(state: ViewState, command: Command) -> _Found:
    picture, is_seen = state.picture, state.is_conversation
    has_picture = is_seen and picture.is_shown
    if command in _IMAGE:
        return _unless(state.shows_image and picture.is_shown)
    if command in STEP:
        return _unless(is_seen and picture.count > 1)
    if command in _LISTING:
        return _of_listing(state, command)
    if (found := _of_workspace(state, command)) is not True:
        return found
    match command:
        case Command.REVEAL_PICTURE:
            no_file = translate("Menu", "This image has no file")
            return _unless(has_picture and picture.path, no_file if has_picture else "")
        case Command.CLOSE_PICTURE:
            return _unless(is_seen and (picture.is_shown or picture.error))
        case Command.MODEL_VIEW | Command.RESIZING_LOSS:
            reason = own_way_text() if state.model.facts else no_model_text()
            is_shown = state.shows_image and picture.is_shown
            return _unless(is_shown and state.model_input, reason)
        case _:
            return True


def _of_workspace(state: ViewState, command: Command) -> _Found:
    """Single keys are commands only while the list has the focus."""
    workspace = state.workspace
    is_open = workspace.is_open
    in_list = is_open and workspace.is_list_shown and workspace.has_focus
    reason = translate("Menu", "Go to the list of images first") if is_open else ""
    if command in _REVIEW:
        return _unless(in_list and workspace.is_known, reason)
    if command in PRESET_COMMANDS:
        return _unless(in_list and workspace.listed and is_offered(state, command), reason)
    if command in _NEXT:
        return _unless(in_list and workspace.listed, reason)
    if command in _BULK:
        return _of_bulk(state, command, in_list=in_list, reason=reason)
    match command:
        case Command.EDIT_CAPTION | Command.ALT_TEXT:
            return _unless(is_open and workspace.is_known)
        case Command.NOTES:
            return _unless(workspace.is_open and workspace.is_known)
        case Command.RESTORE_SELECTION:
            return _unless(is_open and workspace.has_list and workspace.lost)
        case Command.COMPARE_ANSWERS:
            return _unless(is_open and workspace.total)
        case Command.FIND_DUPLICATES:
            return _unless(is_open and workspace.has_list and workspace.total > 1)
        case Command.EXPORT_CAPTIONS | Command.IMPORT_CAPTIONS:
            closed = translate("Menu", "Open a folder first")
            return _unless(is_open and workspace.has_list and workspace.total, closed)
        case Command.FIND_IMAGES:
            return _unless(state.is_conversation and is_open and workspace.is_list_shown)
        case _:
            return True


def _of_bulk(state: ViewState, command: Command, *, in_list: bool, reason: str) -> str | None:
    """What is done to the selected images, or to many."""
    workspace = state.workspace
    is_open = workspace.is_open
    match command:
        case Command.BULK_EDIT | Command.GENERATE:
            return _unless(is_open and workspace.total)
        case Command.BULK_REPLACE:
            return _unless(state.is_conversation and is_open and workspace.total)
        case Command.CAPTION_AGAIN if state.run.is_running:
            return translate("Menu", "Pause the folder run first")
        case Command.CAPTION_AGAIN if needs_model(state):
            return translate("Menu", "Load a model first")
        case Command.INVERT_SELECTION:
            return _unless(is_open and workspace.has_list and workspace.listed)
        case Command.PASTE_CAPTION | Command.MOVE_IMAGES | Command.CAPTION_AGAIN:
            return _unless(is_open and workspace.is_known)
        case Command.REPEAT_EDIT if not workspace.last_edit:
            return translate("Menu", "No caption edit to repeat yet") if is_open else ""
        case Command.COPY_CAPTION if state.focus.has_selection:
            return reason
        case _:
            return _unless(in_list and workspace.is_known, reason)


def _of_listing(state: ViewState, command: Command) -> str | None:
    is_open = state.workspace.has_list
    if is_open and not state.workspace.has_room:
        return translate("Menu", "The window is too narrow")
    needs_list = command is Command.IMAGE_GRID
    return _unless(is_open and (state.workspace.is_list_shown or not needs_list))


def _of_conversation(state: ViewState, command: Command) -> _Found:
    talk, is_seen = state.conversation, state.shows_image
    is_free = not talk.is_answering and not talk.waiting
    if command in _EXCHANGE:
        can_edit = command is not Command.EDIT_QUESTION or not talk.waiting
        return _unless(is_seen and talk.exchanges and can_edit)
    if command in _ANSWER:
        # F2 edits a row of a run too.
        is_meant = is_seen and (state.is_conversation or command is not Command.WORDS)
        has_answer = is_meant and bool(talk.answers)
        lacks = {
            Command.WORDS: translated(state.model.why_not(Capability.EVIDENCE)),
            Command.INSPECT: translated(state.model.why_not(Capability.TRACE)),
        }.get(command, "")
        return _unless(has_answer and not lacks, lacks)
    match command:
        case Command.WRITE:
            return _unless(is_seen)
        case _ if command in VERSION_STEPS:
            several = state.exchange_with_versions if is_seen and is_free else None
            return _unless(several and several[1].has_any(VERSION_STEPS[command]))
        case Command.REGENERATE:
            return _unless(state.is_conversation and is_seen and talk.exchanges and is_free)
        case Command.STOP:
            return _unless(_can_escape(state))
        case Command.ASK_TOGETHER:
            one = translate("Menu", "This model takes one image at a time")
            none = translate("Menu", "Load a model first")
            return _unless(state.model.most_pictures > 1, one if state.model.facts else none)
        case Command.UNDERLINE_DOUBT:
            lacks = translated(state.model.why_not(Capability.EVIDENCE))
            return _unless(not lacks, lacks)
        case _:
            return True


def _closable_notice(state: ViewState) -> bool:
    """Whether Esc closes a notice: it leaves a caption first."""
    return visible_notice(state) is not None and not state.focus.is_in_caption


def _can_escape(state: ViewState) -> bool:
    """Whether Esc has something to stop or to close."""
    if _closable_notice(state):
        return state.is_conversation or not state.run.is_running
    talk, shown = state.conversation, state.workspace
    on_image = state.has_chosen_word or state.has_part or shown.reading or shown.can_stop_editing
    return state.is_conversation and bool(talk.is_answering or talk.waiting or on_image)


def _of_run(state: ViewState, command: Command) -> _Found:
    run, is_seen = state.run, state.shows_run
    is_meant = is_seen and not state.is_conversation
    if command in RUN_ACTIONS:
        is_offered = RUN_ACTIONS[command] in run.offered and not run.is_trying
        # Elsewhere Esc ends something else.
        return _unless((is_meant if command is Command.RUN_STOP_NOW else is_seen) and is_offered)
    match command:
        case Command.LAST_RUN:
            return _unless(run.is_known, translate("Menu", "No folder run yet"))
        case Command.RUN_FIND:
            return _unless(is_meant and not run.is_trying)
        case Command.RUN_REPLACE:
            return _unless(is_meant and run.can_edit)
        case Command.RUN_DOUBT:
            lacks = state.model.why_not(Capability.EVIDENCE, Capability.EARLIER)
            can_find = run.is_finding_doubt or (run.can_find_doubt and not lacks)
            return _unless(is_seen and can_find, lacks)
        case Command.RUN_CLOSE:
            return _unless(is_seen)
        case Command.RUN_COPY_COMMAND:
            return _unless(is_seen and (run.is_open or run.roots))
        case _:
            return True


def _of_row(state: ViewState, command: Command) -> _Found:
    run = state.run
    row = None if state.is_conversation or run.is_trying else run.row
    match command:
        case Command.ROW_SHOW | Command.ROW_REVEAL:
            return _unless(row)
        case Command.ROW_EDIT:
            return _unless(row and row.can_edit)
        case Command.ROW_COPY:
            return _unless(row and row.has_caption)
        case Command.ROW_CAPTION if run.is_captioning_again:
            return _unless(not state.is_conversation)
        case Command.ROW_CAPTION if row is None or row.is_busy or not run.can_edit:
            return ""
        case Command.ROW_CAPTION if run.is_running:
            return translate("Menu", "Pause the folder run first")
        case Command.ROW_CAPTION:
            return _unless(not needs_model(state), translate("Menu", "Load a model first"))
        case Command.ROW_SORT:
            return _unless(row and run.shows_doubt)
        case _:
            return "" if command in _CLICKED else True


def _of_model(state: ViewState, command: Command) -> _Found:
    match command:
        case Command.UNLOAD:
            return _unless(isinstance(state.model.state, Ready))
        case Command.BUILT_IN_MODEL:
            loaded = state.model.state.facts.model if isinstance(state.model.state, Ready) else ""
            return _unless(loaded != BUILT_IN, translate("Menu", "The built-in model is loaded"))
        case Command.LAST_MODEL:
            return _unless(needs_model(state) and state.model.last != BUILT_IN)
        case _:
            return True
