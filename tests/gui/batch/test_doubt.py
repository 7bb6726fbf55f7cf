"""The column of a folder run that names the most doubtful word of each caption."""

from dataclasses import replace

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core.batch import Phase
from core.engine import Capability, Missing
from gui.batch.rows import Column
from tests.gui.batch.folder_page import begun, click, phase, shown
from tests.gui.conftest import until


async def doubted(program, panel, folder):
    """A finished run whose n-th caption has n words, the last the most doubtful."""
    await begun(program, panel, folder, "say {stem} words")
    await until(lambda: phase(program) is Phase.OVER)
    click(panel.filter_bar.doubt_button)
    await until(lambda: len(words(panel)) == 4)
    await until(lambda: panel.filter_bar.doubt_button.text() == "Find doubtful words")


def words(panel):
    model = panel.model
    column = [model.index(row, Column.DOUBT).data() for row in range(model.rowCount())]
    return [word for word in column if word]


def test_the_most_doubtful_word_of_each_caption_has_a_column_once_it_is_asked_for(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder, "say {stem} words")
        assert panel.list.isColumnHidden(Column.DOUBT)
        await until(lambda: phase(program) is Phase.OVER)
        click(panel.filter_bar.doubt_button)
        await until(lambda: words(panel) == ["word0", "word1", "word2", "word3"])
        assert not panel.list.isColumnHidden(Column.DOUBT)

    live(story)


def test_a_click_on_its_head_sorts_by_doubt_and_another_brings_the_order_back(live, folder):
    async def story(program, panel):
        await doubted(program, panel, folder)
        header = panel.list.horizontalHeader()
        place = QPoint(header.sectionViewportPosition(Column.DOUBT) + 8, header.height() // 2)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        await until(lambda: words(panel) == ["word3", "word2", "word1", "word0"])
        assert [name for name, *_ in shown(panel)] == ["4.png", "3.png", "2.png", "1.png"]
        assert panel.model.row(0) == 3
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        await until(lambda: words(panel) == ["word0", "word1", "word2", "word3"])

    live(story)


def test_only_captions_in_doubt_are_left_when_wanted(live, folder):
    async def story(program, panel):
        await doubted(program, panel, folder)
        panel.filter_bar.state_box.setCurrentIndex(panel.filter_bar.state_box.findText("Doubtful"))
        await until(lambda: words(panel) == ["word2", "word3"])
        panel.filter_bar.state_box.setCurrentIndex(0)
        await until(lambda: len(words(panel)) == 4)

    live(story)


def test_a_caption_that_is_changed_is_not_in_doubt_for_what_it_said(live, folder):
    async def story(program, panel):
        await doubted(program, panel, folder)
        panel.edited.emit(3, "A red square.")
        await until(lambda: words(panel) == ["word0", "word1", "word2"])
        click(panel.filter_bar.doubt_button)
        await until(lambda: words(panel) == ["word0", "word1", "word2", "red"])

    live(story)


def test_looking_for_doubt_is_stopped(live, folder, checkpoint):
    async def story(program, panel):
        await begun(program, panel, folder, "ponder")
        await until(lambda: phase(program) is Phase.OVER)
        click(panel.filter_bar.doubt_button)
        await until(lambda: checkpoint.engines[-1].examined)
        assert panel.filter_bar.doubt_button.text() == "Stop"
        click(panel.filter_bar.doubt_button)
        await until(lambda: panel.filter_bar.doubt_button.text() == "Find doubtful words")
        assert words(panel) == []

    live(story)


def test_a_model_that_says_nothing_of_its_words_says_so(live, folder):
    async def story(program, panel):
        await begun(program, panel, folder)
        await until(lambda: phase(program) is Phase.OVER)
        model = program.window.state.model
        missing = {Capability.EVIDENCE: Missing("This model tells nothing of its words.")}
        facts = replace(model.facts, missing=missing)
        program.window.states.update(model=replace(model, facts=facts))
        assert not panel.filter_bar.doubt_button.isEnabled()
        assert panel.filter_bar.doubt_button.toolTip() == "This model tells nothing of its words."

    live(story)


def test_it_is_there_again_when_the_run_is_opened_another_day(live, folder, checkpoint):
    async def story(program, panel):
        await doubted(program, panel, folder)
        run = program.folder_run
        kept = await run.last()
        await run.choose([])
        await until(lambda: words(panel) == [])
        await run.reopen(kept)
        await until(lambda: words(panel) == ["word0", "word1", "word2", "word3"])
        assert not panel.list.isColumnHidden(Column.DOUBT)
        examined = len(checkpoint.engines[-1].examined)
        click(panel.filter_bar.doubt_button)
        notice = panel.notice_bar.text_label
        await until(lambda: "already known" in notice.text())
        assert len(checkpoint.engines[-1].examined) == examined

    live(story)
