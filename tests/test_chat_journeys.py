"""Tiny models of other architectures, in the real window and in the terminal."""

# ruff: noqa: F811 (fixtures)

import asyncio
import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.engine import Ready
from core.terminal import main as terminal
from core.words import has_words
from gui.window.commands import Command
from tests.gui.conftest import loop, run, until  # noqa: F401 (fixtures)
from tests.support.tiers import mostly_slow
from tests.support.tiny_chat import FAMILIES
from tests.test_journeys import drop, home, live, pictures, press  # noqa: F401 (fixtures)

# Its language model runs on transformers' layers, and it takes several images. The tests of the
# chat engine ask every architecture in the default tier.
SAMPLE = ("qwen3_vl",)
_SETTLED_SECONDS = 0.15


@pytest.fixture(params=mostly_slow(FAMILIES, SAMPLE))
def model(request, chat_folders) -> str:
    return str(chat_folders[request.param])


@pytest.fixture
def _models_are_tried_once(home, tmp_path_factory):
    """Each model is tried when it is first opened, and not once more in each test's new home."""
    kept = tmp_path_factory.getbasetemp() / "verdicts"
    kept.mkdir(exist_ok=True)
    (home / "verdicts").symlink_to(kept)


async def settled(view):
    """How a view looks once it has stopped changing: an image is drawn again, in a thread, where
    the room for it changes."""
    await until(lambda: view.has_picture)
    before, looks = None, view.grab().toImage()
    while looks != before:
        await asyncio.sleep(_SETTLED_SECONDS)
        before, looks = looks, view.grab().toImage()
    return looks


def ask(program, text):
    QTest.keyClicks(program.window.prompt_box.prompt_edit, text)
    press(program, Qt.Key.Key_Return)


@pytest.mark.usefixtures("_models_are_tried_once")
def test_person_asks_another_architecture_stops_it_and_sees_what_words_rest_on(
    live,
    pictures,
):
    async def story(program):
        assert isinstance(program.model.state, Ready)
        drop(program, pictures[0])
        await until(lambda: program.window.drop_zone.has_picture)
        ask(program, "What is this?")
        await until(lambda: program.session.transcript.exchanges)
        await until(lambda: not program.session.is_answering)
        answer = program.session.transcript.exchanges[0].answer
        assert answer.tokens > 10
        window = program.window
        view = window.drop_zone.picture_view
        plain = await settled(view)
        window.commands[Command.WORDS].trigger()
        await until(lambda: window.evidence_view.has_chosen)
        # The map of the chosen word lies over the image.
        await until(lambda: view.grab().toImage() != plain)
        press(program, Qt.Key.Key_Escape)
        await until(lambda: view.grab().toImage() == plain)
        assert not window.state.notices
        window.commands[Command.INSPECT].trigger()
        await until(lambda: window.inspector.trace)
        assert window.inspector.trace.text == answer.text
        assert not window.inspector.given_figure.isVisible()
        press(program, Qt.Key.Key_Escape)
        program.settings.max_new_tokens = 1500
        ask(program, "Tell me more.")
        await until(lambda: window.transcript_view.is_answering)
        press(program, Qt.Key.Key_Escape)
        await until(lambda: not program.session.is_answering)
        assert len(program.session.transcript.exchanges) == 2

    live(story)


@pytest.mark.usefixtures("_models_are_tried_once")
def test_question_is_about_all_images_at_hand_where_the_model_takes_several(
    live,
    pictures,
    request,
):
    async def story(program):
        window = program.window
        window.paths_opened.emit([pictures[0].parent])
        await until(lambda: program.session.picture)
        assert window.drop_zone.picture_strip.count == 2
        action = window.commands[Command.ASK_TOGETHER]
        ask(program, "What is this?")
        await until(lambda: program.session.transcript.exchanges)
        alone = program.session.transcript.exchanges[0].answer.input_tokens
        program.session.new_conversation()
        single = ("bakllava", "llava_next", "llava_next_mistral", "joycaption")
        takes_several = not any(f"[{one}]" in request.node.name for one in single)
        assert action.isEnabled() == takes_several
        action.trigger()
        if takes_several:
            assert "up to 8 open images" in window.notice_bar.text_label.text()
        ask(program, "What is this?")
        await until(lambda: program.session.transcript.exchanges)
        both = program.session.transcript.exchanges[0].answer.input_tokens
        # LLaVA-OneVision cuts one image into tiles, several not.
        assert (both != alone) == takes_several

    live(story)


@pytest.mark.parametrize("family", mostly_slow(FAMILIES, SAMPLE))
def test_terminal_captions_with_each_architecture(chat_folders, pictures, capsys, family):
    options = ["--model", str(chat_folders[family]), "--device", "cpu", "--dtype", "float32"]
    options += ["--format", "json", "--max-new-tokens", "8"]
    status = terminal.main(["caption", *map(str, pictures), *options])
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["new_tokens"] for record in records] == [8, 8]
    assert records[0]["model"] == family
    # Random weights may say signs alone, which is no caption.
    wordless = [record for record in records if not has_words(record["caption"])]
    assert status == (1 if wordless else 0)
    assert len(err.splitlines()) == len(wordless)


def test_terminal_writes_the_trace_of_another_architecture(chat_folders, pictures, tmp_path):
    options = ["--model", str(chat_folders["gemma3"]), "--device", "cpu", "--max-new-tokens", "4"]
    trace = tmp_path / "trace.json"
    assert terminal.main(["caption", str(pictures[0]), *options, "--trace", str(trace)]) == 0
    written = json.loads(trace.read_text("utf-8"))
    assert len(written["output_ids_generated"]) == 4
    assert written["input_ids"].count(-200) == 1
    assert written["image_tokens"] == 4


def test_folder_is_captioned_in_groups(chat_folders, pictures, capsys):
    options = ["--model", str(chat_folders["smolvlm"]), "--device", "cpu", "--dtype", "float32"]
    folder = pictures[0].parent
    status = terminal.main(
        ["caption", str(folder), *options, "--max-new-tokens", "6", "--write", "txt"]
    )
    assert status == 0
    assert len(list(folder.glob("*.txt"))) == 2


def test_terminal_asks_once_about_all_pictures(chat_folders, pictures, capsys):
    options = ["--device", "cpu", "--dtype", "float32", "--format", "json", "--together"]
    options += ["--max-new-tokens", "8", "--model"]
    paths = [str(path) for path in pictures]

    def tokens(*arguments):
        status = terminal.main(["caption", *arguments])
        (record,) = map(json.loads, capsys.readouterr().out.splitlines())
        assert status == (0 if has_words(record["caption"]) else 1)
        return record["input_tokens"]

    model = str(chat_folders["qwen2_5_vl"])
    assert tokens(*paths, *options, model) > tokens(paths[0], *options, model) + 4
    status = terminal.main(["caption", *paths, *options, str(chat_folders["llava_next"])])
    assert status == 1
    assert "takes one image at a time" in capsys.readouterr().err
