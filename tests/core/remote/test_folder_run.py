"""A folder run over servers: the same files and journal as a local run, whatever servers do."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.captions.formats import CaptionFormat
from core.errors import ServerError
from tests.support.model_server import Fault, ModelServer, colour_name, scored

PROMPT = "What is it?"
COUNT = 24


@pytest.fixture
def folder(tmp_path) -> Path:
    """Images that differ, so that each has a caption of its own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(COUNT):
        colour = (16 * (number % 16), 16 * (number // 16), 128)
        Image.new("RGB", (64, 48), colour).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture
def batch(folder, tmp_path):
    options = BatchOptions((PROMPT,), writes=(CaptionFormat.TXT,))
    batch = Batch.begin([folder], options, tmp_path / "journals")
    yield batch
    batch.close()


def require_right_captions(folder: Path, *, without: frozenset[str] = frozenset()) -> None:
    for path in folder.glob("*.png"):
        caption = path.with_suffix(".txt")
        if path.name in without:
            assert not caption.exists()
        else:
            with Image.open(path) as image:
                assert caption.read_text().strip() == f"{colour_name(image)} for {PROMPT}"


def asked_twice(*servers: ModelServer) -> int:
    asked = sum(len(server.captions()) for server in servers)
    return asked - COUNT


def test_run_over_servers_writes_the_caption_of_each_image(batch, folder, use):
    with ModelServer().running() as first, ModelServer().running() as second:
        engine = use(first, second, sends_png=True)
        tally = batch.run(engine, Control(), slots=8)
        assert (tally.captioned, tally.failed, tally.waiting) == (COUNT, 0, 0)
        require_right_captions(folder)
        assert asked_twice(first, second) == 0


def test_image_that_the_server_refuses_fails_alone(batch, folder, use, server):
    engine = use(server, sends_png=True)
    server.faults = [Fault(400, "This image is broken")]
    tally = batch.run(engine, Control(), slots=1)
    assert (tally.captioned, tally.failed) == (COUNT - 1, 1)
    (failed,) = [item for item in batch.items if item.state is ItemState.FAILED]
    assert "This image is broken" in failed.reason
    require_right_captions(folder, without=frozenset({failed.path.name}))


@pytest.mark.parametrize("slots", [1, 8])
def test_run_ends_when_the_key_is_no_longer_taken_and_is_continued(
    batch, folder, use, server, slots
):
    engine = use(server, sends_png=True)
    server.faults = [Fault()] * 10 + [Fault(401)] * 200
    with pytest.raises(ServerError, match="requires a key"):
        batch.run(engine, Control(), slots=slots)
    tally = batch.tally
    assert tally.failed == 0
    assert 0 < tally.captioned <= 10
    assert tally.captioned + tally.waiting == COUNT
    server.faults = []
    assert batch.run(use(server, sends_png=True), Control(), slots=slots).captioned == COUNT
    require_right_captions(folder)


def test_server_that_is_killed_and_started_again_in_a_run_loses_nothing(batch, folder, use):
    with ModelServer().running() as killed:
        killed.faults = 10 * [Fault()] + COUNT * [Fault(stream="hang")]
        engine = use(killed, sends_png=True)
        again: list[ModelServer] = []
        running = []

        def on_item(number, item) -> None:
            if item.state is ItemState.DONE and batch.tally.captioned == 10 and not again:
                port = killed.server_port
                killed.die()
                again.append(ModelServer(port=port))
                running.append(again[0].running())
                running[0].__enter__()

        tally = batch.run(engine, Control(), on_item, slots=8)
        running[0].__exit__(None, None, None)
    assert (tally.captioned, tally.failed, tally.waiting) == (COUNT, 0, 0)
    require_right_captions(folder)
    assert len(again[0].captions()) == COUNT - 10


def unsure_of(unsure: str):
    """What a server says whose model is sure of all its tokens but one."""

    def scores(piece: str):
        sure = 0.02 if piece.strip() == unsure else 0.97
        return [scored(piece, sure)] if piece else []

    return scores


def test_most_doubtful_word_is_known_from_what_the_server_says(folder, tmp_path, use):
    """Of the caption as it is written, for several answers, in the table, and after a restart."""
    options = BatchOptions(
        (PROMPT, "Name its tint"),
        writes=(CaptionFormat.TXT, CaptionFormat.JSONL),
        prefix="A drawing:",
    )
    batch = Batch.begin([folder], options, tmp_path / "journals")
    with ModelServer().running() as server:
        server.scores = unsure_of("tint")
        tally = batch.run(use(server, sends_png=True), Control(), slots=4)
    assert tally.captioned == COUNT
    found = batch.doubts
    assert sorted(doubt.number for doubt in found) == list(range(COUNT))
    assert {(doubt.word, doubt.step > 0) for doubt in found} == {("tint", True)}
    assert all(doubt.caption == batch.items[doubt.number].caption for doubt in found)
    [table] = batch.exports.values()
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert sorted(row.get("doubtful_word", "") for row in rows) == COUNT * [""] + COUNT * ["tint"]
    batch.close()
    with closing(Batch.resume(batch.journal_path)) as again:
        assert again.doubts == found


def test_run_over_a_server_that_says_nothing_of_doubt_finds_none(batch, use):
    with ModelServer().running() as server:
        assert batch.run(use(server, sends_png=True), Control(), slots=4).captioned == COUNT
    assert batch.doubts == []
