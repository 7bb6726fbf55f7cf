"""The prompt box: the field, the presets, a hint, and the button that asks or stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.vocabulary import listed
from core.workspace import Preset, Presets
from gui.conversation.presets_menu import add_presets
from gui.conversation.prompt_edit import PromptEdit
from gui.conversation.prompt_offer import AskButton, Hint, ModelOffer, PromptOffer
from gui.conversation.prompt_variables import complete_variables
from gui.conversation.unknown_words import MOST_LOOKED_AT, WRITTEN_MS
from gui.widgets.buttons import key_text, set_text_beside_icon
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.theme import Theme

_NARROW = 360
_NARROW_MODELS = 440
_LONGEST_NAME = 18


class PromptBox(QFrame):
    """Enter sends, Shift+Enter breaks the line, Up and Down bring earlier prompts back.

    `asked(str)`: a prompt to answer. `stopped()`: end the answer under way. `taken_back()`: the
    question that waits for a model is to be edited. `model_chosen(ModelOffer)`: one of the models
    that are offered while there is none. `picture_pasted()`: a picture, not text, was pasted.
    `prompt_save_asked(str)`: keep what is written as a preset. `presets_edit_asked()`.
    """

    asked = Signal(str)
    stopped = Signal()
    taken_back = Signal()
    model_chosen = Signal(object)
    picture_pasted = Signal()
    prompt_save_asked = Signal(str)
    presets_edit_asked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("prompt_box")
        self._theme = theme
        self._offer = PromptOffer()
        self._saved: tuple[tuple[str, str], ...] = ()
        self._jobs: Presets | None = None
        self._unknown: tuple[str, ...] = ()
        self._written = QTimer(self, singleShot=True, interval=WRITTEN_MS)
        self._written.timeout.connect(self._look_for_unknown_words)
        self._hint_shown = Hint.NOTHING
        self._hint_texts = self._texts_of_hints()
        self._build()
        self._place()
        self._show_state()
        self.prompt_edit.sent.connect(self._on_sent)
        self.prompt_edit.escaped.connect(self.escape)
        self.prompt_edit.picture_pasted.connect(self.picture_pasted)
        self.prompt_edit.textChanged.connect(self._on_text_changed)
        self.prompt_edit.focus_changed.connect(self._on_focus_changed)
        self.ask_button.clicked.connect(self._on_ask_clicked)

    @property
    def text(self) -> str:
        """What is written."""
        return self.prompt_edit.toPlainText()

    @property
    def offer(self) -> PromptOffer:
        """What is offered now."""
        return self._offer

    def set_text(self, text: str) -> None:
        """Replaces what is written; that can be undone."""
        self.prompt_edit.replace_text(text)

    def show_offer(self, offer: PromptOffer) -> None:
        """Shows what can be asked now, and the ways to a model if there is none."""
        is_other = offer.vocabulary != self._offer.vocabulary
        self._offer = offer
        self._show_models()
        if is_other:
            self._look_for_unknown_words()
        else:
            self._show_state()

    def set_presets(self, presets: Sequence[tuple[str, str]]) -> None:
        """Offers saved prompts, as (name, prompt), in a menu."""
        self._saved = tuple(presets)
        self._fill_menu()

    def show_presets(self, presets: Presets) -> None:
        """Offers the presets of folder runs too, of which the first prompt is taken."""
        self._jobs = presets
        self._fill_menu()

    def _fill_menu(self) -> None:
        self._menu.clear()
        jobs = {one.name.casefold() for one in self._jobs.all} if self._jobs else set()
        for name, prompt in self._saved:
            if name.casefold() in jobs:
                continue
            action = self._menu.addAction(name)
            action.setToolTip(prompt)
            action.triggered.connect(partial(self._on_preset_chosen, prompt))
        if self._jobs is not None:
            self._menu.addSeparator()
            add_presets(self._menu, self._jobs, self._on_job_chosen)
            self._menu.addSeparator()
            save = self._menu.addAction(self.tr("&Save prompt as preset…"))
            save.triggered.connect(self._on_save_asked)
            edit = self._menu.addAction(self.tr("&Edit presets…"))
            edit.triggered.connect(self._on_edit_asked)
        self.presets_button.setVisible(not self._menu.isEmpty())

    def _on_job_chosen(self, preset: Preset) -> None:
        self._on_preset_chosen(preset.prompts[0])

    @Slot()
    def _on_save_asked(self) -> None:
        if prompt := self.text.strip() or self._offer.suggestion:
            self.prompt_save_asked.emit(prompt)

    @Slot()
    def _on_edit_asked(self) -> None:
        self.presets_edit_asked.emit()

    def set_history(self, prompts: Sequence[str]) -> None:
        """Takes the earlier prompts, oldest first."""
        self.prompt_edit.set_history(prompts)

    def focus_prompt(self) -> None:
        """Moves the focus to the field."""
        self.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        self.prompt_edit = PromptEdit()
        self.prompt_edit.setObjectName("prompt_edit")
        complete_variables(self.prompt_edit)
        self.prompt_edit.setAccessibleName(self.tr("Question about the image"))
        self.presets_button = QToolButton()
        self.presets_button.setObjectName("presets_button")
        set_text_beside_icon(self.presets_button, self.tr("Prompts"))
        self.presets_button.setToolTip(self.tr("Saved prompts"))
        self.presets_button.setAccessibleName(self.tr("Saved prompts"))
        self.presets_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._theme.set_icon(self.presets_button, "prompts", "text_quiet")
        self._menu = QMenu(self.presets_button)
        self._menu.setToolTipsVisible(True)
        self.presets_button.setMenu(self._menu)
        self.presets_button.hide()
        self._build_models()
        self.hint_label = ElidedLabel()
        self.hint_label.setObjectName("hint_label")
        self.hint_label.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight)
        self.ask_button = QPushButton()
        self.ask_button.setObjectName("ask_button")
        self.ask_button.setIconSize(QSize(16, 16))

    def _build_models(self) -> None:
        self.models_row = QWidget()
        self.models_row.setObjectName("models_row")
        self.model_buttons: dict[ModelOffer, QPushButton] = {}
        self._models_grid = QGridLayout(self.models_row)
        self._models_grid.setContentsMargins(0, 2, 0, 2)
        self._models_grid.setSpacing(8)
        self._models_grid.setColumnStretch(3, 1)
        for offer in (ModelOffer.LAST, ModelOffer.BUILT_IN, ModelOffer.CHOOSE):
            button = QPushButton()
            button.setProperty("class", "small")
            button.setAutoDefault(False)
            button.clicked.connect(partial(self._on_model_clicked, offer))
            self.model_buttons[offer] = button
        self._place_models(is_narrow=False)
        self.models_row.hide()

    def _place_models(self, *, is_narrow: bool) -> None:
        """In a narrow box the last model's name has a line of its own."""
        last, built_in, choose = self.model_buttons.values()
        self._models_grid.addWidget(last, 0, 0, 1, 2 if is_narrow else 1)
        self._models_grid.addWidget(built_in, int(is_narrow), 0 if is_narrow else 1)
        self._models_grid.addWidget(choose, int(is_narrow), 1 if is_narrow else 2)

    def _show_models(self) -> None:
        name, offered = self._offer.last_model, self._offer.models
        texts = {
            ModelOffer.LAST: self.tr("Load {model}").format(model=_short(name)),
            ModelOffer.BUILT_IN: self.tr("Load built-in model"),
            ModelOffer.CHOOSE: self.tr("Choose…"),
        }
        tips = {
            ModelOffer.LAST: self.tr("Load {model}, the last model").format(model=name),
            ModelOffer.BUILT_IN: self.tr("Knows drawings and works on every computer"),
            ModelOffer.CHOOSE: self.tr("Choose a model, or download one"),
        }
        for offer, button in self.model_buttons.items():
            button.setText(texts[offer])
            button.setToolTip(tips[offer])
            button.setVisible(offer in offered)
        had_focus = self.models_row.isAncestorOf(self.window().focusWidget() or self)
        self.models_row.setVisible(bool(offered))
        if had_focus and not offered:
            self.focus_prompt()

    def _place(self) -> None:
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.models_row)
        column.addWidget(self.prompt_edit)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.presets_button)
        row.addWidget(self.hint_label, 1)
        row.addWidget(self.ask_button)
        column.addLayout(row)
        QWidget.setTabOrder(self.prompt_edit, self.ask_button)
        QWidget.setTabOrder(self.ask_button, self.presets_button)

    @Slot()
    def _show_state(self) -> None:
        offer, stops = self._offer, self._offer.button is not AskButton.ASK
        has_words = bool(self.text.strip() or offer.suggestion)
        texts = {
            AskButton.ASK: (self.tr("Ask"), self.tr("Ask ({key})"), "Return", "send"),
            AskButton.STOP: (self.tr("Stop"), self.tr("Stop answering ({key})"), "Esc", "stop"),
            AskButton.TAKE_BACK: (
                self.tr("Take back"),
                self.tr("Edit the question that waits ({key})"),
                "Esc",
                "edit",
            ),
        }
        text, tip, key, icon = texts[offer.button]
        self.ask_button.setText(text)
        self.ask_button.setToolTip(tip.format(key=key_text(key)))
        self.ask_button.setEnabled(stops or (offer.can_ask and has_words))
        self.ask_button.setProperty("stops", stops)
        self._theme.set_icon(self.ask_button, icon, "text" if stops else "on_accent")
        self.ask_button.style().polish(self.ask_button)
        self.prompt_edit.stops_by_escape = stops
        self.prompt_edit.show_placeholder(offer.placeholder)
        is_free = offer.hint is Hint.NOTHING or (offer.hint is Hint.ENTER and bool(self.text))
        beside_text = Hint.MISREAD if self._unknown else Hint.NOTHING
        self._hint(beside_text if is_free else offer.hint)

    def _texts_of_hints(self) -> dict[Hint, tuple[str, str]]:
        """Returns each hint in a long form, and in a short one for a narrow box."""
        enter, stop = self.tr("Press Enter to ask"), self.tr("Press Esc to stop")
        open_first = self.tr("Open an image first")
        return {
            Hint.NOTHING: ("", ""),
            Hint.NO_MODEL: (
                self.tr("No model is loaded. Your question will wait for one."),
                self.tr("No model loaded"),
            ),
            Hint.CHOOSE_MODEL: (
                self.tr("Your question waits for a model. Choose one above."),
                self.tr("Waiting"),
            ),
            Hint.LOADING: (
                self.tr("The model is loading. Questions wait for it."),
                self.tr("Loading model"),
            ),
            Hint.WAITING: (
                self.tr("The model is loading. Your question waits for it."),
                self.tr("Question waits"),
            ),
            Hint.BUSY: (
                self.tr("An answer is being generated. Press Esc to stop it first."),
                self.tr("Press Esc first"),
            ),
            Hint.HELD: (
                self.tr("One question waits already. Press Esc to edit it."),
                self.tr("Press Esc first"),
            ),
            Hint.STOPS: (stop, stop),
            Hint.ENTER: (enter, enter),
            Hint.OPEN_FIRST: (open_first, open_first),
            Hint.MISREAD: (
                self.tr("The model may not understand {words}"),
                self.tr("Unknown: {words}"),
            ),
        }

    def _hint(self, hint: Hint) -> None:
        self._hint_shown = hint
        full, short = self._hint_texts[hint]
        warns = hint is Hint.MISREAD
        forms = [full, short]
        if warns:
            fewer = [short.format(words=listed(self._unknown, most)) for most in (3, 2, 1)]
            forms = [full.format(words=listed(self._unknown)), *fewer]
        metrics, room = self.hint_label.fontMetrics(), self.hint_label.width()
        fitting = (form for form in forms if metrics.horizontalAdvance(form) <= room)
        self.hint_label.setText(next(fitting, forms[-1]))
        self.hint_label.setToolTip(forms[0] if warns else "")
        if self.hint_label.property("warns") != warns:
            self.hint_label.setProperty("warns", warns)
            self.hint_label.style().polish(self.hint_label)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        style = Qt.ToolButtonStyle
        narrow = self.width() < _NARROW
        self.presets_button.setToolButtonStyle(
            style.ToolButtonIconOnly if narrow else style.ToolButtonTextBesideIcon
        )
        self._place_models(is_narrow=self.width() < _NARROW_MODELS)
        self._column.activate()
        self._hint(self._hint_shown)

    def _ask(self, prompt: str) -> None:
        self.prompt_edit.remember(prompt)
        # Asked once; the offer that follows the answer has none either.
        self._offer = replace(self._offer, suggestion="")
        self._show_state()
        self.asked.emit(prompt)

    @Slot()
    def _on_text_changed(self) -> None:
        """Drops a hint about what is no longer written; new words are looked at when complete."""
        self._unknown = tuple(part for part in self._unknown if part in self.text)
        self._written.start()
        self._show_state()

    @Slot()
    def _look_for_unknown_words(self) -> None:
        vocabulary = self._offer.vocabulary
        self._unknown = vocabulary.unknown(self.text[:MOST_LOOKED_AT]) if vocabulary else ()
        self._show_state()

    @Slot()
    def _on_sent(self) -> None:
        """Asks. What cannot be asked now stays in the field, and the hint says why."""
        prompt = self.text.strip() or self._offer.suggestion
        if self._offer.button is AskButton.STOP:
            self._hint(Hint.BUSY)
        elif self._offer.button is AskButton.TAKE_BACK:
            self._hint(Hint.HELD)
        elif not self._offer.can_ask:
            self._hint(Hint.OPEN_FIRST)
        elif prompt:
            self._ask(prompt)

    @Slot()
    def escape(self) -> None:
        """Ends the answer under way, or takes back the question that waits."""
        match self._offer.button:
            case AskButton.STOP:
                self.stopped.emit()
            case AskButton.TAKE_BACK:
                self.taken_back.emit()

    @Slot()
    def _on_ask_clicked(self) -> None:
        if self._offer.button is AskButton.ASK:
            self._on_sent()
        else:
            self.escape()
        self.focus_prompt()

    @Slot()
    def _on_preset_chosen(self, prompt: str, checked: bool = False) -> None:
        """Asks a preset at once if there is a picture; keeps what was being written."""
        self.focus_prompt()
        is_free = self._offer.can_ask and self._offer.button is AskButton.ASK
        if is_free and not self.text.strip():
            self._ask(prompt)
        else:
            self.prompt_edit.insert_or_replace(prompt)

    def _on_model_clicked(self, offer: ModelOffer, checked: bool = False) -> None:
        self.focus_prompt()
        self.model_chosen.emit(offer)

    @Slot(bool)
    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        self.style().polish(self)


def _short(name: str) -> str:
    """Returns a model's name in a button's length."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
