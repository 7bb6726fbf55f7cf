import asyncio
import io
import sqlite3
from contextlib import closing
from itertools import groupby

import pytest
from PIL import Image

from core.engine import Failed, Ready
from core.errors import AppError, EngineError, PictureError
from core.settings import load
from core.store import Store
from core.transcript import Ending, ModelChoice
from gui.session.session import Session
from tests.gui.conftest import until


class SignalLog:
    """The signals of a session and its picture list, in order, as (name, its arguments)."""

    NAMES = (
        "conversation_cleared",
        "conversation_cut",
        "conversation_reopened",
        "answer_begun",
        "piece_received",
        "answer_finished",
        "answer_failed",
        "ask_refused",
        "mending_begun",
        "noticed",
    )

    def __init__(self, session, pictures, model):
        self.events = []
        for name in self.NAMES:
            getattr(session, name).connect(self._listener(name))
        pictures.opened.connect(self._listener("picture_opened"))
        pictures.failed.connect(self._listener("picture_failed"))
        pictures.list_changed.connect(self._listener("list_changed"))
        model.state_changed.connect(self._listener("model_changed"))

    def _listener(self, name):
        return lambda *arguments: self.events.append((name, *arguments))

    def __call__(self, name):
        """The arguments of each `name` so far; the argument itself where there is one."""
        found = [arguments for emitted, *arguments in self.events if emitted == name]
        return [arguments[0] if len(arguments) == 1 else tuple(arguments) for arguments in found]

    @property
    def order(self):
        return [name for name, *_ in self.events]


@pytest.fixture
def emitted(session, pictures, ready):
    return SignalLog(session, pictures, ready)


@pytest.fixture
def files(tmp_path):
    """Pictures 1.png, 2.png and 10.png, 10 to 12 pixels wide, in a folder of their own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for width, name in ((10, "1.png"), (11, "2.png"), (12, "10.png")):
        Image.new("RGB", (width, 10), "blue").save(folder / name)
    return folder


@pytest.fixture
def opened(run, session, files, emitted, pictures):
    """A session with a picture open."""
    run(pictures.open_paths([files / "1.png"]))
    emitted.events.clear()
    return session


def texts(transcript):
    return [(e.prompt, e.answer.text if e.answer else None) for e in transcript.exchanges]


def test_picture_opens_and_begins_a_conversation(run, session, emitted, files, pictures):
    run(pictures.open_paths([files / "1.png"]))
    assert emitted("picture_opened")[0].pixels.size == (10, 10)
    assert emitted.order == ["list_changed", "conversation_cleared", "picture_opened"]
    assert session.picture is emitted("picture_opened")[0]


def test_folder_comes_to_hand_in_order_and_one_walks_through_it(
    run, session, emitted, files, pictures
):
    run(pictures.open_paths([files]))
    run(pictures.open_listed(1))
    run(pictures.open_listed(2))
    run(pictures.open_listed(3))
    run(pictures.open_listed(1))
    assert list(pictures.paths) == [files / "1.png", files / "2.png", files / "10.png"]
    places = [index for listed, index in emitted("list_changed") if listed and index >= 0]
    assert [index for index, _ in groupby(places)] == [0, 1, 2, 1]
    assert [picture.pixels.width for picture in emitted("picture_opened")] == [10, 11, 12, 11]


def test_pasted_image_opens_and_is_alone(run, session, emitted, files, pictures):
    run(pictures.open_paths([files]))
    data = io.BytesIO()
    Image.new("RGB", (7, 5), "green").save(data, "PNG")
    run(pictures.open_image_data(data.getvalue(), "from the browser"))
    assert emitted("picture_opened")[-1].name == "from the browser"
    assert emitted("list_changed")[-1] == ([], -1)


def test_broken_file_says_so_and_the_picture_before_stays(run, opened, emitted, tmp_path, pictures):
    before = opened.picture
    broken = tmp_path / "broken.jpg"
    broken.write_text("not a picture")
    run(pictures.open_paths([broken]))
    [(error, name)] = emitted("picture_failed")
    assert isinstance(error, PictureError)
    assert name == "broken.jpg"
    assert opened.picture is before


def test_folder_without_pictures_says_so(run, session, emitted, tmp_path, pictures):
    empty = tmp_path / "empty"
    empty.mkdir()
    run(pictures.open_paths([empty]))
    [(error, _name)] = emitted("picture_failed")
    assert "no images in “empty”" in str(error)


def test_newer_picture_supersedes_one_that_is_still_opening(run, session, emitted, files, pictures):
    async def story():
        await asyncio.gather(
            pictures.open_paths([files / "1.png"]), pictures.open_paths([files / "2.png"])
        )

    run(story())
    assert [picture.pixels.width for picture in emitted("picture_opened")] == [11]


def test_answer_streams_and_joins_the_transcript(run, opened, emitted, store):
    run(opened.ask("say 3 words"))
    assert emitted("answer_begun") == ["say 3 words"]
    assert "".join(emitted("piece_received")).strip() == "word0 word1 word2"
    assert emitted("answer_finished")[0].ending is Ending.COMPLETE
    assert texts(opened.transcript) == [("say 3 words", "word0 word1 word2")]
    assert opened.transcript.exchanges[0].model == "built-in"


def test_follow_up_is_asked_with_what_was_said_before(run, opened, checkpoint):
    run(opened.ask("say 1 words"))
    run(opened.ask("say 2 words"))
    turns = checkpoint.engines[0].requests[1].turns
    assert [(turn.prompt, turn.answer) for turn in turns] == [
        ("say 1 words", "word0"),
        ("say 2 words", None),
    ]


def test_question_without_a_picture_says_what_to_do(run, session, emitted):
    run(session.ask("What is it?"))
    assert emitted.order == ["ask_refused", "noticed"]
    assert emitted("ask_refused") == ["What is it?"]
    assert "Open an image" in emitted("noticed")[0]


def test_question_asked_while_a_picture_opens_is_about_that_picture(
    run, opened, files, checkpoint, pictures
):
    async def story():
        await asyncio.gather(pictures.open_paths([files / "2.png"]), opened.ask("say 1 words"))

    run(story())
    assert checkpoint.engines[0].requests[0].picture.pixels.width == 11


def test_question_during_an_answer_is_refused_and_the_answer_goes_on(run, opened, emitted):
    async def story():
        answering = asyncio.create_task(opened.ask("hold"))
        await until(lambda: emitted("piece_received"))
        await opened.ask("another")
        assert opened.is_answering
        opened.stop()
        await answering

    run(story())
    assert emitted("ask_refused") == ["another"]
    assert texts(opened.transcript) == [("hold", "Half an")]


def test_question_asked_while_the_model_loads_waits_for_it(
    run, opened, emitted, checkpoint, loaded
):
    async def story():
        loading = asyncio.create_task(loaded.load(ModelChoice("slow")))
        asking = asyncio.create_task(opened.ask("say 1 words"))
        await until(lambda: emitted("answer_begun"))
        checkpoint.release.set()
        await asyncio.gather(loading, asking)

    run(story())
    assert texts(opened.transcript) == [("say 1 words", "word0")]


def test_stopped_answer_is_kept(run, opened, emitted, store):
    async def story():
        asking = asyncio.create_task(opened.ask("hold"))
        await until(lambda: emitted("piece_received"))
        opened.stop()
        await asking

    run(story())
    assert emitted("answer_finished")[0].ending is Ending.STOPPED
    assert kept(store) == [[("hold", "Half an")]]


def test_answer_bears_the_name_of_the_model_that_gave_it(run, opened, emitted, loaded):
    async def story():
        asking = asyncio.create_task(opened.ask("hold"))
        await until(lambda: emitted("piece_received"))
        loading = asyncio.create_task(loaded.load(ModelChoice("other")))
        await until(lambda: emitted("model_changed"))
        opened.stop()
        await asyncio.gather(asking, loading)
        await opened.ask("say 1 words")

    run(story())
    assert [e.model for e in opened.transcript.exchanges] == ["built-in", "other"]


def test_answer_stopped_before_its_first_word_is_not_part_of_the_next_question(
    run, opened, checkpoint, loaded
):
    async def story():
        loading = asyncio.create_task(loaded.load(ModelChoice("slow")))
        asking = asyncio.create_task(opened.ask("say 1 words"))
        await until(lambda: opened.is_answering)
        opened.stop()
        await asking
        checkpoint.release.set()
        await loading
        await opened.ask("say 2 words")

    run(story())
    assert [turn.prompt for turn in checkpoint.engines[-1].requests[0].turns] == ["say 2 words"]
    assert texts(opened.transcript) == [("say 1 words", ""), ("say 2 words", "word0 word1")]


def test_failed_answer_says_why_keeps_what_was_said_and_the_next_one_comes(
    run, opened, emitted, store
):
    run(opened.ask("fail"))
    run(opened.ask("say 1 words"))
    assert isinstance(emitted("answer_failed")[0], EngineError)
    assert kept(store) == [[("fail", "Half an"), ("say 1 words", "word0")]]


def test_unforeseen_failure_puts_the_window_right_and_reaches_the_last_hook(run, opened, emitted):
    with pytest.raises(ZeroDivisionError):
        run(opened.ask("crash"))
    assert isinstance(emitted("answer_failed")[0], AppError)
    assert not opened.is_answering


def test_new_picture_ends_the_answer_keeps_its_half_and_begins_anew(
    run, opened, emitted, files, store, pictures
):
    async def story():
        asking = asyncio.create_task(opened.ask("hold"))
        await until(lambda: emitted("piece_received"))
        emitted.events.clear()
        await pictures.open_paths([files / "2.png"])
        await opened.ask("say 1 words")
        await asking

    run(story())
    assert emitted.order[:4] == [
        "list_changed",
        "conversation_cleared",
        "picture_opened",
        "answer_begun",
    ]
    assert len(emitted("answer_finished")) == 1
    assert texts(opened.transcript) == [("say 1 words", "word0")]
    assert [("hold", "Half an")] in kept(store)


def test_edited_question_is_asked_in_its_place(run, opened):
    run(opened.ask("say 1 words"))
    run(opened.ask("say 2 words"))
    run(opened.ask("say 3 words"))
    run(opened.ask_again(1, "say 4 words"))
    assert texts(opened.transcript) == [
        ("say 1 words", "word0"),
        ("say 4 words", "word0 word1 word2 word3"),
    ]


def test_new_conversation_keeps_the_picture(run, opened, emitted):
    picture = opened.picture
    run(opened.ask("say 1 words"))
    opened.new_conversation()
    assert emitted.order[-1] == "conversation_cleared"
    assert opened.transcript.exchanges == ()
    assert opened.picture is picture


def test_earlier_conversation_goes_on_where_it_ended(
    run, opened, emitted, files, store, checkpoint, pictures
):
    run(opened.ask("say 1 words"))
    run(pictures.open_paths([files / "2.png"]))
    [earlier] = opened.recent_conversations()
    run(opened.reopen(earlier.id))
    assert texts(emitted("conversation_reopened")[0]) == [("say 1 words", "word0")]
    assert opened.picture.pixels.width == 10
    run(opened.ask("say 2 words"))
    assert [turn.prompt for turn in checkpoint.engines[0].requests[-1].turns] == [
        "say 1 words",
        "say 2 words",
    ]
    assert len(kept(store)) == 1


def test_earlier_conversation_whose_picture_is_gone_shows_its_small_copy(run, opened, files):
    run(opened.ask("say 1 words"))
    (files / "1.png").unlink()
    [earlier] = opened.recent_conversations()
    run(opened.reopen(earlier.id))
    assert "small copy" in opened.picture.notes[-1]
    assert opened.picture.name == "1.png"


def test_transcript_is_written_as_text(run, opened, emitted, tmp_path):
    run(opened.ask("say 1 words"))
    run(opened.write_transcript(tmp_path / "said.txt"))
    text = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert text == "1.png\n\nsay 1 words\n\nword0\n"
    run(opened.write_transcript(tmp_path / "nowhere" / "said.txt"))
    assert "cannot be written" in emitted("noticed")[0]


def test_prompts_are_remembered_and_survive_a_crash(run, opened, tmp_path):
    run(opened.ask("say 1 words"))
    run(opened.ask("say 2 words"))
    assert load(tmp_path).prompt_history == ["say 1 words", "say 2 words"]


def test_model_that_cannot_be_loaded_is_a_state_and_not_chosen_the_next_time(
    run, session, emitted, tmp_path, loaded
):
    run(loaded.load(ModelChoice("other")))
    assert isinstance(emitted("model_changed")[-1], Ready)
    run(loaded.load(ModelChoice("broken")))
    assert isinstance(emitted("model_changed")[-1], Failed)
    assert load(tmp_path).model == "other"


def test_closing_during_an_answer_keeps_its_half(
    run, ready, loaded, pictures, tmp_path, settings_file, files
):
    session = Session(ready, loaded, pictures, Store(tmp_path / "other.sqlite"), settings_file)
    emitted = SignalLog(session, pictures, ready)

    async def story():
        await pictures.open_paths([files / "1.png"])
        asking = asyncio.create_task(session.ask("hold"))
        await until(lambda: emitted("piece_received"))
        await session.close()
        await asking

    run(story())
    store = Store(tmp_path / "other.sqlite")
    assert kept(store) == [[("hold", "Half an")]]
    store.close()


def kept(store):
    """Every kept conversation as (prompt, answer) pairs, newest first."""
    return [texts(store.open(row.id)) for row in store.recent(10)]


@pytest.fixture
def locked(tmp_path):
    """A file of conversations that cannot be opened yet, as a large one that is being checked."""
    path = tmp_path / "locked.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        yield path, other


def test_what_is_asked_while_earlier_conversations_are_checked_is_kept_then(
    run, ready, loaded, pictures, settings_file, files, locked
):
    path, other = locked
    store = Store(path, waits=False)
    session = Session(ready, loaded, pictures, store, settings_file)
    emitted = SignalLog(session, pictures, ready)

    async def story():
        opening = asyncio.create_task(session.opened_notes())
        await pictures.open_paths([files / "1.png"])
        await session.ask("say 1 words")
        assert session.recent_conversations() == []
        assert "still being checked" in emitted("noticed")[-1]
        await session.ask("say 2 words")
        assert not opening.done()
        other.execute("ROLLBACK")
        assert await opening == ()
        assert kept(store) == [[("say 1 words", "word0"), ("say 2 words", "word0 word1")]]
        await session.close()

    run(story())


def test_closing_while_earlier_conversations_are_checked_keeps_what_was_asked(
    run, ready, loaded, pictures, settings_file, files, locked
):
    path, other = locked
    session = Session(ready, loaded, pictures, Store(path, waits=False), settings_file)

    async def story():
        await pictures.open_paths([files / "1.png"])
        await session.ask("say 1 words")
        closing_it = asyncio.create_task(session.close())
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        await closing_it

    run(story())
    with closing(Store(path)) as store:
        assert kept(store) == [[("say 1 words", "word0")]]


def test_file_that_is_damaged_while_it_is_used_is_mended_and_that_is_said(
    run, opened, emitted, store, tmp_path
):
    run(opened.ask("say 1 words"))
    path = tmp_path / "transcripts.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE exchange")
    run(opened.ask("say 2 words"))
    (said,) = emitted("noticed")
    assert "damaged" in said
    assert kept(store)[0] == [("say 1 words", "word0"), ("say 2 words", "word0 word1")]


def test_file_found_damaged_is_mended_beside_the_window(
    run, ready, loaded, pictures, settings_file, files, tmp_path
):
    path = tmp_path / "beside.sqlite"
    store = Store(path, waits=False)
    session = Session(ready, loaded, pictures, store, settings_file)
    emitted = SignalLog(session, pictures, ready)

    def damage():
        with closing(sqlite3.connect(path)) as other:
            other.execute("DROP TABLE exchange")

    async def story():
        await session.opened_notes()
        await pictures.open_paths([files / "1.png"])
        await session.ask("say 1 words")
        damage()
        await session.ask("say 2 words")
        assert emitted("mending_begun") == [()]
        assert emitted("answer_failed") == emitted("noticed") == []
        await session.ask("say 3 words")
        [note] = await session.opened_notes()
        assert "damaged" in note
        [row] = session.recent_conversations()
        assert len(store.open(row.id).exchanges) == 3

        damage()
        await session.reopen(row.id)
        [note] = await session.opened_notes()
        assert "damaged" in note
        assert emitted("conversation_reopened")

        damage()
        assert session.recent_conversations() == []
        assert "being repaired" in emitted("noticed")[-1]
        assert await session.opened_notes()
        assert len(session.recent_conversations()) == 1

        # A disk that goes on damaging the file is not copied for ever.
        damage()
        assert session.recent_conversations() == []
        assert "cannot be read" in emitted("noticed")[-1]
        await session.close()

    run(story())


def test_conversation_whose_small_copy_cannot_be_read_is_still_reopened(
    run, opened, files, store, tmp_path
):
    run(opened.ask("say 1 words"))
    (files / "1.png").unlink()
    with closing(sqlite3.connect(tmp_path / "transcripts.sqlite")) as other, other:
        other.execute("UPDATE conversation SET thumbnail = x'00'")
    [earlier] = opened.recent_conversations()
    run(opened.reopen(earlier.id))
    assert texts(opened.transcript) == [("say 1 words", "word0")]
    assert "is damaged" in opened.picture.notes[-1]
