"""The pages of the settings dialog: what can be chosen, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QLocale, QRegularExpression, Slot
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QCheckBox, QLineEdit

from core.device.memory import Card
from core.engine import SETTINGS, Capability
from core.transcript import Precision
from gui.widgets.obstacle import show_obstacle
from gui.window.settings_page import SettingsPage


class AnswersPage(SettingsPage):
    """How answers are sampled. `draw_seed_check` is checked for no fixed seed."""

    def __init__(self) -> None:
        super().__init__()
        self.add_whole(
            "max_new_tokens",
            self.tr("Maximum answer length"),
            self.tr("100 tokens are about 75 words."),
            suffix=self.tr(" tokens"),
        )
        self.add_fraction(
            "temperature",
            self.tr("Temperature"),
            self.tr(
                "At 0, the same question always gets the same answer. Higher values give more "
                "varied answers."
            ),
        )
        self.add_fraction(
            "top_p",
            self.tr("Top-p"),
            self.tr(
                "Above temperature 0, chooses only among the most likely words that together "
                "reach this probability. 1 allows all words."
            ),
        )
        self.add_whole(
            "top_k",
            self.tr("Top-k"),
            self.tr(
                "Above temperature 0, chooses only among this many of the most likely words. "
                "0 allows all words."
            ),
        )
        self.add_fraction(
            "repetition_penalty",
            self.tr("Repetition penalty"),
            self.tr("Values above 1 make repeated words less likely."),
        )
        self.add_whole(
            "beams",
            self.tr("Beams"),
            self.tr(
                "Number of wordings that are followed in parallel. With more than 1, answers are "
                "slower and appear all at once."
            ),
        )
        self._add_seed()
        self.end()

    def _add_seed(self) -> None:
        control = QLineEdit()
        digits = QRegularExpression("[0-9]{1,18}")
        control.setValidator(QRegularExpressionValidator(digits, control))
        words = self.tr(
            "Above temperature 0, the same question with the same seed gets the same answer. "
            "A whole number of up to 18 digits."
        )
        block = self.add_row("seed", self.tr("Seed"), words, control)
        self.draw_seed_check = QCheckBox(self.tr("New seed for each answer"))
        self.draw_seed_check.setObjectName("draw_seed_check")
        self.draw_seed_check.toggled.connect(self._on_draw_seed_toggled)
        block.addWidget(self.draw_seed_check)

    def show_missing(self, why_not: Callable[[Capability], str]) -> None:
        """Greys out what the loaded model ignores; `why_not` says why, "" for what it follows."""
        for capability, name in SETTINGS.items():
            if control := self.controls.get(name):
                show_obstacle(control, why_not(capability))
        show_obstacle(self.draw_seed_check, why_not(Capability.SEED))
        self._on_draw_seed_toggled()

    @Slot()
    def _on_draw_seed_toggled(self) -> None:
        """A number is for a seed that is the same each time, with a model that takes one."""
        check = self.draw_seed_check
        self.controls["seed"].setEnabled(check.isEnabled() and not check.isChecked())


class ModelPage(SettingsPage):
    """Where the model computes, and how it is kept in memory."""

    def __init__(self, device: str, dtype: Precision, cards: Sequence[Card]):
        """`device` and `dtype` are those of the settings, listed even if they are not there now."""
        super().__init__()
        next_time = self.tr("Takes effect when the next model is loaded.")
        automatic = self.tr("Automatic")
        self.add_choice(
            "device",
            self.tr("Device"),
            self.tr("Where the model runs.") + f" {next_time}",
            self._devices(device, cards, automatic),
        )
        self._add_precision(dtype, cards, next_time)
        self.add_choice(
            "quantizes_cache",
            self.tr("KV cache"),
            self.tr(
                "In 8-bit, what the model keeps of each image takes half the memory: a graphics "
                "card captions more images at the same time. Answers may differ slightly."
            )
            + f" {next_time}",
            ((False, self.tr("Full")), (True, self.tr("8-bit"))),
        )
        self.add_choice(
            "may_spread",
            self.tr("When a model does not fit"),
            self.tr("A model split across graphics cards and memory is much slower.")
            + f" {next_time}",
            ((False, self.tr("Warn me")), (True, self.tr("Split it"))),
        )
        rest = self.add_whole(
            "rest_minutes",
            self.tr("Unload when idle"),
            self.tr(
                "Frees the memory after this many minutes without a question. The next question "
                "loads the model again."
            ),
            suffix=self.tr(" min"),
        )
        rest.setSpecialValueText(self.tr("Never"))
        self.end()

    def _add_precision(self, dtype: Precision, cards: Sequence[Card], next_time: str) -> None:
        automatic = self.tr("Automatic")
        has_float8 = dtype == Precision.FP8 or any(card.has_float8 for card in cards)
        precisions = [
            (precision, automatic if precision is Precision.AUTO else precision.value)
            for precision in Precision
            if precision is not Precision.FP8 or has_float8
        ]
        cost = self.tr(
            "8-bit needs about half the memory of 16-bit and 4-bit about a third. Both are faster "
            "on a graphics card. Answers may differ slightly."
        )
        if has_float8:
            cost += " " + self.tr("fp8 needs as much as 8-bit and is faster for whole folders.")
        self.add_choice("dtype", self.tr("Precision"), f"{cost} {next_time}", precisions)

    def _devices(self, device: str, cards: Sequence[Card], automatic: str) -> list[tuple[str, str]]:
        devices = [
            ("auto", automatic),
            ("cpu", self.tr("Processor (CPU)")),
            ("cuda", self.tr("Graphics card (CUDA)")),
        ]
        devices += [(f"cuda:{card.index}", _named(card, len(cards) == 1)) for card in cards]
        if device not in dict(devices):
            devices.append((device, device))
        return devices


class AppearancePage(SettingsPage):
    """Theme and text size."""

    def __init__(self) -> None:
        super().__init__()
        themes = (
            ("system", self.tr("Follow system")),
            ("light", self.tr("Light")),
            ("dark", self.tr("Dark")),
        )
        self.add_choice("theme", self.tr("Theme"), self.tr("Light or dark colours."), themes)
        self.add_whole(
            "text_percent",
            self.tr("Text size"),
            self.tr("Size of questions and answers."),
            suffix="%",
            step=10,
        )
        self.end()


class GeneralPage(SettingsPage):
    """What the program does by itself."""

    def __init__(self, languages: Sequence[str], language: str, dictionaries: str) -> None:
        """`languages` are those that spelling can be checked by, and `language` the chosen one;
        `dictionaries` is the folder for one's own."""
        super().__init__()
        self.add_choice(
            "checks_for_updates",
            self.tr("Check for updates"),
            self.tr("Only asks for the newest version. Nothing is sent or downloaded."),
            ((False, self.tr("Only when I ask")), (True, self.tr("At startup"))),
        )
        install = self.tr(
            "Install hunspell dictionaries, or put .aff and .dic files into {folder}."
        )
        help = install.format(folder=dictionaries)
        explained = self.tr("Marks misspelled words in captions.")
        if not languages:
            explained = self.tr("There is no dictionary on this computer.")
        choices = [("", self.tr("System language")), ("off", self.tr("Off"))]
        choices += [
            (one, _language_name(one)) for one in sorted({*languages, language} - {"", "off"})
        ]
        self.add_choice("spelling", self.tr("Spelling"), f"{explained} {help}", choices)
        self.end()


def _language_name(code: str) -> str:
    """Return a language by its own name, with its country and its code."""
    locale = QLocale(code)
    name = locale.nativeLanguageName()
    return f"{name} ({code})" if name and locale.language() != QLocale.Language.C else code


def _named(card: Card, is_one: bool) -> str:
    """Return its name without the maker, with its number if there are several."""
    name = card.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    number = "" if is_one else f"{card.index}: "
    return f"{number}{name}, {card.memory / 1e9:.0f} GB"
