"""Asks, only on request, whether there is a newer Onlooker; downloads nothing but the change log.

That is the change log of the newest version, in the form of Keep a Changelog.
"""

from __future__ import annotations

import re
from importlib.metadata import metadata

from PySide6.QtCore import QObject, Qt, QUrl, Signal, Slot
from PySide6.QtNetwork import QNetworkAccessManager, QNetworkReply, QNetworkRequest
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from core.version import program_version
from gui.widgets.foreign_markdown import ForeignMarkdown
from gui.widgets.screen_fit import ScreenFit

TIMEOUT_MS = 10_000
LARGEST_BYTES = 1_000_000

_HEADING = re.compile(r"^## \[?v?(\d{1,9}(?:\.\d{1,9}){1,9})\]?.*$", re.MULTILINE)
_LINK = re.compile(r"^## \[(.*?)\]")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Updates(QObject):
    """One question at a time to one address.

    `answered(str)`: what is new, as Markdown; "" when this version is the newest.
    `failed(str)`: a sentence for the user.
    """

    answered = Signal(str)
    failed = Signal(str)

    def __init__(self, address: str = "", parent: QObject | None = None):
        """`address` "" means the one that the package names, if it names one."""
        super().__init__(parent)
        self._address = address or packaged_address()
        self._network = QNetworkAccessManager(self)
        self._network.setTransferTimeout(TIMEOUT_MS)
        self._reply: QNetworkReply | None = None

    @Slot()
    def check(self) -> None:
        """Ask now. Nothing else in the program connects to this address."""
        if self._reply:
            return
        url = QUrl(self._address)
        if not self._address:
            self.failed.emit(
                self.tr("No update address is configured. Check where you downloaded Onlooker.")
            )
        elif url.scheme() != "https" and url.host() not in _LOOPBACK:
            self.failed.emit(self.tr("The update address is not secure. It must start with https."))
        else:
            self._reply = self._network.get(QNetworkRequest(url))
            self._reply.readyRead.connect(self._on_ready_read)
            self._reply.finished.connect(self._on_finished)

    @Slot()
    def _on_ready_read(self) -> None:
        if self._reply and self._reply.bytesAvailable() > LARGEST_BYTES:
            self._reply.abort()

    @Slot()
    def _on_finished(self) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        reply.deleteLater()
        if reply.error() is not QNetworkReply.NetworkError.NoError:
            text = self.tr("The update address cannot be read ({reason}). Try again later.")
            self.failed.emit(text.format(reason=reply.errorString()))
            return
        text = bytes(reply.readAll().data()).decode("utf-8", errors="replace")
        if not _HEADING.search(text):
            self.failed.emit(
                self.tr("The update address has no changelog. Check where you downloaded Onlooker.")
            )
            return
        self.answered.emit(newer_sections(text, program_version()))


class UpdatesDialog(QDialog):
    """What is new in the versions after this one. Open it with `open()`."""

    def __init__(self, changes: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("updates_dialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Updates"))
        newer = self.tr(
            "This is Onlooker {version}. A newer version is available where you downloaded it."
        )
        newest = self.tr("Onlooker {version} is the newest version.")
        text = (newer if changes else newest).format(version=program_version())
        sentence = QLabel(text, wordWrap=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 20, 24, 16)
        layout.setSpacing(12)
        layout.addWidget(sentence)
        if changes:
            text = ForeignMarkdown(changes)
            text.setObjectName("changes_text")
            text.setProperty("class", "field")
            text.setAccessibleName(self.tr("Changes"))
            layout.addWidget(text)
            self.resize(560, 420)
        ScreenFit(self)
        layout.addWidget(buttons)


def packaged_address() -> str:
    """The address of the change log that pyproject.toml names under `project.urls`, or ""."""
    for line in metadata("onlooker").get_all("Project-URL") or ():
        label, _, address = line.partition(",")
        if label.strip().lower() == "changelog":
            return address.strip()
    return ""


def newer_sections(changelog: str, than: str) -> str:
    """Return the sections of the released versions after `than`, newest first as in the file.

    The brackets around their numbers are left out: they belong to links of the file.
    """
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    return "\n".join(
        _LINK.sub(r"## \1", changelog[heading.start() : end].strip())
        for heading, end in zip(headings, ends, strict=True)
        if _numbers(heading[1]) > _numbers(than)
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))
