"""Drives a main window without a program behind it: what the wiring does, in a few lines."""

from __future__ import annotations

from dataclasses import replace

from core.engine import ModelState, Ready
from core.picture import Picture
from core.transcript import Answer
from gui.window.main_window import MainWindow
from gui.window.view_state import LoadedState, PictureState


def show_picture(window: MainWindow, picture: Picture) -> None:
    """Another picture is open, with a conversation of its own."""
    window.show_picture(picture)
    before = window.state.picture
    window.states.update(
        picture=replace(before, name=picture.name, path=picture.path, error="", is_shown=True)
    )


def show_picture_error(window: MainWindow, text: str) -> None:
    window.drop_zone.show_error(text)
    window.states.update(picture=replace(window.state.picture, name="", error=text, is_shown=False))


def show_picture_list(window: MainWindow, paths, index: int) -> None:
    window.drop_zone.show_pictures_at_hand(paths, index)
    listed = replace(window.state.picture, roots=tuple(paths), count=len(paths), index=index)
    window.states.update(picture=listed)


def show_model_state(window: MainWindow, state: ModelState) -> None:
    facts = state.facts if isinstance(state, Ready) else None
    window.states.update(model=LoadedState(state, facts))


def begin_answer(window: MainWindow, prompt: str) -> None:
    window.transcript_view.begin_answer(prompt)
    talk = window.state.conversation
    window.states.update(
        conversation=replace(talk, exchanges=talk.exchanges + 1, is_answering=True)
    )


def finish(window: MainWindow, answer: Answer) -> None:
    window.transcript_view.finish(answer)
    talk = window.state.conversation
    window.states.update(
        conversation=replace(
            talk,
            answers=talk.answers + 1,
            is_answering=False,
            tokens_per_second=answer.tokens_per_second,
        )
    )


def fail(window: MainWindow, text: str) -> None:
    window.transcript_view.fail(text)
    window.states.update(conversation=replace(window.state.conversation, is_answering=False))


def clear_conversation(window: MainWindow) -> None:
    window.transcript_view.clear()
    talk = window.state.conversation
    window.states.update(
        conversation=replace(talk, exchanges=0, answers=0, is_answering=False, tokens_per_second=0)
    )


def close_pictures(window: MainWindow) -> None:
    window.show_empty([])
    window.states.update(picture=PictureState())
