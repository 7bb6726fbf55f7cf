"""The tags of a caption as chips: added, completed, renamed, moved and removed."""

from threading import Event

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from core.workspace import CaptionMode
from gui.window.commands import Command
from tests.gui.conftest import focused_widget, until
from tests.support.layout import cut_off

KEY, LEFT = Qt.Key, Qt.MouseButton.LeftButton
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
CAPTIONS = ("cat, red sky, ocean", "dog, red sky", "cat, 海, :)")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "tagged"
    folder.mkdir()
    for number, caption in enumerate(CAPTIONS):
        Image.new("RGB", (40, 30), (40 * number, 80, 90)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"{caption}\n", encoding="utf-8")
    return folder


async def opened(program, folder):
    window = program.window
    window.resize(1100, 800)
    window.activateWindow()
    window.paths_opened.emit([folder])
    await until(lambda: window.state.workspace.is_known and window.state.workspace.has_tags)
    QTest.mouseClick(window.side_tabs.bar, LEFT, pos=window.side_tabs.bar.tabRect(0).center())
    tags = window.caption_panel.tag_editor
    await until(lambda: tags.isVisible() and shown(tags) == ["cat", "red sky", "ocean"])
    return window, tags


def shown(tags):
    model = tags.chips.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def text(folder, number=0):
    return (folder / f"{number}.txt").read_text(encoding="utf-8")


def offered(tags):
    return [one.text for one in tags.suggestions.offered] if tags.suggestions.isVisible() else []


def test_tags_are_added_with_completion_from_the_folder_and_a_vocabulary(live, folder, tmp_path):
    (tmp_path / "danbooru.csv").write_text('long_hair,0,9,"lh"\ndolphin,0,5,\n', encoding="utf-8")

    async def story(program):
        window, tags = await opened(program, folder)
        program.folder_counts.use_vocabulary(tmp_path / "danbooru.csv")
        await until(lambda: program.settings.tag_vocabulary.endswith("danbooru.csv"))
        window.commands[Command.EDIT_CAPTION].trigger()
        assert focused_widget() is tags.field
        QTest.keyClicks(tags.field, "do")
        await until(lambda: offered(tags) == ["dog", "dolphin"])
        QTest.keyClick(tags.field, KEY.Key_Down)
        QTest.keyClick(tags.field, KEY.Key_Return)
        await until(lambda: text(folder) == "cat, red sky, ocean, dog\n")
        QTest.keyClicks(tags.field, "new, cat , ")
        tags.field.insert("🐈")
        QTest.keyClick(tags.field, KEY.Key_Return)
        await until(lambda: text(folder) == "cat, red sky, ocean, dog, new, 🐈\n")
        QGuiApplication.clipboard().setText("one\ntwo, three")
        QTest.keyClick(tags.field, KEY.Key_V, CTRL)
        await until(lambda: text(folder).endswith("🐈, one, two, three\n"))
        QTest.keyClicks(tags.field, "long h")
        await until(lambda: offered(tags) == ["long_hair"])
        # Each was an edit of its own, which the text below shows too.
        assert window.caption_panel.editor.toPlainText() == text(folder).strip()
        tags.field.clear()
        tags.chips.setFocus()
        await until(lambda: bool(window.state.workspace.undo))
        QTest.keyClick(tags.chips, KEY.Key_Z, CTRL)
        await until(lambda: text(folder) == "cat, red sky, ocean, dog, new, 🐈\n")
        await until(lambda: shown(tags)[-1] == "🐈")

    live(story)


def test_last_of_several_tags_is_completed_and_added_with_the_others(live, folder, tmp_path):
    (tmp_path / "tags.txt").write_text("long_hair\ndolphin\n", encoding="utf-8")

    async def story(program):
        window, tags = await opened(program, folder)
        program.folder_counts.use_vocabulary(tmp_path / "tags.txt")
        await until(lambda: program.settings.tag_vocabulary.endswith("tags.txt"))
        tags.field.setFocus()
        QTest.keyClicks(tags.field, "wet, do")
        await until(lambda: offered(tags) == ["dog", "dolphin"])
        # What stands before it is not offered once more.
        QTest.keyClicks(tags.field, "g, do")
        await until(lambda: offered(tags) == ["dolphin"])
        QTest.keyClick(tags.field, KEY.Key_Down)
        QTest.keyClick(tags.field, KEY.Key_Return)
        await until(lambda: text(folder) == "cat, red sky, ocean, wet, dog, dolphin\n")
        assert tags.field.text() == ""
        # They were one edit, which is undone where one has typed them.
        await until(lambda: bool(window.state.workspace.undo))
        QTest.keyClick(tags.field, KEY.Key_Z, CTRL)
        await until(lambda: text(folder) == "cat, red sky, ocean\n")
        assert tags.field.text() == ""
        # Nothing is typed of the next one yet.
        QTest.keyClicks(tags.field, "lo")
        await until(lambda: offered(tags) == ["long_hair"])
        QTest.keyClicks(tags.field, ", ")
        await until(lambda: not offered(tags))

    live(story)


def test_tags_are_moved_renamed_and_removed_by_keyboard(live, folder):
    async def story(program):
        _window, tags = await opened(program, folder)
        tags.field.setFocus()
        QTest.keyClick(tags.field, KEY.Key_Backspace)
        chips = tags.chips
        assert focused_widget() is chips
        QTest.keyClick(chips, KEY.Key_Left, ALT)
        await until(lambda: text(folder) == "cat, ocean, red sky\n")
        assert chips.currentIndex().data() == "ocean"
        QTest.keyClick(chips, KEY.Key_Return)
        field = focused_widget()
        assert isinstance(field, QLineEdit)
        field.selectAll()
        QTest.keyClicks(field, "sea, waves")
        QTest.keyClick(field, KEY.Key_Return)
        await until(lambda: text(folder) == "cat, sea, waves, red sky\n")
        chips.setFocus()
        QTest.keyClick(chips, KEY.Key_Delete)
        await until(lambda: text(folder) == "cat, waves, red sky\n")
        QTest.keyClick(chips, KEY.Key_D)
        assert focused_widget() is tags.field
        assert tags.field.text() == "d"

    live(story)


def test_tags_are_moved_and_removed_by_mouse(live, folder):
    async def story(program):
        _window, tags = await opened(program, folder)
        chips, model = tags.chips, tags.chips.model()
        QTest.mouseClick(chips.viewport(), LEFT, pos=chips.place_of_cross(1).center())
        await until(lambda: text(folder) == "cat, ocean\n")
        await until(lambda: shown(tags) == ["cat", "ocean"])
        data = model.mimeData([model.index(1, 0)])
        at = QPointF(chips.visualRect(model.index(0, 0)).topLeft())
        event = QDropEvent(at, Qt.DropAction.MoveAction, data, LEFT, Qt.KeyboardModifier(0))
        chips.dropEvent(event)
        await until(lambda: text(folder) == "ocean, cat\n")

    live(story)


def test_whether_a_folder_has_tags_is_kept(live, folder):
    async def story(program):
        window, tags = await opened(program, folder)
        panel = window.caption_panel
        QTest.mouseClick(panel.mode_buttons[CaptionMode.TEXT], LEFT)
        await until(lambda: not tags.isVisible())
        await until(lambda: not window.state.workspace.has_tags)
        window.paths_opened.emit([folder / "0.png"])
        await until(lambda: not window.state.workspace.has_list)
        window.paths_opened.emit([folder])
        await until(lambda: window.state.workspace.total == 3)
        await until(lambda: program.workspace.counts.unread == 0)
        await until(lambda: window.state.workspace.is_known and panel.editor.isVisible())
        assert not tags.isVisible()
        QTest.mouseClick(panel.mode_buttons[CaptionMode.TAGS], LEFT)
        await until(tags.isVisible)
        window.resize(800, 420)
        await until(lambda: not panel.editor.isVisible())
        assert tags.field.isVisible()
        window.notice_bar.dismiss()
        window.resize(683, 344)  # A laptop at 200 %: two lines of tags are seen whole.
        chips = tags.chips
        chip = chips.visualRect(chips.model().index(0, 0))
        await until(lambda: chips.viewport().height() >= 2 * chip.bottom())

    live(story)


def test_tags_are_never_squeezed_at_any_height(live, folder):
    async def story(program):
        window, tags = await opened(program, folder)
        window.notice_bar.dismiss()
        chip = tags.chips.visualRect(tags.chips.model().index(0, 0))
        for height in range(window.minimumHeight(), 800, 12):
            window.resize(1100, height)
            await until(lambda height=height: window.height() == height)
            QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
            assert tags.field.height() >= tags.field.minimumSizeHint().height(), height
            assert tags.chips.viewport().height() >= chip.bottom(), height
            assert cut_off(window) == [], height

    live(story)


def test_keys_alone_go_from_the_prompt_to_the_images_into_a_caption_and_back(live, folder):
    async def story(program):
        window, tags = await opened(program, folder)
        images, panel = window.workspace_pane.list, window.caption_panel
        # Esc leaves the caption before it closes this notice.
        await until(window.notice_bar.isVisible)
        window.prompt_box.focus_prompt()
        QTest.keyClick(focused_widget(), KEY.Key_J, CTRL)
        assert focused_widget() is images
        window.commands[Command.IMAGE_LIST].trigger()
        await until(lambda: not images.isVisible())
        QTest.keyClick(focused_widget(), KEY.Key_J, CTRL)
        await until(lambda: images.isVisible() and images.hasFocus())
        for part in (tags.field, tags.chips, panel.editor, panel.mode_buttons[CaptionMode.TAGS]):
            part.setFocus()
            QTest.keyClick(part, KEY.Key_Escape)
            assert focused_widget() is images, part
        QTest.keyClick(images, KEY.Key_Return)
        assert focused_widget() is tags.field

    live(story)


def menu_of(chips, row, reason=QContextMenuEvent.Reason.Mouse):
    """The menu of a tag, by the right button, or of the current one by the menu key."""
    at = chips.visualRect(chips.model().index(row, 0)).center()
    if reason is QContextMenuEvent.Reason.Mouse:
        QTest.mouseClick(chips.viewport(), Qt.MouseButton.RightButton, pos=at)
    else:
        chips.setFocus()
        chips.setCurrentIndex(chips.model().index(row, 0))
    event = QContextMenuEvent(reason, at, chips.viewport().mapToGlobal(at))
    QApplication.sendEvent(chips.viewport(), event)
    menus = [one for one in QApplication.topLevelWidgets() if one.objectName() == "tag_menu"]
    [menu] = [one for one in menus if one.isVisible()]
    return {one.text().replace("&", ""): one for one in menu.actions() if one.text()}, menu


async def give(chips, row, name, reason=QContextMenuEvent.Reason.Mouse):
    actions, menu = menu_of(chips, row, reason)
    assert actions[name].isEnabled()
    menu.close()  # As Qt does before it gives the command.
    actions[name].trigger()
    chips.window().activateWindow()


@pytest.mark.parametrize(
    "reason", [QContextMenuEvent.Reason.Mouse, QContextMenuEvent.Reason.Keyboard]
)
def test_tag_has_a_menu(live, folder, reason):
    async def story(program):
        window, tags = await opened(program, folder)
        chips = tags.chips
        await give(chips, 0, "Move to the right", reason)
        await until(lambda: text(folder) == "red sky, cat, ocean\n")
        await give(chips, 2, "Move to the left", reason)
        await until(lambda: text(folder) == "red sky, ocean, cat\n")
        actions, menu = menu_of(chips, 0, reason)
        assert not actions["Move to the left"].isEnabled()
        assert not actions["Add to the selected images"].isEnabled()
        assert "Select several images" in actions["Add to the selected images"].toolTip()
        menu.close()
        await give(chips, 1, "Copy", reason)
        assert QGuiApplication.clipboard().text() == "ocean"
        await give(chips, 1, "Edit tag", reason)
        await until(lambda: chips.findChild(QLineEdit) is not None)
        field = chips.findChild(QLineEdit)
        field.selectAll()
        QTest.keyClicks(field, "sea")
        QTest.keyClick(field, KEY.Key_Return)
        await until(lambda: text(folder) == "red sky, sea, cat\n")
        await until(lambda: shown(tags) == ["red sky", "sea", "cat"])
        await give(chips, 1, "Remove tag", reason)
        await until(lambda: text(folder) == "red sky, cat\n")
        await until(lambda: shown(tags) == ["red sky", "cat"])
        await give(chips, 0, "Find images with this tag", reason)
        await until(lambda: window.workspace_pane.list.rows.rowCount() == 2)
        assert window.workspace_pane.query_line.edit.text() == 'tag:"red sky"'

    live(story)


def test_menu_is_about_all_tags_and_images_that_are_selected(live, folder):
    async def story(program):
        window, tags = await opened(program, folder)
        chips, images = tags.chips, window.workspace_pane.list
        images.select_ids(set(images.rows.ids))
        await until(lambda: window.state.workspace.selected == 3)
        for row, keys in ((0, Qt.KeyboardModifier(0)), (2, CTRL)):
            at = chips.visualRect(chips.model().index(row, 0)).topLeft() + QPoint(8, 8)
            QTest.mouseClick(chips.viewport(), LEFT, keys, at)
        await give(chips, 2, "Add to the selected images")
        await until(lambda: text(folder, 1) == "dog, red sky, cat, ocean\n")
        await until(lambda: text(folder, 2) == "cat, 海, :), ocean\n")
        assert text(folder) == f"{CAPTIONS[0]}\n"
        assert chips.chosen == ["cat", "ocean"]
        actions, menu = menu_of(chips, 0)
        assert not actions["Edit tag"].isEnabled()
        menu.close()
        await give(chips, 0, "Remove 2 tags")
        await until(lambda: text(folder) == "red sky\n")

    live(story)


async def in_view(program, name, first):
    window, tags = program.window, program.window.caption_panel.tag_editor
    await until(lambda: window.state.picture.name == name and window.state.workspace.is_known)
    await until(lambda: shown(tags)[:1] == [first])


def test_half_a_tag_stays_with_its_image_and_outlives_a_restart(live, folder):
    async def half(program):
        window, tags = await opened(program, folder)
        window.commands[Command.EDIT_CAPTION].trigger()
        QTest.keyClicks(tags.field, "cat wh")
        QTest.keyClick(tags.field, KEY.Key_PageDown)
        await in_view(program, "1.png", "dog")
        assert not tags.field.text()
        QTest.keyClicks(tags.field, "sun")
        QTest.keyClick(tags.field, KEY.Key_Return)
        await until(lambda: text(folder, 1) == "dog, red sky, sun\n")
        QTest.keyClick(tags.field, KEY.Key_PageUp)
        await in_view(program, "0.png", "cat")
        await until(lambda: tags.field.text() == "cat wh")
        assert text(folder) == f"{CAPTIONS[0]}\n"

    async def after(program):
        _window, tags = await opened(program, folder)
        await until(lambda: tags.field.text() == "cat wh")
        QTest.keyClicks(tags.field, "iskers")
        QTest.keyClick(tags.field, KEY.Key_Return)
        await until(lambda: text(folder) == "cat, red sky, ocean, cat whiskers\n")

    live(half)
    live(after)


def test_tag_that_is_being_renamed_is_renamed_in_its_image_as_one_leaves_it(live, folder):
    async def story(program):
        window, tags = await opened(program, folder)
        tags.field.setFocus()
        QTest.keyClick(tags.field, KEY.Key_Backspace)
        QTest.keyClick(tags.chips, KEY.Key_F2)
        field = focused_widget()
        assert isinstance(field, QLineEdit)
        field.selectAll()
        QTest.keyClicks(field, "sea")
        window.commands[Command.NEXT_PICTURE].trigger()
        await in_view(program, "1.png", "dog")
        await until(lambda: text(folder) == "cat, red sky, sea\n")
        assert text(folder, 1) == f"{CAPTIONS[1]}\n"

    live(story)


def test_tags_that_are_entered_early_are_those_of_the_image_in_view(live, folder):
    """The workspace is busy, so that the tags of the image in view are not known for a while."""
    busy = Event()

    async def story(program):
        window, tags = await opened(program, folder)
        window.commands[Command.EDIT_CAPTION].trigger()
        program.workspace.change(lambda workspace: busy.wait(60))
        program.tasks.begin(program.pictures.open_path(folder / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        for typed in ("new", "other"):
            QTest.keyClicks(tags.field, typed)
            QTest.keyClick(tags.field, KEY.Key_Return)
        QTest.keyClicks(tags.field, "ha")
        busy.set()
        await until(lambda: text(folder, 1) == "dog, red sky, new, other\n")
        assert tags.field.text().strip() == "ha"
        assert text(folder) == f"{CAPTIONS[0]}\n"
        assert not window.prompt_box.text

    live(story)


def test_tags_that_are_entered_early_go_to_no_other_image(live, folder):
    busy = Event()

    async def story(program):
        window, tags = await opened(program, folder)
        window.commands[Command.EDIT_CAPTION].trigger()
        program.workspace.change(lambda workspace: busy.wait(60))
        program.tasks.begin(program.pictures.open_path(folder / "1.png"))
        await until(lambda: window.state.picture.name == "1.png")
        QTest.keyClicks(tags.field, "for the dog")
        program.tasks.begin(program.pictures.open_path(folder / "2.png"))
        await until(lambda: window.state.picture.name == "2.png")
        busy.set()
        await in_view(program, "2.png", "cat")
        assert not tags.field.text()
        assert window.prompt_box.text == "for the dog"

    live(story)
