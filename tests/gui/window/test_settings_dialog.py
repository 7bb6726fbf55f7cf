from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialogButtonBox

from core.device.memory import Card
from core.engine import SETTINGS, Missing, Ready
from core.settings import Settings
from core.transcript import ModelChoice, Precision
from gui.window.settings_dialog import SettingsDialog
from gui.window.settings_page import SettingsPage
from gui.window.view_state import LoadedState, ViewState
from tests.support.scripted_engine import ScriptedEngine

BUTTON = QDialogButtonBox.StandardButton


@pytest.fixture
def opened(qtbot):
    def opened(**values):
        dialog = SettingsDialog(Settings(**values))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        qtbot.addWidget(dialog)
        dialog.open()
        return dialog

    return opened


def write(dialog, name, text):
    control = dialog.control(name)
    control.setFocus()
    control.selectAll()
    QTest.keyClicks(control, text)
    QTest.keyClick(control, Qt.Key.Key_Tab)


def press(dialog, button):
    QTest.mouseClick(dialog.buttons.button(button), Qt.MouseButton.LeftButton)


def saved(dialog, qtbot) -> Settings:
    with qtbot.waitSignal(dialog.saved) as signal:
        press(dialog, BUTTON.Save)
    return signal.args[0]


def test_what_is_chosen_is_saved(opened, qtbot):
    dialog = opened()
    write(dialog, "temperature", "0.7")
    write(dialog, "max_new_tokens", "64")
    write(dialog, "seed", "7")
    theme = dialog.control("theme")
    theme.setCurrentIndex(theme.findData("dark"))
    settings = saved(dialog, qtbot)
    assert (settings.temperature, settings.max_new_tokens, settings.seed) == (0.7, 64, 7)
    assert settings.theme == "dark"


def test_the_given_settings_are_left_alone(qtbot):
    settings = Settings()
    dialog = SettingsDialog(settings)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.open()
    write(dialog, "beams", "4")
    saved(dialog, qtbot)
    assert settings == Settings()


def test_what_is_not_touched_keeps_its_finest_digit(opened, qtbot):
    before = {"top_p": 0.12345, "seed": 2**62, "device": "cuda:3", "last_prompt": "x"}
    settings = saved(opened(**before), qtbot)
    assert settings == Settings(**before)


def test_click_beside_the_controls_leaves_the_focus(opened, qtbot):
    dialog = opened()
    box = dialog.control("temperature")
    box.setFocus()
    page = next(one for one in dialog.findChildren(SettingsPage) if one.isVisible())
    QTest.mouseClick(page.widget(), Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert dialog.focusWidget() is box


def test_cancel_saves_nothing(opened, qtbot):
    dialog = opened()
    write(dialog, "temperature", "1")
    with qtbot.assertNotEmitted(dialog.saved):
        press(dialog, BUTTON.Cancel)
    assert not dialog.isVisible()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("temperature", 0, 2),
        ("top_p", 0.01, 1),
        ("top_k", 0, 1000),
        ("repetition_penalty", 0.5, 2),
        ("beams", 1, 8),
        ("max_new_tokens", 1, 4096),
        ("text_percent", 50, 300),
    ],
)
def test_bounds_are_those_of_the_settings_and_are_shown(opened, name, low, high):
    dialog = opened()
    control = dialog.control(name)
    assert (control.minimum(), control.maximum()) == (low, high)
    assert f"From {low} to {high}." in control.accessibleDescription()


def test_a_seed_can_be_drawn_each_time(opened, qtbot):
    dialog = opened(seed=5)
    dialog.draw_seed_check.click()
    assert not dialog.control("seed").isEnabled()
    assert saved(dialog, qtbot).seed is None


def test_a_seed_takes_digits_only(opened, qtbot):
    dialog = opened()
    write(dialog, "seed", "a1-2b3")
    assert saved(dialog, qtbot).seed == 123


def test_defaults_come_back_but_are_kept_only_on_save(opened, qtbot):
    dialog = opened(temperature=1.5, beams=3, seed=None, theme="dark")
    press(dialog, BUTTON.RestoreDefaults)
    assert dialog.control("temperature").value() == 0
    settings = saved(dialog, qtbot)
    assert settings == Settings()


def test_scrolling_over_a_value_does_not_change_it(opened):
    dialog = opened()
    control = dialog.control("temperature")
    dialog.buttons.setFocus()
    at = QPointF(control.rect().center())
    event = QWheelEvent(
        at,
        at,
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(control, event)
    assert control.value() == 0


def test_enter_saves(opened, qtbot):
    dialog = opened()
    control = dialog.control("beams")
    control.setFocus()
    with qtbot.waitSignal(dialog.saved):
        QTest.keyClick(control, Qt.Key.Key_Return)


def test_every_choice_is_explained_and_named(opened):
    dialog = opened()
    for name in ("temperature", "top_p", "seed", "device", "dtype", "theme"):
        control = dialog.control(name)
        assert control.accessibleName()
        assert len(control.accessibleDescription()) > 20


def test_each_graphics_card_can_be_chosen_by_its_name(qtbot):
    cards = (
        Card(0, "NVIDIA GeForce RTX 4090", 24 * 10**9, 0),
        Card(1, "NVIDIA GeForce RTX 3060", 12 * 10**9, 0),
    )
    dialog = SettingsDialog(Settings(), cards=cards)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    dialog.open()
    box = dialog.control("device")
    assert isinstance(box, QComboBox)
    assert [box.itemText(number) for number in (-2 + box.count(), -1 + box.count())] == [
        "0: RTX 4090, 24 GB",
        "1: RTX 3060, 12 GB",
    ]
    box.setCurrentIndex(box.findText("1: RTX 3060, 12 GB"))
    assert saved(dialog, qtbot).device == "cuda:1"


def offered_precisions(qtbot, settings: Settings, *capabilities: tuple[int, int]) -> list[str]:
    cards = [Card(number, "Card", 10**10, 0, each) for number, each in enumerate(capabilities)]
    dialog = SettingsDialog(settings, cards=cards)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    box = dialog.control("dtype")
    assert isinstance(box, QComboBox)
    assert box.currentData() == settings.dtype
    return [box.itemText(number) for number in range(box.count())]


def test_fp8_is_offered_where_a_card_multiplies_it_or_it_is_chosen(qtbot):
    assert "fp8" not in offered_precisions(qtbot, Settings())
    assert "fp8" not in offered_precisions(qtbot, Settings(), (8, 6))
    assert "fp8" in offered_precisions(qtbot, Settings(), (8, 6), (8, 9))
    assert "fp8" in offered_precisions(qtbot, Settings(dtype=Precision.FP8))


def test_idle_minutes_and_spreading_are_chosen(opened, qtbot):
    dialog = opened()
    assert dialog.control("rest_minutes").text() == "Never"
    write(dialog, "rest_minutes", "30")
    spread = dialog.control("may_spread")
    spread.setCurrentIndex(spread.findData(True))
    cache = dialog.control("quantizes_cache")
    assert cache.currentText() == "Full"
    cache.setCurrentIndex(cache.findText("8-bit"))
    settings = saved(dialog, qtbot)
    assert (settings.rest_minutes, settings.may_spread) == (30, True)
    assert settings.model_choice.may_spread
    assert settings.model_choice.quantizes_cache


def test_what_the_model_ignores_is_greyed_out_with_the_reason_and_keeps_its_value(opened, qtbot):
    dialog = opened(beams=3, seed=5, temperature=0.5)
    reason = "It takes none."
    ignored = {one: Missing(reason) for one in SETTINGS}
    facts = replace(ScriptedEngine(ModelChoice()).facts, missing=ignored)
    names = ("temperature", "top_p", "top_k", "repetition_penalty", "beams", "seed")
    usual = {name: dialog.control(name).toolTip() for name in names}
    dialog.show_state(ViewState(model=LoadedState(Ready(facts), facts)))
    for control in (*map(dialog.control, names), dialog.draw_seed_check):
        assert not control.isEnabled()
        assert control.toolTip() == control.accessibleDescription() == reason
    assert dialog.control("max_new_tokens").isEnabled()
    # Another model is loaded while the dialog is open.
    dialog.show_state(ViewState())
    assert all(dialog.control(name).isEnabled() for name in names)
    assert {name: dialog.control(name).toolTip() for name in names} == usual
    assert saved(dialog, qtbot) == Settings(beams=3, seed=5, temperature=0.5)
