"""The fields of a preset: what they cannot show is not lost by typing in another one."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.workspace import CaptionMode, Preset
from gui.widgets.theme import Theme
from gui.workspace.presets_form import PresetForm

PLAIN = Preset("Mine", ("What?",))


@pytest.fixture
def form(qtbot, qapp):
    form = PresetForm(Theme(qapp))
    qtbot.addWidget(form)
    form.show()
    return form


@pytest.mark.parametrize(
    "preset",
    [
        replace(PLAIN, vocabulary=tuple(f"tag {n} {'x' * 90}" for n in range(450))),
        replace(PLAIN, vocabulary=tuple(f"{n}" for n in range(20_000))),
        replace(PLAIN, vocabulary=("a, b", ";)", "c")),
        replace(PLAIN, temperature=7.5, max_new_tokens=90_000, most_characters=50_000),
        replace(PLAIN, temperature=0.123456, mode=CaptionMode.TAGS),
        replace(PLAIN, prefix="two\nlines", suffix=" \u2028", asks_for=("prefix", "later")),
        replace(PLAIN, prompts=("one\r\nline", " two ", "three\u2029")),
    ],
    ids=["long tags", "many tags", "tags with commas", "numbers", "mode", "texts", "prompts"],
)
def test_typing_in_one_field_changes_that_alone(form, preset):
    form.show_preset(preset)
    assert form.preset == preset
    QTest.keyClicks(form.name_edit, " too")
    assert form.preset == replace(preset, name="Mine too")
    for _ in " too":
        QTest.keyClick(form.name_edit, Qt.Key.Key_Backspace)
    assert form.preset == preset


def test_many_tags_are_named_until_they_are_removed(form):
    tags = tuple(f"tag {n}" for n in range(2000))
    form.show_preset(replace(PLAIN, vocabulary=tags, mode=CaptionMode.TAGS))
    field = form.vocabulary_edit
    assert field.text().startswith("2,000 tags: tag 0, tag 1")
    QTest.keyClicks(field, "more")
    assert len(form.preset.vocabulary) == 2000
    QTest.mouseClick(form.remove_button, Qt.MouseButton.LeftButton)
    assert form.preset.vocabulary == ()
    assert form.remove_button.isHidden()
    QTest.keyClicks(field, "cat, dog")
    assert form.preset == replace(PLAIN, vocabulary=("cat", "dog"), mode=CaptionMode.TAGS)
    form.show_preset(PLAIN)
    assert form.preset == PLAIN


def test_name_is_no_longer_than_one_that_is_read_again(form):
    form.show_preset(PLAIN)
    QTest.keyClicks(form.name_edit, "x" * 200)
    name = form.preset.name
    assert Preset.from_json(form.preset.to_json()).name == name
