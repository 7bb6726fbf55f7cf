"""The settings page on which commands get other keys."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.window.command import Command
from gui.window.commands import CommandRow
from gui.window.key_bindings import is_reserved, keys_of, users_of

_NATIVE = QKeySequence.SequenceFormat.NativeText
_PORTABLE = QKeySequence.SequenceFormat.PortableText


class _KeyEdit(QKeySequenceEdit):
    """Takes the keys that are pressed, but for Esc, which takes them back or leaves the dialog."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            if self.keySequence().isEmpty():
                event.ignore()
            else:
                self.clear()
        else:
            super().keyPressEvent(event)


class KeyboardPage(QWidget):
    """Lists the commands and their keys; below, the chosen one gets another key or its default.

    `menus` are the names of the menus by the keys that open them, which no command may have.
    `keys` are the changed keys by the command's stored name, as the settings keep them. Names of
    commands that this version does not know stay in them.
    """

    changed = Signal()

    def __init__(
        self, rows: Mapping[Command, CommandRow], menus: Mapping[str, str] = MappingProxyType({})
    ):
        super().__init__()
        self.setObjectName("keyboard_page")
        self._rows = rows
        self._menus = menus
        self._items: dict[Command, QTreeWidgetItem] = {}
        self._taken_by: Command | None = None
        self.keys: dict[str, list[str]] = {}
        self._build()
        self.list.currentItemChanged.connect(self._on_command_chosen)
        self.find_edit.textChanged.connect(self._on_find_changed)
        self.key_edit.keySequenceChanged.connect(self._on_key_pressed)
        self.assign_button.clicked.connect(self._on_assigned)
        self.remove_button.clicked.connect(self._on_removed)
        self.reset_button.clicked.connect(self._on_reset)
        self.show_keys({})

    def show_keys(self, keys: Mapping[str, list[str]]) -> None:
        """Shows the keys with these changes; with none, the defaults."""
        self.keys = {name: list(each) for name, each in keys.items()}
        for command in self._items:
            self._show_key(command)
        self._show_chosen()

    def _build(self) -> None:
        self.find_edit = QLineEdit()
        self.find_edit.setObjectName("find_command_edit")
        self.find_edit.setPlaceholderText(self.tr("Find a command"))
        self.find_edit.setAccessibleName(self.tr("Find a command"))
        self.find_edit.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setObjectName("command_list")
        self.list.setAccessibleName(self.tr("Commands and their keys"))
        self.list.setHeaderLabels([self.tr("Command"), self.tr("Keys")])
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        for command, row in self._rows.items():
            if not row.is_fixed and row.key_of is None:
                item = QTreeWidgetItem(self.list, [row.name, ""])
                item.setData(0, Qt.ItemDataRole.UserRole, command.value)
                self._items[command] = item
        self.key_edit = _KeyEdit()
        self.key_edit.setObjectName("key_edit")
        self.key_edit.setAccessibleName(self.tr("New keys"))
        self.key_edit.setMaximumSequenceLength(1)
        self.assign_button = QPushButton()
        self.assign_button.setObjectName("assign_button")
        self.remove_button = QPushButton(self.tr("Remove"))
        self.remove_button.setObjectName("remove_keys_button")
        self.reset_button = QPushButton(self.tr("Use default"))
        self.reset_button.setObjectName("reset_keys_button")
        self.note_label = QLabel()
        self.note_label.setObjectName("keys_note")
        self.note_label.setProperty("class", "explanation")
        self.note_label.setWordWrap(True)
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.key_edit, 1)
        for button in (self.assign_button, self.remove_button, self.reset_button):
            button.setAutoDefault(False)
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 12)
        column.setSpacing(8)
        column.addWidget(self.find_edit)
        column.addWidget(self.list, 1)
        column.addLayout(line)
        column.addWidget(self.note_label)

    @property
    def _chosen(self) -> Command | None:
        item = self.list.currentItem()
        return Command(item.data(0, Qt.ItemDataRole.UserRole)) if item else None

    def _show_key(self, command: Command) -> None:
        keys = keys_of(self._rows, self.keys, command)
        native = ", ".join(QKeySequence(key).toString(_NATIVE) for key in keys)
        item = self._items[command]
        item.setText(1, native)
        spoken = native or self.tr("No keys")
        item.setData(1, Qt.ItemDataRole.AccessibleTextRole, spoken)
        font = item.font(1)
        font.setBold(command.value in self.keys)
        item.setFont(1, font)

    def _show_chosen(self) -> None:
        """Shows what can be done with the chosen command and the keys that were pressed."""
        command, key = self._chosen, self._pressed
        self.key_edit.setEnabled(command is not None)
        has_keys = command is not None and bool(keys_of(self._rows, self.keys, command))
        self.remove_button.setEnabled(has_keys)
        self.reset_button.setEnabled(command is not None and command.value in self.keys)
        self._taken_by = None
        note, is_free = self.tr("Choose a command, then press its new keys."), False
        if command is not None:
            note = self.tr("Press the new keys for “{name}”.").format(name=self._rows[command].name)
            if key:
                note, is_free = self._judge(command, key)
        taken = self._taken_by is not None
        self.assign_button.setText(self.tr("Use here instead") if taken else self.tr("Assign"))
        self.assign_button.setEnabled(is_free or taken)
        self.note_label.setText(note)

    def _judge(self, command: Command, key: str) -> tuple[str, bool]:
        """Says whether keys are free for a command; notes who has them."""
        native = QKeySequence(key).toString(_NATIVE)
        others = [one for one in users_of(self._rows, self.keys, key) if one is not command]
        if is_reserved(key) or any(self._rows[one].is_fixed for one in others):
            return self.tr("{key} is needed for typing and moving.").format(key=native), False
        if key in self._menus:
            text = self.tr("{key} opens the menu “{name}”.")
            return text.format(key=native, name=self._menus[key]), False
        if others:
            self._taken_by = others[0]
            text = self.tr("{key} belongs to “{name}”.")
            return text.format(key=native, name=self._rows[others[0]].name), False
        if key in keys_of(self._rows, self.keys, command):
            return self.tr("{key} is set already.").format(key=native), False
        return self.tr("{key} is free.").format(key=native), True

    @property
    def _pressed(self) -> str:
        return self.key_edit.keySequence().toString(_PORTABLE)

    def _set_keys(self, command: Command, keys: list[str]) -> None:
        if tuple(keys) == self._rows[command].keys:
            self.keys.pop(command.value, None)
        else:
            self.keys[command.value] = keys
        self._show_key(command)

    @Slot(str)
    def _on_find_changed(self, words: str) -> None:
        for command, item in self._items.items():
            texts = f"{self._rows[command].name} {item.text(1)}".casefold()
            item.setHidden(not all(word in texts for word in words.casefold().split()))

    @Slot()
    def _on_command_chosen(self) -> None:
        self.key_edit.clear()
        self._show_chosen()

    @Slot()
    def _on_key_pressed(self) -> None:
        self._show_chosen()

    @Slot()
    def _on_assigned(self) -> None:
        command, key, taken_by = self._chosen, self._pressed, self._taken_by
        if command is None or not key:
            return
        if taken_by is not None:
            wanted = QKeySequence(key)
            left = keys_of(self._rows, self.keys, taken_by)
            self._set_keys(taken_by, [one for one in left if QKeySequence(one) != wanted])
        self._set_keys(command, [key])
        self._finish()

    @Slot()
    def _on_removed(self) -> None:
        if (command := self._chosen) is not None:
            self._set_keys(command, [])
            self._finish()

    @Slot()
    def _on_reset(self) -> None:
        """Takes the default keys back from whoever has them now."""
        if (command := self._chosen) is None:
            return
        for key in self._rows[command].keys:
            for other in users_of(self._rows, self.keys, key):
                if other is not command:
                    left = keys_of(self._rows, self.keys, other)
                    wanted = QKeySequence(key)
                    self._set_keys(other, [one for one in left if QKeySequence(one) != wanted])
        self._set_keys(command, list(self._rows[command].keys))
        self._finish()

    def _finish(self) -> None:
        self.key_edit.clear()
        self._show_chosen()
        self.changed.emit()
