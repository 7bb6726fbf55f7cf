"""What is typed and not used yet, in its file."""

import pytest

from gui.session.typed_texts import TypedTexts


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
