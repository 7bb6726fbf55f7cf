"""What core says of a failure is translated where the window shows it."""

import json
import time

from PIL import Image
from PySide6.QtWidgets import QAbstractItemView, QLabel

from core import settings as settings_module
from core.batch import BatchOptions
from core.captions.formats import CaptionFormat
from core.locations import writable_locations
from core.settings import Settings
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from gui.session.settings_file import SettingsFile
from tests.gui.conftest import until
from tests.support.living_program import live_through


def shown(window) -> list[str]:
    """The texts of the labels, without the places at which they may break."""
    return [label.text().replace("\u200b", "") for label in window.findChildren(QLabel)]


def cells(panel) -> set[str]:
    """What the cells of its lists hold."""
    models = (view.model() for view in panel.findChildren(QAbstractItemView))
    return {
        model.index(row, column).data()
        for model in models
        for row in range(model.rowCount())
        for column in range(model.columnCount())
    }


def test_broken_image_is_named_in_the_window_s_language(bracketed, live, tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_text("Dear Sir,")
    sentence = "⟦“letter.jpg” is a text file, not an image. Open the image itself.⟧"

    async def story(program):
        await program.pictures.open_paths([path])
        await until(lambda: any(sentence in text for text in shown(program.window)))

    live(story)


def test_note_of_a_damaged_image_is_translated(bracketed, live, tmp_path):
    path = tmp_path / "cut.png"
    Image.effect_noise((90, 90), 50).save(path)
    path.write_bytes(path.read_bytes()[:4000])

    async def story(program):
        await program.pictures.open_paths([path])
        await until(lambda: any("⟦The file is damaged" in text for text in shown(program.window)))

    live(story)


def test_missing_model_folder_is_named_in_the_window_s_language(
    bracketed, run, loop, qapp, home, tmp_path
):
    settings_module.save(Settings(model=str(tmp_path / "gone")), home)
    program = Program(qapp, loop, writable_locations(), time.perf_counter(), ModelThread())
    sentence = f"⟦There is no model “{tmp_path / 'gone'}”. Choose the folder that holds it.⟧"

    async def story():
        await until(lambda: any(sentence in text for text in shown(program.window)))

    live_through(program, story, run)


def test_settings_that_cannot_be_written_say_so_in_the_window_s_language(bracketed, run, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    said: list[str] = []
    settings_file = SettingsFile(Settings(), file / "settings")
    settings_file.noticed.connect(said.append)
    run(settings_file.save())
    assert said
    assert said[0].startswith("⟦The settings cannot be saved in “")
    assert said[0].endswith("⟧")


def test_reason_of_a_failed_row_is_translated_and_kept_in_english(bracketed, live, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "page.png").write_text("<html></html>")
    Image.new("RGB", (9, 9), "red").save(folder / "red.png")

    async def story(program):
        run = program.folder_run
        await run.choose([folder, folder / "page.png"])
        await run.start(BatchOptions(("say 1 words",), writes=(CaptionFormat.TXT,)))
        sentence = "⟦“page.png” is a web page, not an image. Open the image itself.⟧"
        await until(lambda: sentence in cells(program.window.batch_panel))
        (journal,) = writable_locations().runs.glob("*.jsonl")
        lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
        reasons = [line["reason"] for line in lines if line["kind"] == "failed"]
        assert reasons == ["“page.png” is a web page, not an image. Open the image itself."]

    live(story)
