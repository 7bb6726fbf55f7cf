"""Presets are made, changed, put in order, removed, and handed over to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.workspace import PRESET_KEYS, Preset, Presets
from gui.widgets.draft_timer import DraftTimer
from gui.widgets.labels import paragraph
from gui.widgets.scrolled_page import ScrolledPage
from gui.widgets.theme import Theme
from gui.workspace.presets_form import PresetForm

_SIZE = (860, 600)
_LEAST_SIZE = (560, 320)
_LIST_WIDTH = 220


class PresetsDialog(QDialog):
    """What is written counts at once; *Undo* takes back one step after another.

    `changed(Presets, Presets)`: keep these, which were the second ones before.
    `import_asked(Path)`: read the presets of a file; `export_asked(Path, list[Preset])`: write
    these to a file.
    """

    changed = Signal(object, object)
    import_asked = Signal(Path)
    export_asked = Signal(Path, object)

    def __init__(self, theme: Theme, presets: Presets, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("presets_dialog")
        self.setWindowTitle(self.tr("Presets"))
        self._presets = self._kept = presets
        self._undo: list[tuple[Presets, str]] = []
        self._current = ""
        self._is_typing = False
        self._typed = DraftTimer(self)
        self._typed.timeout.connect(self._emit_changed)
        self.form = PresetForm(theme)
        self._build_list()
        self._build_buttons()
        self._place()
        self.list.currentRowChanged.connect(self._on_row_changed)
        self.list.model().rowsMoved.connect(self._on_rows_moved)
        self.form.changed.connect(self._on_form_changed)
        self._show_list(presets.all[0].name if presets.all else "")

    @property
    def presets(self) -> Presets:
        """As they are now."""
        return self._presets

    def done(self, result: int) -> None:
        """Keeps what was typed last."""
        if self._typed.isActive():
            self._emit_changed()
        super().done(result)

    def begin_new(self, preset: Preset) -> None:
        """Adds a preset under a free name, whose name is to be written next."""
        name = self._presets.free_name(preset.name)
        self._do(self._presets.with_imported([_named(preset, name)]), name)
        self.form.name_edit.setFocus()
        self.form.name_edit.selectAll()

    # Parts

    def _build_list(self) -> None:
        self.list = QListWidget()
        self.list.setObjectName("presets_list")
        self.list.setAccessibleName(self.tr("Presets"))
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMinimumWidth(_LIST_WIDTH)
        self.list.setMaximumWidth(_LIST_WIDTH)
        for key, by in (("Alt+Up", -1), ("Alt+Down", 1)):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.activated.connect(self._on_up if by < 0 else self._on_down)
        delete = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.list)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        delete.activated.connect(self._on_delete)

    def _build_buttons(self) -> None:
        self.problem_label = paragraph(style="error")
        self.problem_label.setObjectName("preset_problem")
        self.problem_label.hide()
        self.new_button = self._button(self.tr("&New"), self._on_new)
        self.copy_button = self._button(self.tr("D&uplicate"), self._on_copy)
        self.delete_button = self._button(self.tr("&Delete"), self._on_delete)
        self.up_button = self._button(self.tr("U&p"), self._on_up, self.tr("Alt+Up"))
        self.down_button = self._button(self.tr("Do&wn"), self._on_down, self.tr("Alt+Down"))
        self.undo_button = self._button(self.tr("Und&o"), self._on_undo)
        self.import_button = self._button(self.tr("&Import…"), self._on_import)
        self.export_button = self._button(self.tr("&Export…"), self._on_export)
        self.close_button = QPushButton(self.tr("Close"))
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)

    def _button(self, text: str, clicked: object, tip: str = "") -> QPushButton:
        button = QPushButton(text)
        button.setProperty("class", "small")
        button.setAutoDefault(False)
        button.setToolTip(tip)
        button.clicked.connect(clicked)
        return button

    def _place(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(8)
        left.addWidget(self.list, 1)
        for pair in (
            (self.new_button, self.copy_button, self.delete_button),
            (self.up_button, self.down_button, self.undo_button),
        ):
            row = QHBoxLayout()
            row.setSpacing(4)
            for button in pair:
                row.addWidget(button, 1)
            left.addLayout(row)
        right = QVBoxLayout()
        right.setSpacing(8)
        self._page = ScrolledPage(self.form)
        right.addWidget(self._page, 1)
        right.addWidget(self.problem_label)
        both = QHBoxLayout()
        both.setSpacing(16)
        both.addLayout(left)
        both.addLayout(right, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(0, 0, 8, 0)
        foot.setSpacing(8)
        foot.addWidget(self.import_button)
        foot.addWidget(self.export_button)
        foot.addStretch(1)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 16, 16)
        column.setSpacing(12)
        column.addLayout(both, 1)
        column.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)

    # What is shown

    def _show_list(self, name: str) -> None:
        """Lists the presets anew, with this one chosen."""
        self.list.blockSignals(True)
        self.list.clear()
        for number, preset in enumerate(self._presets.all, 1):
            key = f"{number}  " if number <= PRESET_KEYS else "    "
            item = QListWidgetItem(f"{key}{preset.name}")
            item.setData(Qt.ItemDataRole.UserRole, preset.name)
            item.setToolTip("\n".join(preset.prompts))
            self.list.addItem(item)
        row = next((n for n, one in enumerate(self._presets.all) if one.name == name), 0)
        self.list.setCurrentRow(row)
        self.list.blockSignals(False)
        self._on_row_changed(row)

    @Slot(int)
    def _on_row_changed(self, row: int) -> None:
        item = self.list.item(row)
        self._is_typing = False
        self._current = item.data(Qt.ItemDataRole.UserRole) if item else ""
        preset = self._presets.named(self._current) if item else None
        self.form.setEnabled(preset is not None)
        if preset is not None:
            self.form.show_preset(preset)
        self.show_problem("")
        self._show_buttons()

    def _show_buttons(self) -> None:
        row, count = self.list.currentRow(), self.list.count()
        is_own = self._current in self._presets.own
        is_built_in = any(one.name == self._current for one in Presets.built_in().all)
        self.delete_button.setText(
            self.tr("&Reset") if is_own and is_built_in else self.tr("&Delete")
        )
        self.delete_button.setEnabled(is_own)
        tip = "" if is_own else self.tr("This preset comes with Onlooker. Move it down instead.")
        self.delete_button.setToolTip(tip)
        self.copy_button.setEnabled(bool(self._current))
        self.up_button.setEnabled(row > 0)
        self.down_button.setEnabled(0 <= row < count - 1)
        self.undo_button.setEnabled(bool(self._undo))
        self.export_button.setEnabled(bool(self._current))

    def show_problem(self, text: str) -> None:
        """Says why something is not done; "" for nothing."""
        self.problem_label.setText(text)
        self.problem_label.setVisible(bool(text))

    # What is done

    def _do(self, presets: Presets, name: str) -> None:
        """Makes a step that can be undone, after which this preset is chosen."""
        self._remember()
        self._presets = presets
        self._show_list(name)
        self._emit_changed()

    @Slot()
    def _emit_changed(self) -> None:
        self._typed.stop()
        before, self._kept = self._kept, self._presets
        self.changed.emit(self._presets, before)

    def _remember(self) -> None:
        self._undo.append((self._presets, self._current))

    @Slot()
    def _on_form_changed(self) -> None:
        """What is typed counts at once. A name or prompts that make no preset do not, and all else
        does."""
        preset, before = self.form.preset, self._current
        other = self._presets.named(preset.name)
        problem = ""
        if not preset.name:
            problem = self.tr("Enter a name.")
        elif other is not None and other.name != before:
            problem = self.tr("Another preset has this name. Enter another one.")
        elif preset.name.isdecimal():
            problem = self.tr("Use at least one letter in the name. Numbers are shortcut keys.")
        if problem:
            preset = replace(preset, name=before)
        if not preset.prompts:
            problem = problem or self.tr("Enter a prompt.")
            kept = self._presets.named(before)
            preset = replace(preset, prompts=kept.prompts if kept else ())
        self.show_problem(problem)
        if preset.prompts and preset != self._presets.named(before):
            self._take_typed(preset, before)

    def _take_typed(self, preset: Preset, before: str) -> None:
        if not self._is_typing:
            self._remember()
            self._is_typing = True
        row = self.list.currentRow()
        presets = self._presets
        if preset.name != before:
            is_built_in = any(one.name == before for one in Presets.built_in().all)
            presets = presets if is_built_in else presets.without(before)
        self._presets = presets.with_saved(preset).moved(preset.name, row)
        self._current = preset.name
        if len(self._presets.all) != self.list.count():
            # Another name for one that comes with the program makes a copy.
            self._show_list_quietly(preset.name)
        else:
            key = f"{row + 1}  " if row < PRESET_KEYS else "    "
            self.list.item(row).setText(f"{key}{preset.name}")
            self.list.item(row).setData(Qt.ItemDataRole.UserRole, preset.name)
        self._show_buttons()
        self._typed.begin()

    def _show_list_quietly(self, name: str) -> None:
        """Lists the presets anew while one is typing."""
        cursor = self.form.name_edit.cursorPosition()
        self._show_list(name)
        self._is_typing = True
        self.form.name_edit.setCursorPosition(cursor)

    @Slot()
    def _on_new(self) -> None:
        self.begin_new(Preset(self.tr("New preset"), (self.tr("Describe this image."),)))

    @Slot()
    def _on_copy(self) -> None:
        if preset := self._presets.named(self._current):
            self.begin_new(preset)

    @Slot()
    def _on_delete(self) -> None:
        if self._current in self._presets.own:
            row = self.list.currentRow()
            after = self._presets.without(self._current)
            at = min(row, len(after.all) - 1)
            self._do(after, after.all[at].name if after.all else "")

    @Slot()
    def _on_up(self) -> None:
        self._move(-1)

    @Slot()
    def _on_down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        row = self.list.currentRow() + by
        if self._current and 0 <= row < self.list.count():
            self._do(self._presets.moved(self._current, row), self._current)

    @Slot()
    def _on_rows_moved(self) -> None:
        """One was dragged to another place."""
        names = [
            self.list.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.list.count())
        ]
        presets = self._presets
        for place, name in enumerate(names):
            presets = presets.moved(name, place)
        if presets != self._presets:
            self._do(presets, self._current)

    @Slot()
    def _on_undo(self) -> None:
        if self._undo:
            self._presets, name = self._undo.pop()
            self._show_list(name)
            self._emit_changed()

    @Slot()
    def _on_import(self) -> None:
        dialog = self._file_dialog(self.tr("Import presets"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.import_from)
        dialog.open()

    @Slot()
    def _on_export(self) -> None:
        dialog = self._file_dialog(self.tr("Export presets"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile("presets.json")
        dialog.fileSelected.connect(self.export_to)
        dialog.open()

    def _file_dialog(self, title: str) -> QFileDialog:
        kind = self.tr("Presets")
        dialog = QFileDialog(self, title, "", f"{kind} (*.json)")
        dialog.finished.connect(dialog.deleteLater)
        return dialog

    @Slot(str)
    def import_from(self, name: str) -> None:
        """Adds the presets of a file."""
        self.import_asked.emit(Path(name))

    def show_imported(self, presets: Sequence[Preset]) -> None:
        """Adds those that a file has."""
        after = self._presets.with_imported(presets)
        known = {one.name for one in self._presets.all}
        new = [one.name for one in after.all if one.name not in known]
        if new:
            self._do(after, new[0])
        else:
            self.show_problem(self.tr("All presets of this file were there already."))

    @Slot(str)
    def export_to(self, name: str) -> None:
        """Writes the own presets to a file; the chosen one if there are none."""
        own = [one for one in self._presets.all if one.name in self._presets.own]
        chosen = [one for one in self._presets.all if one.name == self._current]
        self.export_asked.emit(Path(name), own or chosen)


def _named(preset: Preset, name: str) -> Preset:
    return Preset.from_json({**preset.to_json(), "name": name})
