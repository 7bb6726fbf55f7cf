"""Files as URLs and back."""

import os
import socket
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl

from gui.widgets.file_urls import path_of, url_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names are text there")

HERE = socket.gethostname()


@pytest.mark.parametrize(
    "name", ["plain.png", "a b#c?d%e;f.png", "🐧.png", "back\\slash.png", b"caf\xe9.png", b"\n.png"]
)
def test_name_comes_back_from_its_url(name):
    path = Path("/tmp") / os.fsdecode(name)
    assert path_of(url_of(path)) == path


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:/tmp/a.png", "/tmp/a.png"),
        ("FILE:///tmp/a.png", "/tmp/a.png"),
        ("file://LocalHost/tmp/a.png", "/tmp/a.png"),
        (f"file://{HERE.upper()}/tmp/a.png", "/tmp/a.png"),
        (f"file://{HERE.partition('.')[0]}/tmp/a.png", "/tmp/a.png"),
        ("file:///tmp/a+b%2Bc.png", "/tmp/a+b+c.png"),
        ("file:///tmp/a.png#part", "/tmp/a.png"),
        ("file:///tmp/a%00.png", None),
        ("file://elsewhere.invalid/tmp/a.png", None),
        ("https://localhost/tmp/a.png", None),
        ("", None),
    ],
)
def test_url_of_a_file_here_is_its_path(address, path):
    assert path_of(QUrl(address)) == (None if path is None else Path(path))


@pytest.mark.skipif("." in HERE, reason="this computer's name has a domain")
def test_this_computer_may_be_named_with_its_domain():
    assert path_of(QUrl(f"file://{HERE}.example.org/tmp/a.png")) == Path("/tmp/a.png")
    assert path_of(QUrl(f"file://{HERE}-two.example.org/tmp/a.png")) is None
