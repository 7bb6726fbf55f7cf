import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QTextBrowser, QTextEdit

from gui.app.updates import Updates, UpdatesDialog, newer_sections

CHANGELOG = """# Changelog

## [Unreleased]
- not yet

## [99.1.0] - 2027-02-01
- newest

## [99.0.0] - 2027-01-01
- newer

## [0.0.1] - 2026-01-01
- oldest
"""


@pytest.fixture
def server():
    """Serves `server.text` with `server.status`, and counts what it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked += 1
            body = server.text.encode()
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    class Server(ThreadingHTTPServer):
        text, status, asked = CHANGELOG, 200, 0

        @property
        def address(self):
            return f"http://127.0.0.1:{self.server_port}/CHANGELOG.md"

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_newer_versions_are_reported_with_their_changes(server, qtbot):
    updates = Updates(server.address)
    with qtbot.waitSignal(updates.answered) as answered:
        updates.check()
    assert answered.args[0].startswith("## 99.1.0 - 2027-02-01\n- newest")
    assert "newer" in answered.args[0]
    assert "oldest" not in answered.args[0]
    assert "not yet" not in answered.args[0]


def test_newest_version_has_nothing_newer(server, qtbot):
    server.text = "# Changelog\n\n## [0.0.1]\n- oldest\n"
    updates = Updates(server.address)
    with qtbot.waitSignal(updates.answered) as answered:
        updates.check()
    assert answered.args == [""]


def test_nothing_is_asked_before_the_user_does(server, qtbot):
    updates = Updates(server.address)
    qtbot.wait(50)
    assert server.asked == 0
    with qtbot.waitSignal(updates.answered):
        updates.check()
    assert server.asked == 1


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("gone", 404, "cannot be read"),
        ("<html>not a change log</html>", 200, "has no changelog"),
        ("## [99.0.0]\n" + "x" * 2_000_000, 200, "cannot be read"),
    ],
)
def test_a_bad_answer_is_a_sentence(server, qtbot, text, status, words):
    server.text, server.status = text, status
    updates = Updates(server.address)
    with qtbot.waitSignal(updates.failed) as failed:
        updates.check()
    assert words in failed.args[0]


@pytest.mark.parametrize(
    ("address", "words"),
    [("", "No update address"), ("http://192.0.2.1/CHANGELOG.md", "not secure")],
)
def test_an_address_that_cannot_be_asked_is_a_sentence(qtbot, address, words):
    updates = Updates(address)
    with qtbot.waitSignal(updates.failed) as failed:
        updates.check()
    assert words in failed.args[0]


def test_address_is_the_one_that_the_release_was_made_with(server, qtbot, tmp_path, monkeypatch):
    folder = tmp_path / "onlooker-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: onlooker\nVersion: 0.1.0\n"
        f"Project-URL: Homepage, https://localhost/\nProject-URL: Changelog, {server.address}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    updates = Updates()
    with qtbot.waitSignal(updates.answered) as answered:
        updates.check()
    assert "99.1.0" in answered.args[0]


def test_dialog_shows_the_changes(qtbot):
    dialog = UpdatesDialog(newer_sections(CHANGELOG, "1.0"))
    qtbot.addWidget(dialog)
    changes = dialog.findChild(QTextEdit, "changes_text")
    assert changes
    assert "99.1.0" in changes.toPlainText()
    assert "A newer version" in dialog.findChildren(QLabel)[0].text()


HOSTILE = """## 99.0.0
![remote](REMOTE/a.png) ![local](LOCAL) <img src="REMOTE/b.png"> <img src="LOCAL">
<a href="file:///etc/passwd">tag</a> <style>@import "REMOTE/c.css";</style>
[file](file:///etc/passwd) [share](file://evil/share) [script](javascript:alert(1))
[plain](http://example.com/) [page](https://example.com/new) <https://example.com/bare>
[relative](other.md) [own](onlooker://open)

[![badge](REMOTE/d.png)](https://example.com/badge)
![by reference][pic]

[pic]: REMOTE/e.png
"""


@pytest.fixture
def opened_addresses():
    """Which addresses the desktop is asked to open, instead of opening them."""

    class Desktop(QObject):
        @Slot(QUrl)
        def open(self, address):
            addresses.append(address.toString())

    addresses, desktop = [], Desktop()
    method: Any = "open"  # PySide's types say bytes, and it takes text alone.
    schemes = ("https", "http", "file", "javascript", "onlooker")
    for scheme in schemes:
        QDesktopServices.setUrlHandler(scheme, desktop, method)
    yield addresses
    for scheme in schemes:
        QDesktopServices.unsetUrlHandler(scheme)


def test_dialog_loads_nothing_that_the_changes_name(server, qtbot, tmp_path):
    image = QImage(200, 100, QImage.Format.Format_RGB32)
    image.fill(0xFF0000)
    assert image.save(str(tmp_path / "a.png"))
    text = HOSTILE.replace("REMOTE", server.address.rpartition("/")[0])
    dialog = UpdatesDialog(text.replace("LOCAL", (tmp_path / "a.png").as_uri()))
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.open()
    changes = dialog.findChild(QTextBrowser, "changes_text")
    assert changes
    shown = changes.grab().toImage()
    reds = {
        (x, y)
        for x in range(0, shown.width(), 4)
        for y in range(0, shown.height(), 4)
        if shown.pixelColor(x, y).name() == "#ff0000"
    }
    assert reds == set()
    assert "\ufffc" not in changes.toPlainText()
    assert server.asked == 0


def test_only_links_to_https_are_links_and_open_on_a_click(qtbot, opened_addresses):
    dialog = UpdatesDialog(HOSTILE)
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.open()
    changes = dialog.findChild(QTextBrowser, "changes_text")
    assert changes
    view, links = changes.viewport(), {}
    for y in range(2, view.height(), 4):
        for x in range(2, view.width(), 4):
            if address := changes.anchorAt(QPoint(x, y)):
                links[address] = QPoint(x, y)
            else:
                QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert links.keys() == {
        "https://example.com/new",
        "https://example.com/bare",
        "https://example.com/badge",
    }
    assert opened_addresses == []
    before = changes.toPlainText()
    for at in links.values():
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=at)
    assert sorted(opened_addresses) == sorted(links)
    assert changes.toPlainText() == before


def test_dialog_says_that_there_is_nothing_newer(qtbot):
    dialog = UpdatesDialog("")
    qtbot.addWidget(dialog)
    assert "is the newest" in dialog.findChildren(QLabel)[0].text()


def test_versions_are_compared_as_numbers():
    assert newer_sections("## [0.10.0] - May\n- [x]\n", "0.9.0") == "## 0.10.0 - May\n- [x]"
    assert newer_sections("## [0.9.0]\n- nine\n", "0.10.0") == ""
