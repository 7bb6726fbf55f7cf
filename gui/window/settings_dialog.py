"""Edits a copy of the settings, in plain words and within their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QRegularExpression, Qt, Signal, Slot
from PySide6.QtGui import QRegularExpressionValidator, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from core.device.memory import Card
from core.settings import Settings
from core.transcript import Precision

_CONTROL_SIZE = (184, 30)
_LIST_MARGIN = 24
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


class SettingsDialog(QDialog):
    """Open it with `open()`. `saved(Settings)`: a copy with what the user chose.

    Only what the user touched differs from the settings it was given.
    """

    saved = Signal(object)

    def __init__(
        self, settings: Settings, parent: QWidget | None = None, cards: Sequence[Card] = ()
    ):
        """`cards` are the CUDA cards to choose from."""
        super().__init__(parent)
        self.setObjectName("settings_dialog")
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings = settings.model_copy(deep=True)
        self._cards = cards
        self._values: dict[str, Any] = {}
        self._controls: dict[str, QWidget] = {}
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self._build_answers()
        self._build_model()
        self._build_look()
        self._build_program()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.RestoreDefaults | buttons.Cancel | buttons.Save)
        for button in self.buttons.buttons():
            if isinstance(button, QPushButton):
                button.setAutoDefault(False)
        self.buttons.button(buttons.Save).setDefault(True)
        self.buttons.accepted.connect(self._on_save)
        self.buttons.rejected.connect(self.reject)
        self.buttons.button(buttons.RestoreDefaults).clicked.connect(self._on_restore_defaults)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 16)
        column.setSpacing(12)
        column.addWidget(self.tabs, 1)
        row = QHBoxLayout()
        row.setContentsMargins(24, 0, 24, 0)
        row.addWidget(self.buttons)
        column.addLayout(row)
        self.resize(560, 600)
        self._show(self._settings)

    def control(self, name: str) -> QWidget:
        """What edits the field `name` of Settings."""
        return self._controls[name]

    # Pages

    def _build_answers(self) -> None:
        page = self._page("Answers")
        self._whole(
            page,
            "max_new_tokens",
            "Longest answer",
            "An answer ends here at the latest. 100 tokens are about 75 words.",
            suffix=" tokens",
        )
        self._fraction(
            page,
            "temperature",
            "Temperature",
            "At 0 the likeliest word is always taken, and the same question gives the same"
            " answer. Higher values are more varied.",
        )
        self._fraction(
            page,
            "top_p",
            "Top-p",
            "Above temperature 0: only the likeliest words that together reach this share are"
            " drawn from. 1 leaves all of them in.",
        )
        self._whole(
            page,
            "top_k",
            "Top-k",
            "Above temperature 0: only so many of the likeliest words are drawn from. 0 leaves"
            " all of them in.",
        )
        self._fraction(
            page,
            "repetition_penalty",
            "Repetition penalty",
            "Above 1, words already said become less likely. 1 changes nothing.",
        )
        self._whole(
            page,
            "beams",
            "Beams",
            "How many wordings are followed at once. With more than 1 the answer is slower and"
            " appears all at once.",
        )
        self._seed(page)
        page.addStretch(1)

    def _build_model(self) -> None:
        page = self._page("Model")
        is_one = len(self._cards) == 1
        devices = list(_DEVICES)
        devices += [(f"cuda:{card.index}", _named(card, is_one)) for card in self._cards]
        if self._settings.device not in dict(devices):
            devices.append((self._settings.device, self._settings.device))
        self._choice(
            page,
            "device",
            "Device",
            "Where the model computes. Takes effect when a model is loaded next.",
            devices,
        )
        self._choice(
            page,
            "dtype",
            "Precision",
            "8-bit needs about half the memory of 16-bit, 4-bit a third, and a graphics card"
            " answers sooner; the words may differ a little. Takes effect when a model is loaded"
            " next.",
            _DTYPES,
        )
        self._choice(
            page,
            "may_spread",
            "When a model does not fit",
            "Spread, it lies on all graphics cards and in the computer's own memory, and answers"
            " far more slowly. Takes effect when a model is loaded next.",
            _SPREAD,
        )
        rest = self._whole(
            page,
            "rest_minutes",
            "Let go of it when idle",
            "After so many minutes without a question its memory is given back; the next question"
            " loads it again. 0 is never.",
            suffix=" min",
        )
        rest.setSpecialValueText("Never")
        page.addStretch(1)

    def _build_look(self) -> None:
        page = self._page("Look")
        self._choice(page, "theme", "Colours", "Light, dark, or whatever the system is.", _THEMES)
        self._whole(
            page,
            "text_percent",
            "Text size",
            "Of questions and answers.",
            suffix=" %",
            step=10,
        )
        page.addStretch(1)

    def _build_program(self) -> None:
        page = self._page("Program")
        self._choice(
            page,
            "checks_for_updates",
            "Look for updates",
            "Asks on the network whether there is a newer version, and sends nothing else."
            " Nothing is downloaded by itself.",
            _UPDATES,
        )
        page.addStretch(1)

    # Rows

    def _page(self, title: str) -> QVBoxLayout:
        inside = QWidget()
        inside.setObjectName("settings_page")
        rows = QVBoxLayout(inside)
        rows.setContentsMargins(24, 20, 24, 12)
        rows.setSpacing(20)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        self.tabs.addTab(area, title)
        return rows

    def _row(
        self, page: QVBoxLayout, name: str, title: str, words: str, control: QWidget
    ) -> QVBoxLayout:
        control.setObjectName(f"{name}_control")
        control.setAccessibleName(title)
        control.setAccessibleDescription(words)
        control.setFixedSize(*_CONTROL_SIZE)
        if isinstance(control, QAbstractSpinBox):
            # The stylesheet's padding does not reach the text of a spin box.
            control.lineEdit().setTextMargins(6, 0, 0, 0)
        title_label = QLabel(title)
        title_label.setBuddy(control)
        words_label = QLabel(words)
        words_label.setProperty("class", "explanation")
        words_label.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(title_label, 1)
        head.addWidget(control)
        block = QVBoxLayout()
        block.setSpacing(4)
        block.addLayout(head)
        block.addWidget(words_label)
        page.addLayout(block)
        self._controls[name] = control
        return block

    def _whole(
        self,
        page: QVBoxLayout,
        name: str,
        title: str,
        words: str,
        suffix: str = "",
        step: int = 1,
    ) -> QSpinBox:
        low, high = _bounds(name)
        control = _Whole()
        control.setRange(int(low), int(high))
        control.setSingleStep(step)
        control.setSuffix(suffix)
        words = f"{words} From {low:.0f} to {high:.0f}."
        self._row(page, name, title, words, control)
        return control

    def _fraction(self, page: QVBoxLayout, name: str, title: str, words: str) -> None:
        low, high = _bounds(name)
        control = _Fraction()
        control.setDecimals(2)
        control.setSingleStep(0.05)
        control.setRange(low or (0.01 if _is_open_below(name) else 0), high)
        words = f"{words} From {control.minimum():g} to {high:g}."
        self._row(page, name, title, words, control)

    def _choice(
        self,
        page: QVBoxLayout,
        name: str,
        title: str,
        words: str,
        choices: Sequence[tuple[object, str]],
    ) -> None:
        control = _Choice()
        for value, shown in choices:
            control.addItem(shown, value)
        # The list may be wider than the box, for the names of cards.
        control.view().setMinimumWidth(control.view().sizeHintForColumn(0) + _LIST_MARGIN)
        self._row(page, name, title, words, control)

    def _seed(self, page: QVBoxLayout) -> None:
        control = QLineEdit()
        digits = QRegularExpression("[0-9]{1,18}")
        control.setValidator(QRegularExpressionValidator(digits, control))
        words = (
            "Above temperature 0, the same question with the same seed gives the same answer."
            " A whole number of up to 18 digits."
        )
        block = self._row(page, "seed", "Seed", words, control)
        self.draw_seed_check = QCheckBox("Draw a new one for each answer")
        self.draw_seed_check.setObjectName("draw_seed_check")
        self.draw_seed_check.toggled.connect(control.setDisabled)
        block.addWidget(self.draw_seed_check)

    # Values

    def _show(self, settings: Settings) -> None:
        for name, control in self._controls.items():
            value = getattr(settings, name)
            match control:
                case QSpinBox() | QDoubleSpinBox():
                    control.setValue(value)
                case QComboBox():
                    control.setCurrentIndex(control.findData(value))
                case QLineEdit():
                    self.draw_seed_check.setChecked(value is None)
                    control.setText("0" if value is None else str(value))
        if settings is self._settings:
            self._values = {name: self._value(name) for name in self._controls}

    def _value(self, name: str) -> Any:
        control = self._controls[name]
        match control:
            case QDoubleSpinBox():
                return round(control.value(), control.decimals())
            case QSpinBox():
                return control.value()
            case QComboBox():
                return control.currentData()
            case QLineEdit():
                return None if self.draw_seed_check.isChecked() else int(control.text() or 0)
        raise TypeError(name)

    @Slot()
    def _on_save(self) -> None:
        """What was not touched keeps its value, however fine it was."""
        for name, before in self._values.items():
            if (now := self._value(name)) != before:
                setattr(self._settings, name, now)
        self.saved.emit(self._settings)
        self.accept()

    @Slot()
    def _on_restore_defaults(self) -> None:
        """The fields of this dialog; nothing is kept before Save."""
        self._show(Settings())


class _Whole(QSpinBox):
    """Turned by the wheel only while it has the focus: scrolling the page changes nothing."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _Fraction(QDoubleSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _Choice(QComboBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _named(card: Card, is_one: bool) -> str:
    """Without what all have in common; with its number where there are several."""
    name = card.name.removeprefix("NVIDIA ").removeprefix("GeForce ")
    number = "" if is_one else f"{card.index}: "
    return f"{number}{name}, {card.memory / 1e9:.0f} GB"


def _bounds(name: str) -> tuple[float, float]:
    """The smallest and largest value of a field, from Settings itself."""
    low, high = 0.0, 0.0
    for rule in Settings.model_fields[name].metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high


def _is_open_below(name: str) -> bool:
    return any(hasattr(rule, "gt") for rule in Settings.model_fields[name].metadata)
