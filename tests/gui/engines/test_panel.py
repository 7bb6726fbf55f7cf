"""The panel, the line and the dialog in every state: what is said, and what can be done."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from gui.engines import wording
from gui.engines.dialog import EngineDialog
from gui.engines.line import EngineLine
from gui.engines.panel import EnginePanel
from gui.engines.state import Stage
from gui.engines.wording import EngineAction
from gui.widgets.line_break import breakable
from tests.support.engine_states import CARD, DRIVEN, PARTIAL, STATES, pack, seen
from tests.support.translation import shown_texts, untranslated


@pytest.fixture
def panel(qtbot):
    panel = EnginePanel()
    dialog = EngineDialog(panel)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.show()
    return panel


def captions(panel):
    return [button.text() for button in panel.buttons if button.isVisible()]


def click(panel, caption):
    (button,) = [one for one in panel.buttons if one.isVisible() and one.text() == caption]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(
    ("name", "stage", "words", "offered"),
    [
        ("looking", Stage.LOOKING, "Looking", []),
        ("from source", Stage.FROM_SOURCE, "installed with Python", []),
        ("own CUDA", Stage.OWN_CUDA, "needs no engine pack", []),
        ("own CUDA, no card", Stage.OWN_CUDA, "no graphics card", []),
        ("offered", Stage.OFFERED, "fits in 4 bits", ["Download", "Get from folder…"]),
        (
            *("offered, with a damaged pack", Stage.OFFERED, "not used: it is damaged"),
            ["Download", "Get from folder…", "Remove…"],
        ),
        ("getting", Stage.GETTING, "on the processor", ["Pause", "Cancel"]),
        ("paused", Stage.PAUSED, "licences", ["Resume", "Discard download"]),
        ("lost", Stage.PAUSED, "licences", ["Resume", "Discard download"]),
        ("needs a restart", Stage.NEEDS_RESTART, "Restart Onlooker", ["Restart", "Remove…"]),
        ("in use", Stage.IN_USE, "on the graphics card", ["Remove…"]),
        ("removed", Stage.REMOVED, "Restart Onlooker", ["Restart"]),
        ("removing", Stage.REMOVING, "Removing", []),
        (
            *("outdated", Stage.OUTDATED, "another version of Onlooker"),
            ["Download", "Get from folder…", "Remove…"],
        ),
        ("failed", Stage.FAILED, "failed its trial", ["Try again", "Remove…"]),
        ("old driver", Stage.DRIVER, "driver 580 or newer", []),
        ("no driver", Stage.DRIVER, "Install the driver", []),
        ("hanging driver", Stage.DRIVER, "Restart the computer", []),
        ("old card", Stage.NONE, "Tesla K80 is too old", []),
        ("AMD", Stage.NONE, "ROCm", []),
        ("Apple", Stage.NONE, "Metal", []),
        ("Intel", Stage.NONE, "Intel", []),
        ("no card", Stage.NONE, "no graphics card", []),
        ("no packs", Stage.NONE, "cannot get PyTorch for graphics cards on", []),
        ("damaged list", Stage.NONE, "Install Onlooker again", []),
    ],
)
def test_each_state_says_where_one_is_and_what_can_be_done(panel, name, stage, words, offered):
    panel.show_state(STATES[name])
    assert STATES[name].stage is stage
    assert words in panel.sentence_label.text().replace("\u200b", "")
    assert captions(panel) == offered


def test_offer_names_card_size_licences_and_folder(panel):
    panel.show_state(STATES["offered"])
    texts = {text.replace("\u200b", "") for text in shown_texts(panel)}
    assert {f"{CARD.name}, 8.6 GB", "580.65.06, for CUDA 13.0"} <= texts
    assert "BSD-3-Clause, NVIDIA Proprietary Software" in texts
    assert "502 kB, 800 kB on the disk" in texts
    assert "/home/ada/.local/share/onlooker/engines" in texts


def test_facts_of_another_state_do_not_stay(panel):
    panel.show_state(STATES["outdated"])
    panel.show_state(STATES["no card"])
    assert "Licences" not in {
        label.text() for label in panel.findChildren(type(panel.error_label)) if label.isVisible()
    }


@pytest.mark.parametrize("name", STATES)
def test_notice_is_short_and_made_only_where_something_can_be_done(name):
    text = wording.notice_sentence(STATES[name])
    announced = {"offered", "outdated", "failed", "old driver", "no driver", "hanging driver"}
    assert bool(text) == (name in {*announced, "offered, with a damaged pack"})
    assert len(text) < 220


def test_failure_is_shown_until_the_next_attempt(panel):
    panel.show_state(STATES["lost"])
    assert "connection to files.pythonhosted.org was lost" in panel.error_label.text().replace(
        "\u200b", ""
    )
    assert panel.error_frame.isVisible()
    panel.show_state(STATES["getting"])
    assert not panel.error_frame.isVisible()


@pytest.mark.parametrize(
    ("name", "caption", "action"),
    [
        ("offered", "Download", EngineAction.GET),
        ("getting", "Pause", EngineAction.PAUSE),
        ("getting", "Cancel", EngineAction.CANCEL),
        ("paused", "Resume", EngineAction.GET),
        ("paused", "Discard download", EngineAction.CANCEL),
        ("failed", "Try again", EngineAction.GET),
        ("needs a restart", "Restart", EngineAction.RESTART),
        ("removed", "Restart", EngineAction.RESTART),
    ],
)
def test_buttons_say_what_is_wanted(panel, qtbot, name, caption, action):
    panel.show_state(STATES[name])
    with qtbot.waitSignal(panel.acted) as acted:
        click(panel, caption)
    assert acted.args == [action]


def test_removal_is_confirmed_first(panel, qtbot):
    panel.show_state(STATES["in use"])
    said = []
    panel.acted.connect(said.append)
    for answer, expected in (("Cancel", []), ("Remove", [EngineAction.REMOVE])):
        click(panel, "Remove…")
        (box,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]
        assert "4.9 GB" in box.informativeText()
        assert "restart" in box.informativeText()
        (button,) = [one for one in box.findChildren(QPushButton) if one.text() == answer]
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert said == expected
        QApplication.sendPostedEvents(box, 0)
        qtbot.waitUntil(lambda: not _boxes())


def _boxes():
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox)]


def test_keyboard_stays_on_the_buttons_when_they_change(panel, qtbot):
    panel.show_state(STATES["offered"])
    panel.window().activateWindow()
    panel.buttons[0].setFocus()
    QTest.keyClick(panel.buttons[0], Qt.Key.Key_Tab)
    assert panel.buttons[1].hasFocus()
    panel.show_state(STATES["in use"])
    assert panel.buttons[0].hasFocus()
    assert captions(panel) == ["Remove…"]


def test_progress_does_not_take_the_focus_from_a_button(panel):
    panel.show_state(STATES["getting"])
    panel.window().activateWindow()
    panel.buttons[1].setFocus()
    panel.show_state(STATES["trying"])
    assert panel.buttons[1].hasFocus()


@pytest.mark.parametrize("name", STATES)
def test_nothing_is_shown_untranslated(bracketed, qtbot, name):
    state = STATES[name]
    panel, line = EnginePanel(), EngineLine()
    qtbot.addWidget(panel)
    qtbot.addWidget(line)
    panel.show_state(state)
    line.show_state(state)
    found = state.overview
    data = [str(state.engines), state.problem, "Downloading nvidia-cublas"]
    data += ["Trying the engine pack on the graphics card", "MB/s", "files.pythonhosted.org"]
    if found:
        names = [card.name for card in found.graphics.cards]
        data += [*names, *found.graphics.makers, found.graphics.driver, found.torch, found.in_use]
        data += ["cuda130", "LLaVA-1.5-7b", "torch/lib/libtorch_cuda.so", "BSD-3-Clause"]
        data += ["NVIDIA Proprietary Software", "NVIDIA", "PyTorch cannot use the card: CUDA "]
        data += ["driver version is insufficient."]
    data = [form for one in data if one for form in (one, breakable(one))]
    assert untranslated(panel, *data) == []
    assert untranslated(line, *data) == []


@pytest.mark.parametrize("name", STATES)
def test_line_says_it_in_a_few_words_and_opens_more(qtbot, name):
    line = EngineLine()
    qtbot.addWidget(line)
    line.resize(500, 40)
    line.show_state(STATES[name])
    assert line.label.text() == wording.short_sentence(STATES[name])
    assert 10 < len(line.label.text()) < 70
    with qtbot.waitSignal(line.details_asked):
        QTest.mouseClick(line.button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize("name", STATES)
def test_everything_fits_a_small_window(panel, qtbot, name):
    dialog = panel.window()
    panel.show_state(STATES[name])
    QApplication.processEvents()
    dialog.resize(dialog.minimumSize())
    assert dialog.width() <= 640
    assert dialog.height() <= 400
    for button in panel.buttons:
        if button.isVisible():
            left = button.mapTo(dialog, button.rect().topLeft()).x()
            assert left + button.width() <= dialog.width(), button.text()


def test_part_of_a_download_larger_than_the_rest_of_it_is_no_progress_beyond_its_end(panel):
    unpacked = pack(PARTIAL.state, size=10 * PARTIAL.size)
    panel.show_state(seen(DRIVEN, unpacked))
    assert panel.progress.bar.value() == panel.progress.bar.maximum()
