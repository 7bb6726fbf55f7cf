"""Notes and variables of prompts: suggested, filled in, shown, and sent only with consent."""

import sqlite3
from contextlib import closing
from threading import Event

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QListWidget

from core.locations import locations
from core.transcript import ModelChoice
from gui.window.commands import Command
from gui.workspace.notes_dialog import NotesDialog
from tests.gui.app.test_captions import folder, opened  # noqa: F401 (fixture)
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton


async def asked(program):
    """Returns the first question, once it is answered."""
    session = program.session
    await until(lambda: session.transcript and session.transcript.exchanges)
    return session.transcript.exchanges[0].prompt


def test_brace_suggests_variables_whose_keys_are_not_the_prompts(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        edit = window.prompt_box.prompt_edit
        edit.setFocus()
        QTest.keyClicks(edit, "At {pl")
        found = edit.findChild(QListWidget, "word_popup_list")
        assert found.isVisible()
        QTest.keyClick(edit, KEY.Key_Return)
        assert window.prompt_box.text == "At {place}"
        QTest.keyClicks(edit, " {fol")
        QTest.keyClick(edit, KEY.Key_Down)
        QTest.keyClick(edit, KEY.Key_Tab)
        assert window.prompt_box.text == "At {place} {folder_note}"
        QTest.keyClicks(edit, " {na")
        QTest.keyClick(edit, KEY.Key_Escape)
        assert not found.isVisible()
        assert edit.hasFocus()

    live(story)


def test_notes_are_kept_shown_in_the_prompt_and_sent_with_it(live, folder):  # noqa: F811
    prompt = "What is it?[ {folder_note}][ Note: {image_note}.][ In {place}.] Now: {caption}."

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        window.prompt_box.set_text(prompt)
        window.commands[Command.NOTES].trigger()
        await until(lambda: window.findChild(NotesDialog) is not None)
        dialog = window.findChild(NotesDialog)
        QTest.keyClicks(dialog.folder_edit, "x")  # The notes that are kept are not known yet.
        assert not dialog.folder_edit.toPlainText()
        await until(lambda: "Now: a cat." in dialog.prompt_edit.toPlainText())
        QTest.keyClicks(dialog.folder_edit, "The 1987 trip.")
        QTest.keyClicks(dialog.image_edit, "Tom")
        expected = "What is it? The 1987 trip. Note: Tom. Now: a cat."
        await until(lambda: dialog.prompt_edit.toPlainText() == expected)
        assert "{place}" in dialog.values_label.text()
        QTest.mouseClick(dialog.close_button, LEFT)
        await until(lambda: window.findChild(NotesDialog) is None)
        form = window.batch_panel.form
        await until(lambda: form.unchecked_options.note == "The 1987 trip.")
        images = dict(form.unchecked_options.image_notes)
        assert images == {str(folder / "0.png"): "Tom"}
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
        assert await asked(program) == expected

    live(story)


def test_note_is_kept_that_was_typed_just_before_its_dialog_was_closed(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)

        async def dialog():
            window.commands[Command.NOTES].trigger()
            await until(lambda: window.findChild(NotesDialog) is not None)
            found = window.findChild(NotesDialog)
            await until(lambda: not found.image_edit.isReadOnly())
            return found

        first = await dialog()
        QTest.keyClicks(first.image_edit, "Tom")
        QTest.keyClick(first, KEY.Key_Escape)
        await until(lambda: window.findChild(NotesDialog) is None)
        again = await dialog()
        assert again.image_edit.toPlainText() == "Tom"

    live(story)


def test_question_is_filled_in_for_the_image_that_it_is_asked_about(live, folder):  # noqa: F811
    """The workspace is busy, and another image is opened before the values are known."""
    busy = Event()

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        program.workspace.change(lambda workspace: busy.wait(60))
        window.prompt_box.set_text("What is it? {name}")
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
        await program.pictures.open_path(folder / "1.png")
        await until(lambda: window.state.picture.name == "1.png")
        busy.set()
        assert await asked(program) == "What is it? 1.png"
        assert program.session.transcript.picture.path == folder / "1.png"

    live(story)


def test_question_about_people_goes_to_a_server_only_with_consent(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        await program.model.load(ModelChoice("http://gpubox:8000 #llava"))
        window.prompt_box.set_text("Is {people} there?")
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
        await until(lambda: any("gpubox" in one.text for one in window.state.notices))
        assert window.prompt_box.text == "Is {people} there?"
        assert not window.state.conversation.exchanges
        window.commands[Command.NOTES].trigger()
        await until(lambda: window.findChild(NotesDialog) is not None)
        dialog = window.findChild(NotesDialog)
        await until(dialog.consent_button.isVisible)
        QTest.mouseClick(dialog.consent_button, LEFT)
        assert not dialog.consent_button.isVisible()
        assert program.settings.metadata_folders == [str(folder)]
        QTest.mouseClick(dialog.close_button, LEFT)
        QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_Return)
        assert await asked(program) == "Is there?"

    live(story)


def test_note_that_cannot_be_kept_is_there_until_it_can(live, folder):  # noqa: F811
    """The disk with the program's own files is full for a while."""

    async def story(program):
        window, _images, _editor = await opened(program, folder)

        async def shown():
            window.commands[Command.NOTES].trigger()
            await until(lambda: window.findChild(NotesDialog) is not None)
            dialog = window.findChild(NotesDialog)
            await until(lambda: not dialog.image_edit.isReadOnly())
            return dialog

        dialog = await shown()
        with closing(sqlite3.connect(locations().data / "workspace.sqlite")) as database:
            database.execute(
                "CREATE TRIGGER full BEFORE INSERT ON note BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
            QTest.keyClicks(dialog.image_edit, "Tom")
            await until(lambda: "full" in window.notice_bar.text_label.text())
            QTest.keyClick(dialog, KEY.Key_Escape)
            await until(lambda: window.findChild(NotesDialog) is None)
            dialog = await shown()
            assert dialog.image_edit.toPlainText() == "Tom"
            database.execute("DROP TRIGGER full")
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: window.findChild(NotesDialog) is None)

    async def next_day(program):
        await opened(program, folder)
        kept = await program.workspace.read(lambda one: one.note(folder / "0.png"))
        assert kept == "Tom"

    live(story)
    live(next_day)
