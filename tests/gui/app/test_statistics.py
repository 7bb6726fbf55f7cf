"""What the captions of a folder have in common, below the list of its images."""

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.workspace import StatisticsKind
from gui.window.commands import Command
from tests.gui.conftest import until

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
TAGS = ("cat, red sky", "dog, red sky", "cat, ocean", "cat, dog, sun")
SENTENCES = (
    "A cat, and a dog.",
    "A cat sleeps, it seems.",
    "Nothing to see here, really.",
    "A dog.",
)


async def opened(program, tmp_path, captions):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, caption in enumerate(captions):
        Image.new("RGB", (40, 30 + number // 2), "blue").save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
    window = program.window
    window.resize(1100, 760)
    window.activateWindow()
    window.paths_opened.emit([folder])
    panel = window.workspace_pane.statistics
    await until(lambda: window.state.workspace.is_known and bool(panel.list.values))
    await until(lambda: window.state.workspace.total == len(captions))
    return window, panel, folder


def listed(panel):
    return {value.value: value.count for value in panel.list.values}


def click(panel, value, *, on_plus=False, modifiers=Qt.KeyboardModifier.NoModifier):
    row = list(listed(panel)).index(value)
    panel.list.scrollTo(panel.list.model().index(row, 0))
    rect = panel.list.visualRect(panel.list.model().index(row, 0))
    at = panel.list.place_of_plus(row).center() if on_plus else rect.topLeft() + rect.center()
    at = at if on_plus else rect.center()
    QTest.mouseClick(panel.list.viewport(), LEFT, modifiers, pos=at)


def test_click_on_a_tag_filters_and_its_plus_adds_it_to_the_selection(live, tmp_path):
    async def story(program):
        window, panel, folder = await opened(program, tmp_path, TAGS)
        await until(lambda: listed(panel).get("cat") == 3 and listed(panel)["dog"] == 2)
        click(panel, "dog")
        assert window.state.workspace.query == "tag:dog"
        await until(lambda: listed(panel).get("dog") == 2 and listed(panel).get("cat") == 1)
        click(panel, "cat", modifiers=CTRL)
        assert window.state.workspace.query == "tag:dog tag:cat"
        await until(lambda: window.state.workspace.listed == 1)
        window.workspace_pane.query_line.search_for("tag:dog")
        await until(lambda: listed(panel).get("red sky") == 1)
        click(panel, "dog")
        await until(lambda: window.state.workspace.listed == 4)
        await until(lambda: listed(panel).get("sun") == 1)
        window.workspace_pane.list.selectAll()
        click(panel, "sun", on_plus=True)
        await until(lambda: listed(panel).get("sun") == 4)
        assert (folder / "0.txt").read_text() == "cat, red sky, sun\n"
        assert (folder / "3.txt").read_text() == "cat, dog, sun\n"
        await until(lambda: "sun" in window.state.workspace.undo)
        # It is an edit like those of the dialog, and repeated like them.
        click(panel, "ocean", on_plus=True)
        await until(lambda: listed(panel).get("ocean") == 4)
        window.workspace_pane.query_line.search_for("")
        (folder / "1.txt").write_text("dog\n", encoding="utf-8")
        await until(lambda: listed(panel).get("ocean") == 3)
        window.workspace_pane.list.setFocus()
        assert "ocean" in window.commands[Command.REPEAT_EDIT].text()
        QTest.keyClick(window.workspace_pane.list, KEY.Key_Period)
        await until(lambda: (folder / "1.txt").read_text() == "dog, ocean\n")

    live(story)


def test_statistics_are_used_by_keyboard_alone(live, tmp_path):
    async def story(program):
        window, panel, folder = await opened(program, tmp_path, TAGS)
        await until(lambda: listed(panel).get("cat") == 3)
        panel.list.setFocus(Qt.FocusReason.TabFocusReason)
        panel.list.setCurrentIndex(panel.list.model().index(0, 0))
        QTest.keyClick(panel.list, KEY.Key_Down)
        assert panel.list.currentIndex().data() == "dog"
        QTest.keyClick(panel.list, KEY.Key_Plus)
        await until(lambda: (folder / "0.txt").read_text() == "cat, red sky, dog\n")
        await until(lambda: listed(panel).get("dog") == 3)
        QTest.keyClick(panel.list, KEY.Key_Return)
        await until(lambda: window.state.workspace.listed == 3)
        window.workspace_pane.query_line.search_for("")
        panel.kind_box.setFocus()
        QTest.keyClick(panel.kind_box, KEY.Key_End)
        await until(panel.histogram.isVisible)
        panel.histogram.setFocus()
        await until(lambda: panel.histogram.current is not None)
        QTest.keyClick(panel.histogram, KEY.Key_End)
        assert panel.histogram.accessibleName() == panel.histogram.text
        last = panel.histogram.current
        assert last is not None
        assert str(last.last) in panel.histogram.text
        QTest.keyClick(panel.histogram, KEY.Key_Return)
        assert window.state.workspace.query == f"chars:{last.first}..{last.last}"
        await until(lambda: window.state.workspace.listed == last.count)

    live(story)


def test_sizes_read_as_elsewhere_and_are_searched_for(live, tmp_path):
    async def story(program):
        window, panel, _ = await opened(program, tmp_path, TAGS)
        panel.kind_box.setFocus()
        panel.kind_box.setCurrentIndex(panel.kind_box.findText("Image sizes"))
        panel.kind_box.activated.emit(panel.kind_box.currentIndex())
        await until(lambda: listed(panel) == {"40x30": 2, "40x31": 2})
        model = panel.list.model()
        assert [model.index(row, 0).data() for row in range(2)] == ["40 × 30", "40 × 31"]
        click(panel, "40x31")
        assert window.state.workspace.query == "size:40x31"
        await until(lambda: window.state.workspace.listed == 2)

    live(story)


def test_sentences_have_words_and_no_tags(live, tmp_path):
    async def story(program):
        window, panel, _folder = await opened(program, tmp_path, SENTENCES)
        await until(lambda: listed(panel).get("dog") == 2)
        assert panel.kind_box.findData(StatisticsKind.TAGS) < 0
        click(panel, "dog")
        await until(lambda: window.state.workspace.listed == 2)
        QTest.mouseClick(panel.fold_button, LEFT)
        await until(lambda: not panel.body.isVisible())
        assert program.settings.folds_statistics
        QTest.mouseClick(panel.fold_button, LEFT)
        await until(panel.body.isVisible)
        window.resize(1100, 360)
        await until(lambda: not panel.isVisible())

    live(story)


def test_list_takes_the_room_of_folded_statistics(live, tmp_path):
    async def story(program):
        window, panel, _ = await opened(program, tmp_path, TAGS)
        window.resize(1100, 700)
        images, parts = window.workspace_pane.list, window.workspace_pane.parts
        await until(lambda: panel.isVisible() and not window.state.workspace.folds_statistics)
        before = images.height(), panel.height()
        QTest.mouseClick(panel.fold_button, LEFT)
        await until(lambda: window.state.workspace.folds_statistics)
        await until(lambda: images.height() + panel.height() >= parts.height() - 2)
        assert panel.height() < before[1] / 2
        QTest.mouseClick(panel.fold_button, LEFT)
        await until(lambda: (images.height(), panel.height()) == before)

    live(story)
