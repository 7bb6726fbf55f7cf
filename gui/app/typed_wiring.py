"""Lets fields have again, after a restart, what was typed into them and not used yet."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QLineEdit

from core.batch import Phase
from gui.batch.prompt_list import PromptList
from gui.session.folder_run import FolderRun
from gui.session.typed_texts import TypedTexts
from gui.window.main_window import MainWindow
from gui.workspace.bulk_dialog import BulkDialog

_QUESTION, _RUN, _TRIAL, _REPLACE, _BULK = "question", "run/", "trial/", "replace/", "bulk/"


class TypedWiring(QObject):
    """The form of a run, its trial and its bar to replace text, the dialog that edits many
    captions, and a question that is asked otherwise, which comes back in the prompt."""

    def __init__(
        self,
        window: MainWindow,
        typed: TypedTexts,
        run: FolderRun,
        parent: QObject | None = None,
    ):
        """Puts into the fields what was left there."""
        super().__init__(parent)
        self._window, self._typed = window, typed
        panel = window.batch_panel
        typed.noticed.connect(window.show_notice)
        self._keep_prompts(f"{_RUN}prompts", panel.form.prompt_list)
        more = panel.form.more
        rest = (more.beginning_edit, more.banned_edit, more.prefix_edit, more.suffix_edit)
        lines = [self._keep_line(_RUN, one) for one in (*rest, more.checks.vocabulary_edit)]
        if any(lines):  # A person is to see what a run would do.
            panel.controls.more_button.setChecked(True)
        for variant in panel.trial_page.variants:
            name = variant.prompt_edit.objectName()
            self._keep_prompts(f"{_TRIAL}{name}", variant.prompt_list)
        for field in (panel.replace_bar.find_edit, panel.replace_bar.by_edit):
            self._keep_line(_REPLACE, field)
        run.phase_changed.connect(self._on_run_phase)
        panel.replace_asked.connect(self._on_replaced)
        window.transcript_view.scroll_area.drafts_changed.connect(partial(typed.keep, _QUESTION))

    def give_question_back(self) -> None:
        """Put a question that was being edited into the prompt, once it has its own draft."""
        self._window.give_prompt_back(self._typed.text(_QUESTION))
        self._typed.keep(_QUESTION, "")

    @Slot(object)
    def keep_bulk(self, dialog: BulkDialog) -> None:
        """Keep the fields of a dialog that was just made."""
        for field in dialog.findChildren(QLineEdit):
            self._keep_line(_BULK, field)
        dialog.apply_asked.connect(self._on_bulk_applied)

    def _keep_line(self, beginning: str, field: QLineEdit) -> bool:
        """Returns whether something was left in the field."""
        name = f"{beginning}{field.objectName()}"
        text = self._typed.text(name)
        field.textChanged.connect(partial(self._on_line_changed, field, name))
        if text:
            field.setText(text)
            field.setModified(True)
            self._typed.keep(name, text)
        return bool(text)

    def _on_line_changed(self, field: QLineEdit, name: str, text: str) -> None:
        """What the program itself puts there is known elsewhere."""
        self._typed.keep(name, text if field.isModified() else "")

    def _keep_prompts(self, name: str, prompts: PromptList) -> None:
        left: list[str] = []
        while text := self._typed.text(f"{name}/{len(left)}"):
            left.append(text)
        prompts.changed.connect(partial(self._on_prompts_changed, prompts, name))
        if left:
            prompts.restore(left)

    def _on_prompts_changed(self, prompts: PromptList, name: str) -> None:
        self._typed.forget(f"{name}/")
        for number, text in enumerate(prompts.prompts if prompts.is_typed else ()):
            self._typed.keep(f"{name}/{number}", text)

    @Slot(object)
    def _on_run_phase(self, phase: Phase) -> None:
        """The journal of a run has them."""
        if phase is Phase.RUNNING:
            self._typed.forget(_RUN)
            self._typed.forget(_TRIAL)

    @Slot()
    def _on_replaced(self) -> None:
        self._typed.forget(_REPLACE)

    @Slot()
    def _on_bulk_applied(self) -> None:
        self._typed.forget(_BULK)
