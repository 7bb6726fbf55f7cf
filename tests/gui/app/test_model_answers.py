"""What the model wrote, beside what a person made of it."""

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
WROTE = "word0 word1 word2"


def struck(text_edit):
    """The words of a text that are struck out."""
    cursor, found = text_edit.textCursor(), ""
    for place in range(1, text_edit.document().characterCount()):
        cursor.setPosition(place)
        found += cursor.block().text()[place - 1] if cursor.charFormat().fontStrikeOut() else ""
    return found


def test_changed_words_are_marked_and_the_answer_comes_back(live, tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (40, 30), (90 * number, 80, 90)).save(folder / f"{number}.png")
    (folder / "1.txt").write_text("by a person\n")

    async def story(program):
        window, panel = program.window, program.window.batch_panel
        window.resize(1100, 800)
        window.activateWindow()
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.is_known and window.state.model.facts)
        window.dialogs.run_chosen.emit([folder])
        await until(lambda: panel.isVisible() and len(panel.model.items) == 2)
        panel.form.prompt_edit.setPlainText("say 3 words")
        start = panel.findChild(QPushButton, "batch_start_button")
        await until(start.isEnabled)
        QTest.mouseClick(start, LEFT)
        await until(panel.summary_box.isVisible)
        window.show_conversation()
        QTest.mouseClick(window.side_tabs.bar, LEFT, pos=window.side_tabs.bar.tabRect(0).center())
        caption, bar = window.caption_panel, window.caption_panel.answer_bar
        await until(lambda: caption.editor.toPlainText() == WROTE)
        await until(lambda: window.state.workspace.answer == WROTE)
        await until(lambda: not bar.isVisible())
        caption.editor.setFocus()
        caption.editor.selectAll()
        QTest.keyClicks(caption.editor, "word0 dog word2")
        await until(bar.isVisible)
        await until(lambda: struck(bar.text) == "word1")
        (mark,) = caption.editor.extraSelections()
        assert mark.cursor.selectedText() == "dog"
        assert mark.format.fontUnderline()
        QTest.keyClick(caption.editor, KEY.Key_S, CTRL)
        await until(lambda: (folder / "0.txt").read_text() == "word0 dog word2\n")
        workspace = program.workspace
        await until(lambda: workspace.counts.edited == 1)
        untouched = await workspace.read(lambda one: one.answers.untouched(one.ids()))
        assert untouched == []
        QTest.mouseClick(bar.revert_button, LEFT)
        await until(lambda: (folder / "0.txt").read_text() == f"{WROTE}\n")
        await until(lambda: not bar.isVisible())
        await until(lambda: workspace.counts.edited == 0)
        # The other caption was there before, so it may be a person's.
        untouched = await workspace.read(lambda one: one.answers.untouched(one.ids()))
        assert len(untouched) == 1

    live(story)
