"""Presets in the window: chosen by a key or a menu, made from a form, changed and kept."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

from core.batch import Phase
from core.locations import locations
from core.workspace import Presets
from gui.batch.run_controls import RunAction
from gui.window.commands import Command
from gui.workspace.presets_dialog import PresetsDialog
from tests.gui.app.test_captions import folder, opened  # noqa: F401 (fixture)
from tests.gui.conftest import focused_widget, until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton


async def dialog_of(window, open_dialog):
    open_dialog()
    await until(lambda: window.findChild(PresetsDialog) is not None)
    return window.findChild(PresetsDialog)


def entry(button, text):
    return next(one for one in button.menu().actions() if text in one.text())


async def run_of(window, key):
    images = window.workspace_pane.list
    images.setFocus()
    QTest.keyClick(focused_widget(), key)
    await until(lambda: not window.state.is_conversation and window.batch_panel.model.items)
    return window.batch_panel


def test_key_chooses_a_run_over_the_selection_with_all_that_the_preset_sets(live, folder):  # noqa: F811
    async def story(program):
        window, images, _editor = await opened(program, folder)
        images.select_ids(set(list(program.workspace.ids)[1:3]))
        await until(lambda: window.state.workspace.selected == 2)
        panel = await run_of(window, KEY.Key_5)
        names = [item.path.name for item in panel.model.items]
        assert names == ["1.png", "2.png"]
        options = panel.form.options
        preset = program.folder_jobs.presets.presets.named("Alt text")
        assert (options.prompts, options.most_characters) == (preset.prompts, 125)
        assert options.strips_openings
        # Another preset leaves nothing of the one before.
        entry(panel.controls.presets_button, "Text in the image").trigger()
        options = panel.form.options
        assert (options.most_characters, options.strips_openings) == (0, False)
        assert panel.form.usual(program.settings.sampling).max_new_tokens == 1024

    live(story)


def test_preset_that_needs_tags_asks_for_them_and_refuses_to_start_without(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        panel = await run_of(window, KEY.Key_4)
        field = panel.form.more.checks.vocabulary_edit
        await until(field.isVisible)
        assert focused_widget() is field
        QTest.mouseClick(panel.controls.buttons[RunAction.START], LEFT)
        await until(lambda: any("Only these tags" in one.text for one in window.state.notices))
        QTest.keyClicks(field, "cat, dog, cat")
        assert panel.form.options.vocabulary == ("cat", "dog")
        many = tuple(f"tag {number}" for number in range(2000))
        file = folder.parent / "tags.txt"
        file.write_text("\n".join(many))
        panel.form.more.checks.file_chosen.emit(file)
        await until(lambda: panel.form.options.vocabulary == many)

    live(story)


@pytest.mark.parametrize(("key", "text"), [(KEY.Key_2, "ohwx,"), (KEY.Key_4, "cat, dog")])
def test_preset_asks_for_its_field_after_a_run_too(live, folder, key, text):  # noqa: F811
    """The finished run that is open gives way to the form a moment later."""

    async def story(program):
        window, _images, _editor = await opened(program, folder)
        panel, run = window.batch_panel, program.folder_run
        window.dialogs.run_chosen.emit([folder])
        await until(lambda: run.phase is Phase.CHOOSING and panel.model.items)
        panel.form.prompt_edit.setPlainText("say 2 words")
        QTest.mouseClick(panel.controls.buttons[RunAction.START], LEFT)
        await until(lambda: run.phase is Phase.OVER)
        preset = program.folder_jobs.presets.presets.all[key - KEY.Key_1]
        window.workspace_pane.list.setFocus()
        QTest.keyClick(focused_widget(), key)
        await until(lambda: run.phase is Phase.CHOOSING)
        QTest.keyClicks(focused_widget(), text)
        options = panel.form.options
        assert options.prompts == preset.prompts
        assert text in (options.prefix.strip(), ", ".join(options.vocabulary))

    live(story)


def test_own_presets_are_made_renamed_ordered_removed_and_brought_back(live, folder):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        panel = await run_of(window, KEY.Key_1)
        field = panel.form.prompt_list.edits[0]
        assert isinstance(field, QPlainTextEdit)
        field.selectAll()
        QTest.keyClicks(field, "Which colours?")
        panel.form.more.prefix_edit.setText("ohwx, ")
        save = entry(panel.controls.presets_button, "Save as preset")
        dialog = await dialog_of(window, save.trigger)
        name = dialog.form.name_edit
        assert isinstance(name, QLineEdit)
        QTest.keyClicks(name, "Alt text")  # Taken: the last name that was free counts.
        assert dialog.problem_label.isVisibleTo(dialog)
        name.selectAll()
        QTest.keyClicks(name, "Colours & more")
        assert not dialog.problem_label.isVisibleTo(dialog)
        for _ in range(7):
            QTest.mouseClick(dialog.up_button, LEFT)
        assert dialog.presets.all[0].name == "Colours & more"
        QTest.mouseClick(dialog.delete_button, LEFT)
        assert dialog.presets.named("Colours & more") is None
        QTest.mouseClick(dialog.undo_button, LEFT)
        assert dialog.presets.all[0].name == "Colours & more"
        QTest.keyClick(dialog, KEY.Key_Escape)
        await until(lambda: window.findChild(PresetsDialog) is None)
        path = locations().presets
        await until(
            lambda: (
                path.exists() and Presets.load(path).all == program.folder_jobs.presets.presets.all
            )
        )
        kept = Presets.load(path).all[0]
        assert (kept.prompts, kept.prefix) == (("Which colours?",), "ohwx, ")
        assert window.state.presets[0] == "Colours & more"
        entry(panel.controls.presets_button, "Alt text").trigger()
        entry(panel.controls.presets_button, "Colours && more").trigger()
        assert panel.form.options.prompts == ("Which colours?",)
        assert panel.form.options.prefix == "ohwx, "

    live(story)


def test_presets_are_handed_over_and_taken_in_the_dialog(live, folder, tmp_path):  # noqa: F811
    async def story(program):
        window, _images, _editor = await opened(program, folder)
        dialog = await dialog_of(window, window.commands[Command.PRESETS].trigger)
        QTest.mouseClick(dialog.new_button, LEFT)
        QTest.keyClicks(dialog.form.name_edit, "Mine")
        file = tmp_path / "presets.json"
        dialog.export_to(str(file))
        await until(file.exists)
        QTest.mouseClick(dialog.delete_button, LEFT)
        dialog.import_from(str(file))
        await until(lambda: dialog.presets.named("Mine") is not None)
        file.write_text("no presets")
        dialog.import_from(str(file))
        await until(lambda: dialog.problem_label.isVisible())
        assert "presets.json" in dialog.problem_label.text()

    live(story)
