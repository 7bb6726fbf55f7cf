"""An image that was moved and rewritten at once: its conversation and review are offered."""

import pytest
from PIL import Image, ImageDraw

from core.workspace import ReviewState
from gui.widgets.notice import NoticeActionKind
from tests.gui.conftest import until


def draw(path, *, flipped=False, size=(320, 240), **options):
    """A picture of something, saved in the format that its name says."""
    image = Image.new("RGB", (320, 240), "white")
    pen = ImageDraw.Draw(image)
    for number in range(9):
        left, top = number % 3 * 100, number // 3 * 80
        pen.rectangle((left, top, left + 99, top + 79), (number * 77 % 250, number * 31 % 250, 90))
    if flipped:
        image = image.transpose(Image.Transpose.ROTATE_180)
    image.resize(size).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    draw(folder / "first.png", flipped=True)
    draw(folder / "old.png")
    return folder


async def shown(program, path):
    """An image of the folder that is open, or that is opened."""
    workspace, pictures = program.workspace, program.pictures
    if workspace.roots != [path.parent]:
        program.window.paths_opened.emit([path.parent])
    await until(lambda: workspace.roots == [path.parent] and workspace.reading.is_done)
    await until(lambda: pictures.path is not None and not pictures.is_opening)
    await pictures.open_path(path)
    await until(lambda: pictures.path == path and program.window.state.workspace.is_known)


def asked(program):
    return [one.prompt for one in program.session.transcript.exchanges]


async def ask_and_review(program, path):
    await shown(program, path)
    await until(lambda: program.window.state.model.facts)
    await program.session.ask("say 1 words")
    workspace = program.workspace
    row = await workspace.row_of(path)
    workspace.review([row.id], ReviewState.NEEDS_WORK)
    await until(lambda: workspace.counts.reviews.get(ReviewState.NEEDS_WORK) == 1)


def offers(program):
    notices = program.window.state.notices
    return [one for one in notices if one.action and one.action.kind is NoticeActionKind.TAKE_OVER]


@pytest.mark.parametrize("restarts", [True, False])
def test_conversation_and_review_are_taken_over(live, folder, restarts):
    old, new = folder / "old.png", folder / "new.jpg"

    async def before(program):
        await ask_and_review(program, old)

    def move():
        draw(new, size=(160, 120), quality=70)
        old.unlink()

    async def after(program):
        await shown(program, new)
        await until(lambda: offers(program))
        (offer,) = offers(program)
        assert offer.text == (
            "This looks like “old.png”, which is gone. Take over its conversation?"
        )
        assert asked(program) == []
        program.window.notice_action_chosen.emit(offer.action)
        await until(lambda: asked(program) == ["say 1 words"])
        workspace = program.workspace
        await until(lambda: workspace.counts.reviews.get(ReviewState.NEEDS_WORK) == 1)
        await until(lambda: program.window.state.workspace.review is ReviewState.NEEDS_WORK)

    async def both(program):
        await before(program)
        move()
        await after(program)

    async def later(program):
        await shown(program, new)
        assert asked(program) == ["say 1 words"]
        assert not offers(program)

    if restarts:
        live(before)
        move()
        live(after)
    else:
        live(both)
    live(later)


@pytest.mark.parametrize("why", ["another image", "still there", "own conversation"])
def test_nothing_is_offered(live, folder, why):
    old, new = folder / "old.png", folder / "new.jpg"

    async def story(program):
        draw(new, flipped=why == "another image")
        if why == "own conversation":
            await shown(program, new)
            await until(lambda: program.window.state.model.facts)
            await program.session.ask("say 2 words")
        await ask_and_review(program, old)
        if why != "still there":
            old.unlink()
        await shown(program, new)
        if why == "own conversation":
            program.session.new_conversation()
        # One that is like it is found after it.
        draw(folder / "like.jpg", quality=70)
        if why == "still there":
            old.unlink()
        assert not offers(program)
        await shown(program, folder / "like.jpg")
        await until(lambda: offers(program))
        (offer,) = offers(program)
        assert offer.action.about.path == folder / "like.jpg"

    live(story)


def test_image_that_is_there_again_keeps_its_conversation(live, folder):
    old, new = folder / "old.png", folder / "new.jpg"

    async def story(program):
        await ask_and_review(program, old)
        draw(new, quality=70)
        old.rename(folder / "away")
        await shown(program, new)
        await until(lambda: offers(program))
        (offer,) = offers(program)
        (folder / "away").rename(old)
        program.window.notice_action_chosen.emit(offer.action)
        await until(lambda: any("there again" in one.text for one in program.window.state.notices))
        assert asked(program) == []
        await shown(program, old)
        assert asked(program) == ["say 1 words"]

    live(story)
