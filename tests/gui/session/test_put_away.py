"""Each picture keeps its conversation: going to another one and back finds it, also tomorrow."""

import asyncio
from contextlib import closing

import pytest
from PIL import Image

from core.store import Store
from gui.session.picture_list import PictureList
from gui.session.session import Session
from tests.gui.conftest import until


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in ("blue.png", "red.png")]
    for path in paths:
        Image.new("RGB", (40, 30), path.stem).save(path)
    return paths


@pytest.fixture
def opened(run, session, pictures, files):
    run(pictures.open_paths(files))
    return session


def shown(session):
    return [(one.prompt, one.text) for one in session.transcript.exchanges]


def test_conversation_is_found_again_with_all_that_is_known_of_it(
    run, opened, pictures, inspection
):
    run(opened.ask("new every 3"))
    run(opened.regenerate())
    evidence = run(inspection.evidence(0))
    returned = []
    opened.conversation_returned.connect(returned.append)
    run(pictures.open_listed(1))
    assert not returned
    assert shown(opened) == []
    run(opened.ask("say 1 words"))
    run(pictures.open_listed(0))
    assert [transcript is opened.transcript for transcript in returned] == [True]
    assert shown(opened)[0][0] == "new every 3"
    assert opened.can_undo
    assert inspection.known_evidence(0) is evidence
    assert opened.picture is pictures.picture
    run(opened.ask("say 3 words"))
    run(pictures.open_listed(1))
    assert shown(opened) == [("say 1 words", "word0")]


def test_conversation_is_found_again_after_a_restart(
    run, opened, files, ready, loaded, settings_file, tmp_path, workspace
):
    run(opened.ask("say 2 words"))
    run(opened.close())
    with closing(Store(tmp_path / "transcripts.sqlite")) as again:
        later_pictures = PictureList(workspace)
        later = Session(ready, loaded, later_pictures, again, settings_file)
        run(later_pictures.open_paths(files))
        assert shown(later) == [("say 2 words", "word0 word1")]
        run(later.ask("say 1 words"))
        assert len(again.recent()) == 1
        run(later.close())


def test_answer_under_way_is_there_again_with_what_came_of_it(run, opened, pictures):
    async def story():
        pieces = []
        asking = asyncio.create_task(opened.ask("hold"))
        opened.piece_received.connect(pieces.append)
        await until(lambda: pieces)
        await pictures.open_listed(1)
        await pictures.open_listed(0)
        await asking
        await until(lambda: not opened.is_answering)

    run(story())
    assert shown(opened) == [("hold", "Half an")]


def test_another_image_in_the_place_of_the_file_has_no_conversation(run, opened, pictures, files):
    run(opened.ask("say 2 words"))
    run(pictures.open_listed(1))
    Image.new("RGB", (50, 20), "green").save(files[0])
    run(pictures.open_listed(0))
    assert shown(opened) == []


def test_new_conversation_is_the_one_that_is_found_again(run, opened, pictures):
    run(opened.ask("say 2 words"))
    opened.new_conversation()
    run(pictures.open_listed(1))
    run(pictures.open_listed(0))
    assert shown(opened) == []
    assert len(opened.recent_conversations()) == 1
