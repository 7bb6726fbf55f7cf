"""Suggests the variables of prompts once a brace is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QPlainTextEdit

from core.captions.variables import VARIABLES
from gui.widgets.word_popup import WordPopup

translate = QCoreApplication.translate

_BEGUN = re.compile(r"\{[\w:]*$")


def complete_variables(edit: QPlainTextEdit) -> WordPopup:
    """Lets a field suggest variables; the field owns what is returned."""
    return WordPopup(edit, _suggested, translate("Variables", "Variables"))


def explanations() -> dict[str, str]:
    """Returns what each variable stands for."""
    return {
        "name": translate("Variables", "File name"),
        "stem": translate("Variables", "File name without its extension"),
        "folder": translate("Variables", "Name of the folder"),
        "index": translate("Variables", "Number of the image in the run"),
        "caption": translate("Variables", "Caption that the image has"),
        "date": translate("Variables", "Date from EXIF"),
        "place": translate("Variables", "Place from XMP, IPTC or GPS"),
        "camera": translate("Variables", "Camera from EXIF"),
        "description": translate("Variables", "Description from XMP or IPTC"),
        "keywords": translate("Variables", "Keywords from XMP or IPTC"),
        "people": translate("Variables", "Names of people from XMP"),
        "folder_note": translate("Variables", "Your note about the folder"),
        "image_note": translate("Variables", "Your note about the image"),
        "vocabulary": translate("Variables", "Tags to choose from"),
    }


def _suggested(before: str) -> tuple[int, Sequence[tuple[str, str]]]:
    begun = _BEGUN.search(before)
    if begun is None:
        return 0, ()
    known = explanations()
    names = [*VARIABLES, "exif:Model"]
    found = [(f"{{{name}}}", known.get(name, translate("Variables", "Any field of EXIF")))
             for name in names if f"{{{name}".startswith(begun[0])]  # fmt: skip
    return len(begun[0]), found
