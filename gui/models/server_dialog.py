"""Asks for a server that runs models: its address and key, which model, and whether that sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.errors import ServerError
from core.model_reference import ServerModel
from core.remote.address import read_addresses
from core.remote.canary import Sight
from core.remote.discovery import FoundServer
from core.remote.keys import one_key_for_several
from core.remote.opening import Checked
from gui.widgets.screen_fit import ScreenFit, moved_inside
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.translated import translated, translated_all

_WIDTH = 520
_BELOW, _BETWEEN = 4, 12


@dataclass(frozen=True)
class ServerQuestion:
    """What to try: an address as it was typed, a key, "" for the one that is kept, and a model."""

    address: str
    key: str
    model: str


class ServerDialog(QDialog):
    """Show it with `show()`. It keeps no key and never shows one."""

    test_asked = Signal(object)
    """A `ServerQuestion`."""
    search_asked = Signal()
    use_asked = Signal(object, str)
    """The `ServerModel`, and a key to keep, "" for none."""
    closed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("server_dialog")
        self.setWindowTitle(self.tr("Use a server"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._is_testing = False
        self._build_fields()
        self._build_result()
        self._content = QWidget()
        inside = QVBoxLayout(self._content)
        inside.setContentsMargins(0, 0, 8, 0)
        inside.setSpacing(12)
        inside.addWidget(self._explanation())
        inside.addLayout(self._form())
        inside.addWidget(self.result_label)
        inside.addWidget(self.caption_label)
        inside.addStretch(1)
        self._page = ScrolledPage(self._content)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 16, 16)
        column.setSpacing(12)
        column.addWidget(self._page, 1)
        column.addLayout(self._foot())
        self.setMinimumWidth(_WIDTH)
        ScreenFit(self)
        self.finished.connect(self.closed)
        self.address_edit.editTextChanged.connect(self._on_changed)
        self.model_edit.editTextChanged.connect(self._on_changed)
        self._on_changed()

    # What it shows

    def show_models(self, names: Sequence[str]) -> None:
        """Offer the models that the server has."""
        typed = self.model_edit.currentText().strip()
        self.model_edit.clear()
        self.model_edit.addItems(list(names))
        self.model_edit.setEditText(typed if typed in names else names[0] if names else "")
        count = len(names)
        if count == 1 or typed in names:
            self._show(self.tr("Asking the model about drawings…"))
            return
        self._end_test()
        if names:
            text = self.tr("The server has {count} models. Choose one, then test again.")
            self._show(text.format(count=count))
        else:
            self._show(self.tr("The server lists no model. Load one in the server."), is_bad=True)

    def show_checked(self, checked: Checked) -> None:
        """Show what became of the test."""
        self._end_test()
        seconds = f"{checked.answer_seconds:.1f}"
        if checked.sight is Sight.BLIND:
            text = self.tr(
                "“{model}” answers, but does not see images. Choose a model that takes images."
            )
            self._show(text.format(model=checked.model), is_bad=True)
            return
        count = len(self._question.address.split())
        text = self.tr("The model sees images. It answered in {seconds} s.")
        if count > 1:
            text = self.tr(
                "The model sees images on all {count} servers. The slowest answered in {seconds} s."
            )
        notes = translated_all(checked.notes)
        self._show(f"{text.format(seconds=seconds, count=count)} {notes}".strip())
        caption = self.tr("It says of a sample: {caption}").format(caption=checked.caption)
        self.caption_label.setText(caption if checked.caption else "")
        self.caption_label.setVisible(bool(checked.caption))
        self._make_room()

    def show_found(self, found: Sequence[FoundServer]) -> None:
        """Offer the servers on this computer."""
        self._end_test()
        typed = self.address_edit.currentText().strip()
        self.address_edit.clear()
        self.address_edit.addItems([one.address for one in found])
        if not found:
            self.address_edit.setEditText(typed)
            self._show(self.tr("No server answers at the usual ports of this computer."))
            return
        self.address_edit.setEditText(found[0].address)
        names = ", ".join(f"{one.address} ({one.product})" for one in found)
        self._show(self.tr("Found {servers}.").format(servers=names))

    def show_error(self, error: Exception) -> None:
        """Show why the test failed."""
        self._end_test()
        self._show(translated(error), is_bad=True)

    # Parts

    def _explanation(self) -> QLabel:
        words = QLabel(
            self.tr(
                "Onlooker can use a model on another computer, or in another program on this one: "
                "vLLM, llama.cpp, Ollama, LM Studio and others. Images and prompts are sent there."
            )
        )
        words.setWordWrap(True)
        return words

    def _build_fields(self) -> None:
        self.address_edit = QComboBox()
        self.address_edit.setObjectName("server_address")
        self.address_edit.setEditable(True)
        self.address_edit.setAccessibleName(self.tr("Address"))
        self._set_placeholder(self.address_edit, "http://localhost:8000")
        self.key_edit = QLineEdit()
        self.key_edit.setObjectName("server_key")
        self.key_edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.key_edit.setPlaceholderText(self.tr("Only if the server requires one"))
        self.key_edit.setAccessibleName(self.tr("Key"))
        self.model_edit = QComboBox()
        self.model_edit.setObjectName("server_model")
        self.model_edit.setEditable(True)
        self.model_edit.setAccessibleName(self.tr("Model"))
        self._set_placeholder(self.model_edit, self.tr("Test to see the server's models"))
        self.search_button = QPushButton(self.tr("Find"))
        self.search_button.setObjectName("server_search_button")
        self.search_button.setToolTip(
            self.tr("Look for servers at the usual ports of this computer")
        )
        self.search_button.clicked.connect(self._on_search)
        self.test_button = QPushButton(self.tr("Test"))
        self.test_button.setObjectName("server_test_button")
        self.test_button.clicked.connect(self._on_test)
        for button in (self.search_button, self.test_button):
            button.setProperty("class", "small")
            button.setAutoDefault(False)

    def _set_placeholder(self, box: QComboBox, text: str) -> None:
        line = box.lineEdit()
        assert line is not None
        line.setPlaceholderText(text)

    def _build_result(self) -> None:
        self.result_label = QLabel()
        self.result_label.setObjectName("server_result")
        self.caption_label = QLabel()
        self.caption_label.setObjectName("server_caption")
        for label in (self.result_label, self.caption_label):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setProperty("class", "explanation")
            label.hide()

    def _form(self) -> QGridLayout:
        kept = _explanation(
            self.tr("The key is stored in this system's keyring and sent only there.")
        )
        form = QGridLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(_BELOW)
        form.setColumnStretch(1, 1)
        for name, field, button, words in (
            (self.tr("Address"), self.address_edit, self.search_button, self._several()),
            (self.tr("Key"), self.key_edit, None, kept),
            (self.tr("Model"), self.model_edit, self.test_button, None),
        ):
            row = form.rowCount()
            # In one line with the field, which an explanation would shift it against.
            label = QLabel(name)
            label.setBuddy(field)
            beside = QHBoxLayout()
            beside.setSpacing(8)
            beside.addWidget(field, 1)
            if button is not None:
                beside.addWidget(button)
            form.setRowMinimumHeight(row, _BETWEEN - 2 * _BELOW if row > 1 else 0)
            form.addWidget(label, row + 1, 0)
            form.addLayout(beside, row + 1, 1)
            if words is not None:
                form.addWidget(words, row + 2, 1)
        return form

    def _several(self) -> QLabel:
        return _explanation(
            self.tr(
                "Several servers share a folder run: separate their addresses by spaces. With “,2” "
                "behind its address, a server gets twice as many images."
            )
        )

    def _foot(self) -> QHBoxLayout:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        # Else Enter in a field cancels, while there is nothing to use yet.
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        self.use_button = QPushButton(self.tr("Use"))
        self.use_button.setObjectName("server_use_button")
        self.use_button.setDefault(True)
        buttons.addButton(self.use_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._on_use)
        buttons.rejected.connect(self.reject)
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 8, 0)
        foot.addWidget(buttons)
        return foot

    # What is done

    @property
    def _question(self) -> ServerQuestion:
        return ServerQuestion(
            self.address_edit.currentText().strip(),
            self.key_edit.text().strip(),
            self.model_edit.currentText().strip(),
        )

    @Slot()
    def _on_changed(self) -> None:
        asked = self._question
        self.test_button.setEnabled(bool(asked.address) and not self._is_testing)
        self.search_button.setEnabled(not self._is_testing)
        self.use_button.setEnabled(bool(asked.address and asked.model))

    @Slot()
    def _on_test(self) -> None:
        self._begin_test(self.tr("Asking the server…"))
        self.test_asked.emit(self._question)

    @Slot()
    def _on_search(self) -> None:
        self._begin_test(self.tr("Looking for servers…"))
        self.search_asked.emit()

    @Slot()
    def _on_use(self) -> None:
        asked = self._question
        try:
            addresses = read_addresses(asked.address)
        except ServerError as error:
            self.show_error(error)
            return
        if asked.key and len(addresses) > 1:
            self.show_error(one_key_for_several())
            return
        self.use_asked.emit(ServerModel(addresses, asked.model), asked.key)
        self.accept()

    def _begin_test(self, text: str) -> None:
        self._is_testing = True
        self._on_changed()
        self.caption_label.hide()
        self._show(text)

    def _end_test(self) -> None:
        self._is_testing = False
        self._on_changed()

    def _show(self, text: str, *, is_bad: bool = False) -> None:
        self.result_label.setText(text)
        self.result_label.setProperty("class", "error" if is_bad else "explanation")
        style = self.result_label.style()
        style.unpolish(self.result_label)
        style.polish(self.result_label)
        self.result_label.show()
        self._make_room()

    def _make_room(self) -> None:
        """Grow where the text needs more lines; Qt does not for texts that wrap."""
        page = self._page
        missing = self._content.heightForWidth(page.viewport().width()) - page.viewport().height()
        area = self.screen().availableGeometry()
        frame = self.frameGeometry().height() - self.height()
        most = area.height() - frame
        self.resize(self.width(), min(self.height() + max(missing, 0), most))
        self.move(moved_inside(self.frameGeometry(), area))
        page.ensureWidgetVisible(self.result_label)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._make_room()


def _explanation(text: str) -> QLabel:
    words = QLabel(text)
    words.setProperty("class", "explanation")
    words.setWordWrap(True)
    # As wide as the fields, instead of as narrow as a text that wraps may be.
    words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    words.setMinimumHeight(1)  # Not that of narrower lines.
    return words
