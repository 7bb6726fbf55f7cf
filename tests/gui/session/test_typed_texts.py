"""What is typed and not used yet, in its file."""

import json
from pathlib import Path

import pytest

from gui.session.typed_texts import TypedTexts
from gui.session.view_memory import ViewMemory


def test_what_is_typed_is_there_again_until_it_is_used(run, tmp_path):
    async def story():
        texts = TypedTexts(tmp_path)
        texts.keep("run/a", "a cat 🐧")
        texts.keep("run/b", "two")
        texts.keep("bulk/a", "three")
        await texts.close()
        texts = TypedTexts(tmp_path)
        assert (texts.text("run/a"), texts.text("bulk/a")) == ("a cat 🐧", "three")
        texts.forget("run/")
        await texts.close()
        texts = TypedTexts(tmp_path)
        assert (texts.text("run/a"), texts.text("run/b"), texts.text("bulk/a")) == ("", "", "three")
        await texts.close()

    run(story())


@pytest.mark.parametrize("content", [b'{"run/a": "a lo', b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_file_that_cannot_be_read_is_kept_aside_and_not_written_over(run, tmp_path, content):
    (tmp_path / "typed.json").write_bytes(content)

    async def story():
        texts = TypedTexts(tmp_path)
        assert texts.text("run/a") == ""
        texts.keep("run/a", "new")
        await texts.close()
        again = TypedTexts(tmp_path)
        assert again.text("run/a") == "new"
        await again.close()

    run(story())
    assert (tmp_path / "typed.bak").read_bytes() == content


def test_texts_of_two_windows_are_both_kept(run, tmp_path):
    async def story():
        ours, theirs = TypedTexts(tmp_path), TypedTexts(tmp_path)
        ours.keep("run/a", "ours")
        theirs.keep("run/b", "theirs")
        await ours.close()
        await theirs.close()
        again = TypedTexts(tmp_path)
        assert (again.text("run/a"), again.text("run/b")) == ("ours", "theirs")
        await again.close()

    run(story())


def test_half_typed_tags_of_an_earlier_version_are_taken_over(run, tmp_path):
    early = {"open": ["/a"], "zooms": {}, "folders": {}, "tags": {"/a/1.png": "half a"}}
    (tmp_path / "views.json").write_text(json.dumps(early))

    async def story():
        views, texts = ViewMemory(tmp_path), TypedTexts(tmp_path)
        assert views.open == (Path("/a"),)
        assert texts.text("tag//a/1.png") == "half a"
        await texts.close()
        await views.close()
        again = TypedTexts(tmp_path)
        assert again.text("tag//a/1.png") == "half a"
        again.keep("tag//a/1.png", "")
        await again.close()
        used = TypedTexts(tmp_path)
        assert used.text("tag//a/1.png") == ""
        await used.close()

    run(story())
