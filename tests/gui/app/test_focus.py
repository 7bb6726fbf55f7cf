"""What is typed lands in the prompt, or in the caption that has the focus; and the focus is never
lost."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent, QInputMethodQueryEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from core.engine import Ready
from gui.window.commands import Command
from tests.gui.app.test_program import drop, transcript_text, type_and_enter
from tests.gui.conftest import until

KEY = Qt.Key


@pytest.fixture
def answered(live, picture_file, tmp_path):
    """Run a story in a program with two images and an answer."""

    def answered(story):
        async def whole(program):
            await until(lambda: isinstance(program.model.state, Ready))
            (tmp_path / "second.png").write_bytes(picture_file.read_bytes())
            program.window.activateWindow()
            program.window.paths_opened.emit([picture_file, tmp_path / "second.png"])
            await until(lambda: program.window.drop_zone.has_picture)
            type_and_enter(program, "say 3 words")
            await until(lambda: "word2" in transcript_text(program))
            await until(lambda: not program.session.is_answering)
            await story(program, program.window)

        live(whole)

    return answered


def focused(window) -> QWidget:
    widget = window.focusWidget()
    assert widget is not None
    assert widget.isVisible()
    return widget


def typed(window) -> str:
    """What is in the prompt after a letter was typed where the focus is."""
    QTest.keyClicks(focused(window), "x")
    QTest.keyClicks(focused(window), "y")
    return window.prompt_box.text


def test_typing_lands_in_the_prompt_from_everything_that_takes_no_text(answered):
    async def story(program, window):
        parts = [part for part in window.splitter.findChildren(QWidget) if takes_focus(part)]
        parts.append(window.status_line.state_label)
        assert len(parts) > 8
        for part in parts:
            window.prompt_box.set_text("")
            part.setFocus(Qt.FocusReason.TabFocusReason)
            assert part.hasFocus(), part.objectName()
            assert typed(window) == "xy", part.objectName() or type(part).__name__
            assert window.prompt_box.prompt_edit.hasFocus()

    answered(story)


def takes_focus(part: QWidget) -> bool:
    return part.isVisible() and part.isEnabled() and bool(part.focusPolicy() & KEYBOARD)


KEYBOARD = Qt.FocusPolicy.TabFocus


def test_folder_page_keeps_its_keys(answered, tmp_path):
    async def story(program, window):
        window.dialogs.run_chosen.emit([tmp_path])
        await until(lambda: window.batch_panel.model.items)
        window.batch_panel.show_rows()
        window.batch_panel.list.setFocus()
        QTest.keyClicks(window.batch_panel.list, "x")
        assert window.prompt_box.text == ""
        assert window.batch_panel.list.hasFocus()

    answered(story)


def test_letters_that_a_menu_has_no_use_for_do_not_reach_the_prompt(answered):
    """Those of greyed entries, and those that no entry has."""

    async def story(program, window):
        bar, prompt = window.menuBar(), window.prompt_box
        for title in bar.actions():
            bar.setFocus(Qt.FocusReason.MenuBarFocusReason)  # As Alt and a letter give it.
            menu = title.menu()
            bar.setActiveAction(title)
            await until(menu.isVisible)
            greyed = [one for one in menu.actions() if one.text() and not one.isEnabled()]
            letters = {QKeySequence.mnemonic(one.text()).toString()[-1:] for one in greyed}
            for letter in [*sorted(letters - {""}), "7"]:
                QTest.keyClicks(menu, letter.lower())
                assert prompt.text == "", (title.text(), letter)
                assert menu.isVisible(), (title.text(), letter)
            menu.close()
            await until(lambda menu=menu: not menu.isVisible())
        bar.setFocus(Qt.FocusReason.MenuBarFocusReason)
        QTest.keyClicks(bar, "7")
        assert prompt.text == ""

    answered(story)


@pytest.mark.parametrize("key", [KEY.Key_Return, KEY.Key_Escape])
def test_focus_is_in_the_prompt_after_a_question_was_edited(answered, key):
    async def story(program, window):
        window.commands[Command.EDIT_QUESTION].trigger()
        QTest.keyClick(focused(window), key)
        await until(lambda: not program.session.is_answering)
        assert window.prompt_box.prompt_edit.hasFocus()
        assert typed(window) == "xy"

    answered(story)


def test_focus_is_in_the_prompt_after_the_words_were_left(answered):
    async def story(program, window):
        window.commands[Command.WORDS].trigger()
        await until(lambda: window.evidence_view.has_chosen)
        QTest.keyClick(focused(window), KEY.Key_Escape)
        assert not window.evidence_view.has_chosen
        assert window.prompt_box.prompt_edit.hasFocus()

    answered(story)


def test_tab_that_is_clicked_takes_what_is_typed(answered):
    """From whatever had the focus, and not whatever comes next, which may be a link that Enter
    opens."""

    async def story(program, window):
        prompt, editor = window.prompt_box.prompt_edit, window.caption_panel.editor
        review = next(iter(window.caption_panel.review_row.buttons.values()))
        text = window.transcript_view.exchange_views[0].answer_text
        await until(lambda: window.state.workspace.is_known)
        for tab, part in ((0, text), (1, review), (0, text), (1, editor)):
            await until(part.isVisible)
            part.setFocus()
            click_tab(window, tab)
            await until(lambda part=part: not part.isVisible())
            assert focused(window) is (prompt, editor)[tab == 0]
        click_tab(window, 0)
        await until(lambda: not editor.isReadOnly())
        window.drop_zone.picture_view.setFocus()
        click_tab(window, 0)
        QTest.keyClicks(focused(window), "a cat")
        assert editor.toPlainText() == "a cat"
        assert window.prompt_box.text == ""

    answered(story)


def click_tab(window, tab):
    tabs = window.side_tabs.bar
    QTest.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(tab).center())


def test_arrow_keys_stay_with_the_tabs_which_pass_typing_on_to_what_they_show(answered):
    async def story(program, window):
        tabs, panel = window.side_tabs.bar, window.caption_panel
        await until(lambda: window.state.workspace.is_known)
        tabs.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(tabs, KEY.Key_Left)
        assert focused(window) is tabs
        await until(lambda: panel.isVisible() and not panel.editor.isReadOnly())
        QTest.keyClick(tabs, KEY.Key_Right)
        QTest.keyClick(tabs, KEY.Key_Left)
        assert focused(window) is tabs
        QTest.keyClicks(focused(window), "c")
        QTest.keyClicks(focused(window), "at")
        assert panel.editor.toPlainText() == "cat"
        tabs.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(tabs, KEY.Key_Right)
        assert typed(window) == "xy"

    answered(story)


@pytest.fixture
def captioned(live, picture_file, tmp_path):
    """Run a story with the caption of an image in view, which is shown as tags, too."""

    def captioned(story):
        async def whole(program):
            (tmp_path / "red.txt").write_text("a cat\n", encoding="utf-8")
            window, panel = program.window, program.window.caption_panel
            window.activateWindow()
            window.paths_opened.emit([picture_file])
            await until(lambda: window.state.workspace.is_known)
            click_tab(window, 0)
            await until(lambda: panel.editor.toPlainText() == "a cat")
            await story(program, window)

        live(whole)

    return captioned


def parts_of_caption(window, kind=QWidget) -> list:
    return [part for part in window.caption_panel.findChildren(kind) if takes_focus(part)]


def test_typing_lands_in_the_caption_from_each_of_its_parts(captioned):
    async def story(program, window):
        panel, seen = window.caption_panel, set()
        for mode in panel.mode_buttons.values():
            QTest.mouseClick(mode, Qt.MouseButton.LeftButton)
            field = focused(window)
            assert field in (panel.editor, panel.tag_editor.field)
            for part in parts_of_caption(window):
                if part is panel.editor and field is not panel.editor:
                    continue
                await until(lambda: not panel.editor.isReadOnly())
                part.setFocus(Qt.FocusReason.TabFocusReason)
                assert part.hasFocus(), part.objectName()
                before = text_in(field)
                QTest.keyClicks(focused(window), "x")
                QTest.keyClicks(focused(window), "y")
                assert text_in(field) == f"{before}xy", part.objectName()
                assert window.prompt_box.text == ""
                seen.add(part.objectName())
        assert len(seen) > 6

    captioned(story)


def test_input_method_asks_a_caption_that_is_not_read_yet(captioned):
    """It takes no text then, and typed text is meant for it."""

    async def story(program, window):
        editor = window.caption_panel.editor
        editor.setFocus()
        program.caption_editing.begin_reading()
        assert editor.isReadOnly()
        window.drop_zone.picture_view.setFocus()
        editor.setFocus()
        query = QInputMethodQueryEvent(Qt.InputMethodQuery.ImEnabled)
        QApplication.sendEvent(editor, query)
        compose(editor, "", "x")
        assert window.prompt_box.text == ""
        program.caption_editing.end_reading()

    captioned(story)


def text_in(field) -> str:
    return field.text() if isinstance(field, QLineEdit) else field.toPlainText()


def test_clicks_on_buttons_of_the_caption_leave_the_focus_to_whoever_writes(captioned):
    """In the caption, in the tags, and in the prompt where the button changes no caption."""

    async def story(program, window):
        panel = window.caption_panel
        for mode in panel.mode_buttons.values():
            QTest.mouseClick(mode, Qt.MouseButton.LeftButton)
            field, buttons = focused(window), parts_of_caption(window, QAbstractButton)
            assert len(buttons) > 5
            for button in buttons:
                if button in panel.mode_buttons.values() and button is not mode:
                    continue
                field.setFocus()
                QTest.mouseClick(button, Qt.MouseButton.LeftButton)
                while (menu := QApplication.activePopupWidget()) is not None:
                    menu.close()
                assert focused(window) is field, button.objectName()
        for button in panel.review_row.buttons.values():
            window.prompt_box.focus_prompt()
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            assert focused(window) is window.prompt_box.prompt_edit

    captioned(story)


@pytest.mark.parametrize("is_ours", [True, False])
def test_caption_that_is_chosen_of_two_can_be_written_on(captioned, tmp_path, is_ours):
    async def story(program, window):
        panel = window.caption_panel
        QTest.keyClicks(panel.editor, "x")
        (tmp_path / "red.txt").write_text("a lion\n", encoding="utf-8")
        window.prompt_box.focus_prompt()
        await until(panel.conflict_bar.isVisible)
        button = panel.ours_button if is_ours else panel.theirs_button
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert focused(window) is panel.editor
        QTest.keyClicks(panel.editor, "!")
        assert panel.editor.toPlainText() == ("a catx!" if is_ours else "a lion!")

    captioned(story)


def test_clicks_on_buttons_leave_the_focus_in_the_prompt(answered):
    async def story(program, window):
        body = window.transcript_view.exchange_views[0].body
        buttons = (
            window.drop_zone.model_view_switch.show_button,
            window.drop_zone.scale_button,
            body.copy_button,
            window.prompt_box.ask_button,
        )
        for button in buttons:
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            assert typed(window) == "xy", button.objectName()
            window.prompt_box.set_text("")

    answered(story)


def test_undo_reaches_the_conversation_unless_something_was_typed(live, picture_file):
    async def story(program):
        await until(lambda: isinstance(program.model.state, Ready))
        drop(program, picture_file)
        await until(lambda: program.window.drop_zone.has_picture)
        await program.session.ask("say 3 words")
        window, edit = program.window, program.window.prompt_box.prompt_edit
        ctrl, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

        def struck():
            return program.session.transcript.exchanges[0].struck

        program.session.strike(0, (0, 5), is_struck=True)
        window.activateWindow()
        window.prompt_box.focus_prompt()
        QTest.keyClick(edit, KEY.Key_Z, ctrl)
        assert struck() == ()
        QTest.keyClick(edit, KEY.Key_Z, ctrl | shift)
        assert struck() == ((0, 5),)
        QTest.keyClicks(edit, "words")
        QTest.keyClick(edit, KEY.Key_Z, ctrl)
        assert window.prompt_box.text == ""
        assert struck() == ((0, 5),)
        window.drop_zone.picture_view.setFocus()
        window.commands[Command.UNDO].trigger()
        assert struck() == ()

    live(story)


def compose(widget, preedit, commit=""):
    """What an input method says while a text is composed in it."""
    event = QInputMethodEvent(preedit, [])
    event.setCommitString(commit)
    QApplication.sendEvent(widget, event)


@pytest.mark.parametrize("where", ["picture_view", "ask_button", "answer"])
def test_input_method_composes_in_the_prompt_from_where_nothing_takes_text(answered, where):
    async def story(program, window):
        widget = {
            "picture_view": window.drop_zone.picture_view,
            "ask_button": window.transcript_view.exchange_views[0].body.copy_button,
            "answer": window.transcript_view.exchange_views[0].answer_text,
        }[where]
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        query = QInputMethodQueryEvent(Qt.InputMethodQuery.ImEnabled)
        QApplication.sendEvent(widget, query)
        assert query.value(Qt.InputMethodQuery.ImEnabled) is True
        compose(widget, "ni")
        assert widget.hasFocus()  # Moving it would end the composition.
        assert window.prompt_box.text == ""
        compose(widget, "", "你")
        assert window.prompt_box.text == "你"
        assert window.prompt_box.prompt_edit.hasFocus()

    answered(story)
