"""What the window shows for a state, without a window."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QKeySequence

from core.batch import ItemState, Phase
from core.engine import Absent, Capability, EngineFacts, Failed, Loading, Missing, Ready
from core.errors import CheckpointError
from core.transcript import BUILT_IN, Precision, Variants
from gui.batch.run_controls import RunAction, offered_actions
from gui.conversation.prompt_offer import AskButton, Hint, ModelOffer
from gui.engines.state import Stage
from gui.widgets.notice import Notice, StandsWhile
from gui.window.availability import is_checked, is_enabled, obstacle, text_now
from gui.window.command import Command
from gui.window.command_table import command_table
from gui.window.key_bindings import is_reserved, keys_of, rows_of, users_of
from gui.window.shown import (
    Status,
    prompt_offer,
    shown_notices,
    standing_notices,
    status,
    visible_notice,
    window_title,
)
from gui.window.view_state import (
    ConversationState,
    FocusState,
    LoadedState,
    Page,
    PictureState,
    RowState,
    RunState,
    ViewState,
    WorkspaceState,
)

FACTS = EngineFacts("llava", "cpu", "CPU", Precision.FLOAT32, 65_000_000, 2048)
READY = LoadedState(Ready(FACTS), FACTS)
CAT = PictureState(
    "cat.png", Path("cat.png"), is_shown=True, roots=(Path("cat.png"),), count=1, index=0
)
TALK = ConversationState(number=1, exchanges=1, answers=1, tokens_per_second=164.0)
READY_VIEW = ViewState(picture=CAT, model=READY, conversation=TALK, suggestion="Describe it.")
RUN = RunState(Phase.RUNNING, "holiday", (Path("holiday"),), 0.42, is_open=True, is_known=True)
WORKSPACE = WorkspaceState(
    True, True, "holiday", 2, 2, has_focus=True, is_known=True, lost=2, last_edit="Prefix"
)
RUN_VIEW = replace(READY_VIEW, page=Page.FOLDER_RUN, run=RUN, shows_run=True, covers_image=True)
# The run stands above the image.
BOTH_VIEW = replace(RUN_VIEW, covers_image=False)


# Title and status


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (ViewState(), "Onlooker"),
        (READY_VIEW, "cat.png — Onlooker"),
        # The share of a run that is folded away says nothing about what is in view.
        (replace(READY_VIEW, run=RUN), "cat.png — Onlooker"),
        (replace(BOTH_VIEW, page=Page.CONVERSATION), "42% — cat.png — Onlooker"),
        (BOTH_VIEW, "42% — holiday — Onlooker"),
        # A window manager would turn the title round for a name that begins from the right.
        (replace(READY_VIEW, picture=replace(CAT, name="قط.png")), "\u200eقط.png — Onlooker"),
        (replace(RUN_VIEW, run=replace(RUN, name="1 חתול")), "42% — \u200e1 חתול — Onlooker"),
        (RUN_VIEW, "42% — holiday — Onlooker"),
        (replace(RUN_VIEW, run=replace(RUN, fraction=None)), "holiday — Onlooker"),
        (replace(READY_VIEW, picture=PictureState(error="It is empty.")), "Onlooker"),
    ],
)
def test_title_says_what_is_in_view(state, title):
    assert window_title(state) == title


def test_speed_is_shown_with_the_model_and_the_conversation_that_it_belongs_to():
    assert status(READY_VIEW).speed == "164 tokens/s"
    assert status(RUN_VIEW).speed == ""
    silent = replace(TALK, tokens_per_second=0)
    assert status(replace(READY_VIEW, conversation=silent)).speed == ""
    for other in (Absent(), Loading(0.5, "Reading"), Failed(CheckpointError("No."))):
        assert status(replace(READY_VIEW, model=LoadedState(other))).speed == ""


def test_status_names_the_model_or_how_far_it_is():
    assert status(READY_VIEW).text == "llava  ·  CPU  ·  float32  ·  65 MB"
    loading = replace(READY_VIEW, model=LoadedState(Loading(0.25, "Reading")))
    assert status(loading) == Status("Reading  25%", 0.25, is_loading=True)
    begun = replace(READY_VIEW, model=LoadedState(Loading(0.02, "Loading libraries")))
    assert status(begun) == Status("Loading libraries…", is_loading=True)
    assert status(ViewState()) == Status("No model loaded")
    idle = replace(READY_VIEW, model=LoadedState(Absent(), FACTS, is_idle_unloaded=True))
    assert status(idle).text == "llava  ·  unloaded while idle"


# The prompt


def test_without_a_model_the_prompt_offers_ways_to_one():
    empty = replace(READY_VIEW, model=LoadedState())
    assert prompt_offer(empty).models == (ModelOffer.BUILT_IN, ModelOffer.CHOOSE)
    known = replace(READY_VIEW, model=LoadedState(last="/m/llava-1.5-7b-hf"))
    offer = prompt_offer(known)
    assert offer.models == (ModelOffer.LAST, ModelOffer.BUILT_IN, ModelOffer.CHOOSE)
    assert offer.last_model == "llava-1.5-7b-hf"
    assert offer.can_ask
    assert offer.hint is Hint.NO_MODEL


@pytest.mark.parametrize(
    "model",
    [READY, LoadedState(Loading(0.1, "x")), LoadedState(Absent(), FACTS, is_idle_unloaded=True)],
)
def test_no_way_to_a_model_is_offered_where_none_is_needed(model):
    assert prompt_offer(replace(READY_VIEW, model=model)).models == ()


def test_question_that_waits_can_be_taken_back():
    waiting = ConversationState(waiting="What is it?")
    offer = prompt_offer(ViewState(picture=CAT, conversation=waiting, suggestion="Describe it."))
    assert offer.button is AskButton.TAKE_BACK
    assert offer.hint is Hint.CHOOSE_MODEL
    assert offer.suggestion == ""
    loading = LoadedState(Loading(0.5, "x"))
    offer = prompt_offer(ViewState(picture=CAT, conversation=waiting, model=loading))
    assert offer.hint is Hint.WAITING


def test_first_question_is_suggested_until_there_is_one():
    fresh = replace(READY_VIEW, conversation=ConversationState())
    assert prompt_offer(fresh).suggestion == prompt_offer(fresh).placeholder == "Describe it."
    assert prompt_offer(READY_VIEW).suggestion == ""
    assert prompt_offer(ViewState(suggestion="Describe it.")).suggestion == ""
    assert "Open an image" in prompt_offer(ViewState()).placeholder


# Notices


ERROR = CheckpointError("It is broken.")
FAILED = LoadedState(Failed(ERROR))
PATHS = (Path("a.png"), Path("b.png"))
IDLE = LoadedState(Absent(), FACTS, is_idle_unloaded=True)
JOURNAL = Path("runs/1.jsonl")


@pytest.mark.parametrize(
    ("stands", "about", "true", "false"),
    [
        (StandsWhile.LOAD_FAILED, ERROR, {"model": FAILED}, {"model": READY}),
        (StandsWhile.LOAD_FAILED, CheckpointError("Other."), None, {"model": FAILED}),
        (StandsWhile.MODEL_LOADED, FACTS, {"model": READY}, {"model": IDLE}),
        (StandsWhile.UNLOADED_WHEN_IDLE, None, {"model": IDLE}, {"model": LoadedState()}),
        (
            StandsWhile.IMAGES_TO_CAPTION,
            PATHS,
            {"picture": replace(CAT, roots=PATHS, count=2)},
            {"picture": CAT},
        ),
        (StandsWhile.IMAGES_TO_CAPTION, CAT.roots, {"picture": CAT}, {"picture": CAT, "run": RUN}),
        (
            StandsWhile.IMAGES_TO_CAPTION,
            CAT.roots,
            {"picture": CAT},
            {"picture": CAT, "shows_run": True},
        ),
        (
            StandsWhile.RUN_UNFINISHED,
            JOURNAL,
            {"run": RunState(journal=JOURNAL)},
            {"run": RunState(journal=JOURNAL, is_open=True)},
        ),
        (StandsWhile.NO_RUN_YET, None, {"run": RunState()}, {"run": RUN}),
        (StandsWhile.RUN_STEP, 2, {"run": RunState(steps=2)}, {"run": RunState(steps=3)}),
        (StandsWhile.RUN_CHOSEN, None, {"run": RunState()}, {"run": RUN}),
        (StandsWhile.LAST_EDIT, 2, {"run": RunState(edits=2)}, {"run": RunState(edits=3)}),
        (StandsWhile.RUN_USES_MODEL, None, {"run": RUN}, {"run": RunState(Phase.PAUSED)}),
        (
            StandsWhile.CONVERSATION,
            1,
            {"conversation": TALK},
            {"conversation": ConversationState(number=2)},
        ),
        (
            StandsWhile.ANSWERING,
            None,
            {"conversation": ConversationState(is_answering=True)},
            {"conversation": TALK},
        ),
        (StandsWhile.NO_IMAGE, None, {"picture": PictureState()}, {"picture": CAT}),
        (
            StandsWhile.ENGINES,
            Stage.OFFERED,
            {"engines": Stage.OFFERED},
            {"engines": Stage.IN_USE},
        ),
        (
            StandsWhile.ASKS_ABOUT,
            True,
            {"conversation": replace(TALK, asks_about_all=True)},
            {"conversation": TALK},
        ),
    ],
)
def test_notice_goes_with_what_it_says(stands, about, true, false):
    state = ViewState(notices=(Notice("Something.", stands=stands, about=about),))
    if true is not None:
        assert standing_notices(replace(state, **true)) == state.notices
    assert standing_notices(replace(state, **false)) == ()


def test_newest_notice_of_the_page_is_visible_and_the_others_wait():
    run, talk, both = Notice("1", on_run_page=True), Notice("2", on_run_page=False), Notice("3")
    state = ViewState(notices=(talk, run, both))
    assert visible_notice(state) == talk
    assert shown_notices(state, Page.CONVERSATION) == (talk, both)
    assert shown_notices(state, Page.FOLDER_RUN) == ()
    beside = replace(state, shows_run=True)
    assert shown_notices(beside, Page.CONVERSATION) == (talk, both)
    assert shown_notices(beside, Page.FOLDER_RUN) == (run,)
    assert visible_notice(replace(beside, page=Page.FOLDER_RUN)) == run
    covered = replace(beside, page=Page.FOLDER_RUN, covers_image=True)
    assert shown_notices(covered, Page.CONVERSATION) == ()
    assert shown_notices(covered, Page.FOLDER_RUN) == (run, both)


# Commands


def test_built_in_model_is_offered_unless_it_is_loaded():
    facts = replace(FACTS, model=BUILT_IN)
    loaded = replace(READY_VIEW, model=LoadedState(Ready(facts), facts))
    assert obstacle(loaded, Command.BUILT_IN_MODEL) == "The built-in model is loaded"
    for model in (READY, LoadedState(), LoadedState(Absent(), facts, is_idle_unloaded=True)):
        assert is_enabled(replace(READY_VIEW, model=model), Command.BUILT_IN_MODEL)


ROWS = rows_of(command_table())


def some_states() -> list[ViewState]:
    """States of all kinds: every page, model, phase and conversation with each other."""
    models = [READY, LoadedState(), FAILED, IDLE, LoadedState(Loading(0.5, "x"))]
    talks = [
        ConversationState(),
        TALK,
        ConversationState(1, 1, is_answering=True),
        ConversationState(waiting="x"),
        replace(TALK, undo="Undo strike-out", redo="Redo strike-out"),
    ]
    counts = {ItemState.DONE: 1, ItemState.FAILED: 1}
    runs = [
        RunState(
            phase,
            is_open=phase is not Phase.CHOOSING,
            is_known=True,
            offered=frozenset(offered_actions(phase, counts)),
            can_edit=phase is Phase.OVER,
            can_find_doubt=phase is Phase.OVER,
            can_undo_edit=phase is Phase.OVER,
        )
        for phase in Phase
    ]
    pictures = [CAT, PictureState(), PictureState(error="No."), replace(CAT, roots=PATHS, count=2)]
    focuses = [FocusState(), FocusState(takes_text=True, can_undo=True, has_selection=True)]
    notices = [(), (Notice("Something."),)]
    # The run is folded away, stands above the image, or covers it beside the list of images.
    talk, run = Page.CONVERSATION, Page.FOLDER_RUN
    views = [(talk, False, False), (talk, True, False), (talk, True, True)]
    views += [(run, True, False), (run, True, True)]
    parts: Any = product(views, pictures, models, talks, runs, focuses, notices)
    states = [
        ViewState(page, *others, shows_run=is_shown, covers_image=is_covered)
        for (page, is_shown, is_covered), *others in parts
    ]
    return [
        replace(state, workspace=WORKSPACE, presets=tuple("123456789"))
        if state.picture.count > 1
        else state
        for state in states
    ]


STATES = some_states()


def test_no_two_commands_that_can_be_given_at_once_share_a_key():
    keys = {c: [QKeySequence(k).toString() for k in keys_of(ROWS, {}, c)] for c in ROWS}
    for state in STATES[::13]:
        enabled = [key for c in ROWS if is_enabled(state, c) for key in keys[c]]
        assert len(enabled) == len(set(enabled)), [key for key in enabled if enabled.count(key) > 1]


def test_every_command_has_a_text_and_can_be_given_in_some_state():
    assert set(ROWS) == set(Command)
    more = [replace(READY_VIEW, model=replace(READY, facts=replace(FACTS, most_pictures=3)))]
    more += [replace(READY_VIEW, focus=FocusState(True, True, True, True, True))]
    talk = replace(TALK, redo="Redo", versions=((0, Variants(answer=2, answers=3)),))
    more += [replace(READY_VIEW, conversation=talk), LAST_MODEL, SEEN]
    row = RowState(0, has_caption=True, can_edit=True)
    run = RunState(Phase.OVER, is_open=True, can_edit=True, row=row, shows_doubt=True)
    more += [replace(RUN_VIEW, run=run)]
    never = {c for c in Command if not any(is_enabled(s, c) for s in (*STATES[::5], *more))}
    # Those that are about a thing that is clicked are enabled by that.
    assert never == {row.command for row in command_table()[0].rows}


@pytest.mark.parametrize(
    ("focused", "can_go_back", "can_go_on"),
    [(-1, True, False), (0, False, True), (1, True, False), (2, True, True), (3, True, False)],
)
def test_versions_end_at_the_first_and_the_last(focused, can_go_back, can_go_on):
    """Of the exchange with the focus, and elsewhere of the last one with several. Past the answers
    to a question come those to another one."""
    last = (3, Variants(answer=2, answers=2, question=2, questions=2))
    among = (2, Variants(answer=2, answers=2, question=1, questions=2))
    first = (0, Variants(answer=1, answers=3))
    state = replace(
        READY_VIEW,
        conversation=replace(TALK, exchanges=4, versions=(first, among, last)),
        focus=FocusState(exchange=focused),
    )
    assert is_enabled(state, Command.PREVIOUS_VERSION) is can_go_back
    assert is_enabled(state, Command.NEXT_VERSION) is can_go_on


LAST_MODEL = ViewState(model=LoadedState(last="llava"))
SEEN = replace(
    READY_VIEW,
    model=replace(READY, facts=replace(FACTS, preprocessing=object())),  # type: ignore
)


def test_nothing_of_the_other_page_can_be_given():
    run_only = [c for c in Command if c.name.startswith(("RUN_", "ROW_"))]
    assert not any(is_enabled(READY_VIEW, command) for command in run_only)
    talk_only = (Command.REGENERATE, Command.COPY, Command.FIT, Command.NEXT_PICTURE, Command.SAVE)
    assert not any(is_enabled(RUN_VIEW, command) for command in talk_only)


def test_run_above_the_image_leaves_all_commands_but_those_that_need_the_focus():
    offered = frozenset({RunAction.PAUSE, RunAction.STOP_NOW, RunAction.STOP_AFTER_THIS})
    in_run = replace(BOTH_VIEW, run=replace(RUN, offered=offered))
    in_talk = replace(in_run, page=Page.CONVERSATION)
    for state in (in_run, in_talk):
        for command in (Command.FIT, Command.SAVE, Command.COPY, Command.RUN_PAUSE):
            assert is_enabled(state, command), command
    for command, is_of_run in (
        (Command.RUN_STOP_NOW, True),
        (Command.RUN_FIND, True),
        (Command.REGENERATE, False),
        (Command.WORDS, False),
    ):
        assert is_enabled(in_run, command) is is_of_run, command
        assert is_enabled(in_talk, command) is not is_of_run, command


def test_command_that_cannot_be_given_says_why():
    missing = {
        Capability.EVIDENCE: Missing("It tells nothing."),
        Capability.TRACE: Missing("It leaves no trace."),
    }
    facts = replace(FACTS, missing=missing)
    state = replace(READY_VIEW, model=LoadedState(Ready(facts), facts))
    assert obstacle(state, Command.WORDS) == "It tells nothing."
    assert obstacle(state, Command.INSPECT) == "It leaves no trace."
    assert obstacle(state, Command.ASK_TOGETHER) == "This model takes one image at a time"
    assert obstacle(ViewState(), Command.ASK_TOGETHER) == "Load a model first"
    assert obstacle(ViewState(), Command.LAST_RUN) == "No folder run yet"


def test_last_folder_run_is_offered_once_there_is_one():
    assert not is_enabled(READY_VIEW, Command.LAST_RUN)
    assert is_enabled(replace(READY_VIEW, run=RunState(is_known=True)), Command.LAST_RUN)


def test_undo_is_for_the_text_with_the_focus_else_for_the_page():
    state = replace(READY_VIEW, conversation=replace(TALK, undo="Undo strike-out"))
    assert text_now(state, Command.UNDO) == "Undo strike-out"
    typing = replace(state, focus=FocusState(takes_text=True, can_redo=True))
    assert text_now(typing, Command.UNDO) == ""
    assert not is_enabled(typing, Command.UNDO)
    assert is_enabled(typing, Command.REDO)
    untouched = replace(state, focus=FocusState(takes_text=True))
    assert is_enabled(untouched, Command.UNDO)
    assert not is_enabled(replace(state, page=Page.FOLDER_RUN), Command.UNDO)


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (replace(READY_VIEW, conversation=replace(TALK, is_answering=True)), "Stop answering"),
        (replace(READY_VIEW, conversation=replace(TALK, waiting="x")), "Take the question back"),
        (replace(READY_VIEW, has_chosen_word=True), "Stop stepping through words"),
        (replace(READY_VIEW, notices=(Notice("x"),)), "Dismiss notice"),
        (replace(READY_VIEW, notices=(Notice("x", on_run_page=True),)), ""),
        (READY_VIEW, ""),
    ],
)
def test_esc_ends_the_innermost_thing(state, text):
    assert text_now(state, Command.STOP) == text
    assert is_enabled(state, Command.STOP) is bool(text)


def test_choices_are_marked_by_the_state():
    assert is_checked(replace(READY_VIEW, theme="dark"), Command.THEME_DARK)
    assert not is_checked(READY_VIEW, Command.THEME_DARK)
    assert is_checked(READY_VIEW, Command.UNDERLINE_DOUBT)
    assert not is_checked(READY_VIEW, Command.ASK_TOGETHER)


# Keys


def test_undo_run_has_no_key_that_undoes_elsewhere():
    assert not {"Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+Y"} & set(ROWS[Command.RUN_UNDO].keys)
    assert ROWS[Command.REDO].keys[0] == "Ctrl+Shift+Z"


def test_changed_keys_replace_the_defaults_and_unknown_names_are_passed_over():
    bindings = {"regenerate": ["F5"], "gone": ["F6"], "undo": ["F7"], "save": []}
    assert keys_of(ROWS, bindings, Command.REGENERATE) == ("F5",)
    assert keys_of(ROWS, bindings, Command.SAVE) == ()
    assert keys_of(ROWS, bindings, Command.NEW) == ("Ctrl+N",)
    # Text fields have their own keys for these; they cannot be changed.
    assert keys_of(ROWS, bindings, Command.UNDO) == ("Ctrl+Z",)
    assert users_of(ROWS, bindings, "F5") == (Command.REGENERATE,)
    assert users_of(ROWS, bindings, "Ctrl+R") == ()


def test_start_and_resume_share_their_key():
    assert keys_of(ROWS, {"run_start": ["F9"]}, Command.RUN_RESUME) == ("F9",)
    assert RunAction.RESUME not in offered_actions(Phase.CHOOSING, {})


@pytest.mark.parametrize(
    "key",
    [
        *("A", "Shift+B", "Esc", "Return", "Tab", "Left", "Space", "1", ""),
        *("Ctrl+Left", "Ctrl+Shift+Right", "Ctrl+Home", "Ctrl+Shift+End"),
        *("Ctrl+Ins", "Ctrl+Backspace", "Ctrl+Del", "Shift+F10"),
    ],
)
def test_keys_for_typing_and_moving_are_no_commands(key):
    assert is_reserved(key)


@pytest.mark.parametrize(
    "key", ["Ctrl+A", "Ctrl+Up", "F10", "Shift+F5", "PgDown", "Alt+Left", "Ctrl+Shift+1"]
)
def test_other_keys_can_be_commands(key):
    assert not is_reserved(key)


def test_default_keys_are_free_for_commands():
    defaults = [key for row in ROWS.values() if not row.is_fixed for key in row.keys]
    assert [key for key in defaults if is_reserved(key)] == []
