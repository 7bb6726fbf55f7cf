"""The model gets ready for a question about the image that is shown, before one is asked."""

from PIL import Image

from core.engine import Absent, Ready
from tests.gui.app.test_program import drop, transcript_text, type_and_enter
from tests.gui.conftest import until


def test_image_that_is_shown_is_made_ready_and_none_that_was_passed_by(live, tmp_path, checkpoint):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (30 + number, 20), "red").save(path)

    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        (engine,) = checkpoint.engines
        drop(program, tmp_path)
        await until(lambda: len(program.pictures.paths) == 3)
        for index in (1, 2):
            await program.pictures.open_listed(index)
        await until(lambda: engine.made_ready)
        assert engine.made_ready == [program.pictures.picture]
        assert engine.made_ready[0].path == paths[2]
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))
        assert engine.requests[-1].picture.pixels is engine.made_ready[0].pixels

    live(story)


def test_image_is_made_ready_once_a_model_is_loaded_and_loads_none(live, picture_file, checkpoint):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        program.model.unload_idle()
        await until(lambda: isinstance(program.model.state, Absent))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        type_and_enter(program, "say 3 words")
        await until(lambda: "word2" in transcript_text(program))
        assert not checkpoint.engines[0].made_ready
        await until(lambda: checkpoint.engines[1].made_ready)

    live(story)
    assert len(checkpoint.engines) == 2
