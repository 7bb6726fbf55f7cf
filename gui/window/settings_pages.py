"""The pages of the settings dialog: what can be chosen, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRegularExpression
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QCheckBox, QLineEdit

from core.device.memory import Card
from core.transcript import Precision
from gui.window.settings_page import SettingsPage

_DEVICES = (
    ("auto", "Automatic"),
    ("cpu", "Processor (CPU)"),
    ("cuda", "Graphics card (CUDA)"),
)
_DTYPES = tuple(
    (precision, "Automatic" if precision is Precision.AUTO else precision.value)
    for precision in Precision
)
_SPREAD = ((False, "Say so"), (True, "Spread it"))
_UPDATES = ((False, "When I ask"), (True, "At each start"))
_THEMES = (("system", "Like the system"), ("light", "Light"), ("dark", "Dark"))


class AnswersPage(SettingsPage):
    """How answers are sampled. `draw_seed_check` is checked for no fixed seed."""

    def __init__(self) -> None:
        super().__init__()
        self.add_whole(
            "max_new_tokens",
            "Longest answer",
            "An answer ends here at the latest. 100 tokens are about 75 words.",
            suffix=" tokens",
        )
        self.add_fraction(
            "temperature",
            "Temperature",
            "At 0 the likeliest word is always taken, and the same question gives the same"
            " answer. Higher values are more varied.",
        )
        self.add_fraction(
            "top_p",
            "Top-p",
            "Above temperature 0: only the likeliest words that together reach this share are"
            " drawn from. 1 leaves all of them in.",
        )
        self.add_whole(
            "top_k",
            "Top-k",
            "Above temperature 0: only so many of the likeliest words are drawn from. 0 leaves"
            " all of them in.",
        )
        self.add_fraction(
            "repetition_penalty",
            "Repetition penalty",
            "Above 1, words already said become less likely. 1 changes nothing.",
        )
        self.add_whole(
            "beams",
            "Beams",
            "How many wordings are followed at once. With more than 1 the answer is slower and"
            " appears all at once.",
        )
        self._add_seed()
        self.end()

    def _add_seed(self) -> None:
        control = QLineEdit()
        digits = QRegularExpression("[0-9]{1,18}")
        control.setValidator(QRegularExpressionValidator(digits, control))
        words = (
            "Above temperature 0, the same question with the same seed gives the same answer."
            " A whole number of up to 18 digits."
        )
        block = self.add_row("seed", "Seed", words, control)
        self.draw_seed_check = QCheckBox("Draw a new one for each answer")
        self.draw_seed_check.setObjectName("draw_seed_check")
        self.draw_seed_check.toggled.connect(control.setDisabled)
        block.addWidget(self.draw_seed_check)


class ModelPage(SettingsPage):
    """Where the model computes, and how it is kept in memory."""

    def __init__(self, device: str, cards: Sequence[Card]):
        """`device` is the one of the settings, listed even if it is not there now."""
        super().__init__()
        is_one = len(cards) == 1
        devices = list(_DEVICES)
        devices += [(f"cuda:{card.index}", _named(card, is_one)) for card in cards]
        if device not in dict(devices):
            devices.append((device, device))
        self.add_choice(
            "device",
            "Device",
            "Where the model computes. Takes effect when a model is loaded next.",
            devices,
        )
        self.add_choice(
            "dtype",
            "Precision",
            "8-bit needs about half the memory of 16-bit, 4-bit a third, and a graphics card"
            " answers sooner; the words may differ a little. Takes effect when a model is loaded"
            " next.",
            _DTYPES,
        )
        self.add_choice(
            "may_spread",
            "When a model does not fit",
            "Spread, it lies on all graphics cards and in the computer's own memory, and answers"
            " far more slowly. Takes effect when a model is loaded next.",
            _SPREAD,
        )
        rest = self.add_whole(
            "rest_minutes",
            "Let go of it when idle",
            "After so many minutes without a question its memory is given back; the next question"
            " loads it again. 0 is never.",
            suffix=" min",
        )
        rest.setSpecialValueText("Never")
        self.end()


class LookPage(SettingsPage):
    """Colours and text size."""

    def __init__(self) -> None:
        super().__init__()
        self.add_choice("theme", "Colours", "Light, dark, or whatever the system is.", _THEMES)
        self.add_whole(
            "text_percent",
            "Text size",
            "Of questions and answers.",
            suffix=" %",
            step=10,
        )
        self.end()


class ProgramPage(SettingsPage):
    """What the program does by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.add_choice(
            "checks_for_updates",
            "Look for updates",
            "Asks on the network whether there is a newer version, and sends nothing else."
            " Nothing is downloaded by itself.",
            _UPDATES,
        )
        self.end()


def _named(card: Card, is_one: bool) -> str:
    """Return its name without the maker, with its number if there are several."""
    name = card.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    number = "" if is_one else f"{card.index}: "
    return f"{number}{name}, {card.memory / 1e9:.0f} GB"
