"""Captions handed over to other programs and taken from them, in the whole program."""

import csv
from threading import Event

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.workspace import ReviewState
from core.workspace.export import ExportFormat
from gui.widgets.line_break import unbroken
from gui.window.commands import Command
from gui.workspace.export_dialog import ExportDialog
from gui.workspace.import_dialog import ImportDialog
from tests.gui.app.test_captions import folder, opened, text  # noqa: F401 (fixture)
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton


async def dialog_of(window, command, kind):
    window.commands[command].trigger()
    await until(lambda: window.findChild(kind) is not None)
    return window.findChild(kind)


def choose(dialog, kind, output):
    box = dialog.form.format_box
    box.setCurrentIndex(box.findData(kind))
    dialog.form.output_edit.selectAll()
    QTest.keyClicks(dialog.form.output_edit, str(output))


def captions_in(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["file_name"]: row["caption"] for row in csv.DictReader(file)}


def test_selection_is_exported_with_what_was_just_typed(live, folder, tmp_path):  # noqa: F811
    async def story(program):
        window, images, editor = await opened(program, folder)
        QTest.keyClicks(editor, " to see")
        images.select_ids({images.rows.id_at(images.rows.index(row, 0)) for row in (0, 1, 3)})
        await until(lambda: window.state.workspace.selected == 3)
        dialog = await dialog_of(window, Command.EXPORT_CAPTIONS, ExportDialog)
        output = tmp_path / "out.csv"
        choose(dialog, ExportFormat.CSV, output)
        assert str(output) in unbroken(dialog.summary_label.text())
        QTest.keyClick(dialog, KEY.Key_Return)
        await until(dialog.reveal_button.isVisible)
        assert captions_in(output) == {"0.png": "a cat to see", "1.png": "a dog"}
        assert "2 captions" in unbroken(dialog.outcome_label.text())
        assert "1 image without" in unbroken(dialog.outcome_label.text())
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: window.findChild(ExportDialog) is None)

    live(story)


def test_file_of_another_program_is_replaced_only_on_request(live, folder, tmp_path):  # noqa: F811
    output = tmp_path / "out.csv"
    output.write_text("mine")

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        dialog = await dialog_of(window, Command.EXPORT_CAPTIONS, ExportDialog)
        choose(dialog, ExportFormat.CSV, output)
        QTest.mouseClick(dialog.export_button, LEFT)
        await until(dialog.replace_button.isVisible)
        assert "out.csv" in unbroken(dialog.outcome_label.text())
        assert output.read_text() == "mine"
        QTest.mouseClick(dialog.replace_button, LEFT)
        await until(dialog.reveal_button.isVisible)
        assert captions_in(output)["4.png"] == "a bird"
        # An export may write over its own file without a question.
        QTest.mouseClick(dialog.export_button, LEFT)
        await until(dialog.reveal_button.isVisible)
        assert not dialog.replace_button.isVisible()

    live(story)


@pytest.mark.parametrize("replaces", [False, True])
def test_captions_of_a_file_are_shown_then_imported_then_undone(
    live, folder, tmp_path, replaces  # noqa: F811
):  # fmt: skip
    source = tmp_path / "given.csv"
    source.write_text("file_name,caption\n3.png,new\n0.png,other\n1.png,a dog\nx.png,none\n")

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        dialog = await dialog_of(window, Command.IMPORT_CAPTIONS, ImportDialog)
        dialog.source_edit.setFocus()
        QTest.keyClicks(dialog.source_edit, str(source))
        QTest.keyClick(dialog.source_edit, KEY.Key_Return)
        await until(dialog.table.isVisible)
        for what in ("1 image without", "1 image has another", "1 caption is the same", "x.png"):
            assert what in unbroken(dialog.what_label.text())
        assert not (folder / "3.txt").exists()
        if replaces:
            QTest.keyClick(dialog.replace_box, KEY.Key_Space)
        QTest.keyClick(dialog.import_button, KEY.Key_Return)
        await until(lambda: (folder / "3.txt").exists())
        await until(lambda: "Import captions" in window.state.workspace.undo)
        assert text(folder, 3) == "new\n"
        assert text(folder, 0) == ("other\n" if replaces else "a cat\n")
        window.commands[Command.UNDO].trigger()
        await until(lambda: not (folder / "3.txt").exists())
        assert text(folder, 0) == "a cat\n"

    live(story)


def test_what_is_no_captions_file_is_refused_in_words(live, folder, tmp_path):  # noqa: F811
    source = tmp_path / "given.pdf"
    source.write_text("%PDF")

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        dialog = await dialog_of(window, Command.IMPORT_CAPTIONS, ImportDialog)
        dialog.look_into(source)
        await until(lambda: "given.pdf" in unbroken(dialog.what_label.text()))
        assert not dialog.import_button.isEnabled()

    live(story)


def test_reviews_are_exported_and_imported_with_captions_as_one_edit(
    live, folder, tmp_path  # noqa: F811
):  # fmt: skip
    async def story(program):
        window, images, _editor = await opened(program, folder)

        def review(row):
            return images.rows.image(images.rows.index(row, 0)).review

        async def give(command, row, expected):
            window.activateWindow()
            images.setFocus()
            images.setCurrentIndex(images.rows.index(row, 0))
            await until(lambda: window.commands[command].isEnabled())
            window.commands[command].trigger()
            await until(lambda: review(row) == expected)

        await give(Command.ACCEPT, 0, ReviewState.ACCEPTED)
        await give(Command.REJECT, 3, ReviewState.REJECTED)  # It has no caption.
        dialog = await dialog_of(window, Command.EXPORT_CAPTIONS, ExportDialog)
        choose(dialog, ExportFormat.TEXT, tmp_path / "out")
        QTest.keyClick(dialog.form.reviews_box, KEY.Key_Space)
        assert "reviews.csv" in unbroken(dialog.summary_label.text())
        QTest.keyClick(dialog, KEY.Key_Return)
        await until(dialog.reveal_button.isVisible)
        assert "2 reviews" in unbroken(dialog.outcome_label.text())
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: window.findChild(ExportDialog) is None)

        await give(Command.NEEDS_WORK, 0, ReviewState.NEEDS_WORK)
        window.commands[Command.UNDO].trigger()
        await until(lambda: review(0) is ReviewState.ACCEPTED)
        window.commands[Command.UNDO].trigger()
        await until(lambda: review(3) is ReviewState.UNREVIEWED)
        (folder / "0.txt").unlink()
        await until(lambda: not images.rows.image(images.rows.index(0, 0)).has_caption)
        await give(Command.NEEDS_WORK, 0, ReviewState.NEEDS_WORK)
        dialog = await dialog_of(window, Command.IMPORT_CAPTIONS, ImportDialog)
        dialog.look_into(tmp_path / "out")
        await until(dialog.table.isVisible)
        said = unbroken(dialog.what_label.text())
        assert "1 image without a review gets one. 1 image has another review." in said
        assert "1 image without a caption" in said
        assert "1 caption and 1 review" in dialog.import_button.text()
        QTest.keyClick(dialog.replace_box, KEY.Key_Space)
        assert "1 caption and 2 reviews" in dialog.import_button.text()
        QTest.keyClick(dialog.import_button, KEY.Key_Return)
        await until(lambda: (folder / "0.txt").exists())
        await until(lambda: (review(0), review(3)) == ("accepted", "rejected"))
        await until(lambda: "Import captions" in window.state.workspace.undo)
        window.commands[Command.UNDO].trigger()
        await until(lambda: (review(0), review(3)) == ("needs-work", "unreviewed"))
        assert not (folder / "0.txt").exists()

    live(story)


def test_reading_a_file_is_cancelled_and_then_the_dialog(live, folder, tmp_path):  # noqa: F811
    source = tmp_path / "given.csv"
    source.write_text("file_name,caption\n3.png,new\n")
    busy = Event()

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        dialog = await dialog_of(window, Command.IMPORT_CAPTIONS, ImportDialog)
        program.workspace.change(lambda workspace: busy.wait(60))
        QTest.keyClicks(dialog.source_edit, str(source))
        QTest.keyClick(dialog.source_edit, KEY.Key_Return)
        assert dialog.what_label.text() == "Reading…"
        QTest.keyClick(dialog, KEY.Key_Escape)
        assert "Reading was cancelled" in dialog.what_label.text()
        busy.set()
        await program.workspace.read(lambda workspace: None)
        await until(lambda: dialog.isVisible() and not dialog.table.isVisible())
        QTest.keyClick(dialog.source_edit, KEY.Key_Return)
        await until(dialog.table.isVisible)
        QTest.mouseClick(dialog.cancel_button, LEFT)
        await until(lambda: window.findChild(ImportDialog) is None)

    live(story)
