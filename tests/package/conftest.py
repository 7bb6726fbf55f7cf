"""What can be known of the package without building it. The build tries the built program."""

import sys

import pytest

from tests.support.packages import PACKAGING


@pytest.fixture
def packaging(monkeypatch):
    """The folder of the build's modules on the path, as for a script that lies in it."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    yield
    for name in (
        "bundle",
        "icon",
        "inventory",
        "debian",
        "build",
        "fresh_install",
        "libraries",
        "parts",
        "start",
        "trial",
    ):
        sys.modules.pop(name, None)
