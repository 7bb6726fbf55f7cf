"""Translations that tests make, and texts on screen that no translator was asked for.

They are compiled files, as translators hand them over. A `QTranslator` written in Python needs
Python's lock in threads that hold locks of Qt's, while the GUI thread waits for those and holds
Python's: the test would hang.
"""

from __future__ import annotations

import re
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import PySide6
import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QMenu, QProgressBar, QWidget

ROOT = Path(__file__).parents[2]
LUPDATE_OPTIONS = runpy.run_path(str(ROOT / "packaging" / "dev.py"))["LUPDATE_OPTIONS"]
# What Qt writes on parts of our dialogs, by its contexts. lupdate knows only our own strings.
STRINGS_OF_QT = {
    "QPlatformTheme": {"Save", "Cancel", "Close"},
    "QTabBar": {"Scroll Left", "Scroll Right"},
}


def run_qt_tool(name: str, *arguments: object) -> None:
    """Runs lupdate or lrelease. Skips the test where PySide6 comes without."""
    tools = [path for path in Path(PySide6.__file__).parent.rglob(f"{name}*") if path.is_file()]
    if not tools:
        pytest.skip(f"PySide6 has no {name} here")
    command = [str(tools[0]), "-silent", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def collect_strings(path: Path, *arguments: object) -> ElementTree.Element:
    """Returns the file for translators, which lupdate writes to `path`."""
    run_qt_tool("lupdate", *arguments, "-ts", path)
    return ElementTree.fromstring(path.read_bytes())


def compile_translation(
    folder: Path, translate: Callable[[str, str], str], others: dict[str, set[str]] | None = None
) -> Path:
    """Makes a .qm file of all strings of the program, and those of `others` by their context.

    `translate` gets the context and the text of each.
    """
    strings = folder / "onlooker.ts"
    options = (*LUPDATE_OPTIONS, "-extensions", "py", ROOT / "core", ROOT / "gui")
    root = collect_strings(strings, *options)
    for context, texts in (others or {}).items():
        added = ElementTree.SubElement(root, "context")
        ElementTree.SubElement(added, "name").text = context
        for text in sorted(texts):
            message = ElementTree.SubElement(added, "message")
            ElementTree.SubElement(message, "source").text = text
            ElementTree.SubElement(message, "translation")
    for context in root.iter("context"):
        name = context.findtext("name", "")
        for message in context.iter("message"):
            for translation in message.iter("translation"):
                translation.attrib.pop("type", None)
                translation.text = translate(name, message.findtext("source", ""))
    strings.write_bytes(ElementTree.tostring(root, encoding="utf-8"))
    compiled = folder / "onlooker.qm"
    run_qt_tool("lrelease", strings, "-qm", compiled)
    return compiled


def shown_texts(widget: QWidget) -> set[str]:
    """What can be read in `widget` and its menus, on screen or by a screen reader."""
    texts = [widget.windowTitle()]
    for part in widget.findChildren(QWidget):
        texts += [part.toolTip(), part.accessibleName(), part.accessibleDescription()]
        if isinstance(part, QLabel | QAbstractButton):
            texts.append(part.text())
        if isinstance(part, QLineEdit):
            texts.append(part.placeholderText())
        if isinstance(part, QProgressBar) and part.isTextVisible():
            texts.append(part.text())
        if isinstance(part, QMenu):
            texts += [action.text() for action in part.actions()]
            texts += [action.toolTip() for action in part.actions()]
    return {text for text in texts if re.search(r"\w{2}", text)}


def untranslated(widget: QWidget, *data: str) -> list[str]:
    """Texts outside of brackets, except for `data`: names, licences, what core says."""
    left = []
    for text in shown_texts(widget):
        rest, before = text, ""
        while rest != before:  # A translated string may have been put into another one.
            rest, before = re.sub(r"⟦[^⟦⟧]*⟧", "", rest), rest
        for one in sorted(data, key=len, reverse=True):
            rest = rest.replace(one, "")
        rest = re.sub(r"<[^<>]*>", "", rest)  # Markup.
        # Zero-width spaces, at which long names may break; numbers with units.
        rest = re.sub(r"[\d.]+ ?(GB|MB|kB|%)?", "", rest.replace("\u200b", ""))
        if re.search(r"\w{2}", rest):
            left.append(text)
    return left
