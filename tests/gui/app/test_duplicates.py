"""Images that look alike: found, one kept and the others trashed, captions copied, undone."""

import shutil

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.window.commands import Command
from gui.workspace.duplicates_dialog import DuplicatesDialog
from tests.gui.app.test_captions import text
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def twins(tmp_path, monkeypatch):
    """Two equal images, a third that looks like them, and one that does not."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "twins"
    folder.mkdir()
    slope = Image.linear_gradient("L").convert("RGB")
    slope.save(folder / "0.png")
    shutil.copy(folder / "0.png", folder / "1.png")
    slope.resize((128, 128)).save(folder / "2.jpg")
    Image.radial_gradient("L").convert("RGB").save(folder / "3.png")
    (folder / "2.txt").write_text("a slope\n")
    return folder


async def found(program, twins):
    window = program.window
    window.paths_opened.emit([twins])
    await until(lambda: window.state.workspace.is_known and window.state.workspace.total == 4)
    window.commands[Command.FIND_DUPLICATES].trigger()
    await until(lambda: window.findChild(DuplicatesDialog) is not None)
    dialog = window.findChild(DuplicatesDialog)
    await until(lambda: names(dialog) == ["0.png", "1.png", "2.jpg"])
    return dialog


def names(dialog):
    return [card.row.path.name for card in dialog.cards]


def test_caption_is_copied_to_the_others_and_all_but_one_go_to_the_trash(live, twins):
    async def story(program):
        dialog = await found(program, twins)
        assert "1 of 1" in dialog.what_label.text()
        # Nothing of it is cut off at the card's width.
        facts = [card.facts_label for card in dialog.cards]
        await until(lambda: all(one.height() >= one.heightForWidth(one.width()) for one in facts))
        assert all(one.minimumSizeHint().width() <= one.width() for one in facts)
        assert not dialog.cards[0].copy_button.isEnabled()
        # Screen readers tell the buttons of one image from those of another.
        buttons = [(card.keep_button, card.copy_button) for card in dialog.cards]
        assert len({one.accessibleName() for pair in buttons for one in pair}) == 6
        QTest.mouseClick(dialog.cards[2].copy_button, LEFT)
        await until(lambda: (twins / "1.txt").exists() and text(twins, 1) == "a slope\n")
        await until(lambda: all(card.row.has_caption for card in dialog.cards))
        dialog.cards[0].keep_button.setFocus()
        QTest.keyClick(dialog.cards[0].keep_button, KEY.Key_Right)
        assert dialog.cards[1].keep_button.hasFocus()
        QTest.keyClick(dialog.cards[1].keep_button, KEY.Key_Space)
        await until(lambda: dialog.what_label.text().startswith("No images"))
        left = sorted(path.name for path in twins.iterdir() if path.suffix != ".txt")
        assert left == ["1.png", "3.png"]
        await until(dialog.undo_button.isEnabled)
        QTest.keyClick(dialog, KEY.Key_Z, CTRL)
        await until(lambda: names(dialog) == ["0.png", "1.png", "2.jpg"])
        assert (twins / "2.jpg").exists()

    live(story)


def test_only_equal_files_on_request(live, twins):
    async def story(program):
        dialog = await found(program, twins)
        QTest.keyClick(dialog.kind_box, KEY.Key_Down)
        await until(lambda: names(dialog) == ["0.png", "1.png"])

    live(story)
