"""packaging/dev.py on machines that lack something."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "packaging" / "dev.py"


@pytest.fixture
def dev():
    spec = importlib.util.spec_from_file_location("dev", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_unknown_verb_says_what_there_is():
    said = subprocess.run(
        [sys.executable, PATH, "fly"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 2
    assert "packaging/dev.py run" in said.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lacks what Qt loads")
def test_an_ordinary_user_is_shown_one_command(dev, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        dev, "QT_LIBRARIES", {"libno-such.so.9": "libno-such9", "libc.so.6": "libc6"}
    )
    assert dev.install_system_libraries() is False
    said = capsys.readouterr().out
    assert "libno-such9" in said
    assert "libc6" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the build calls no tools")
def test_a_build_without_its_tools_shows_an_ordinary_user_what_is_missing(dev, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(dev, "QT_LIBRARIES", {})
    monkeypatch.setattr(dev, "BUILD_TOOLS", {"no-such-tool": "no-such-package", "sh": "dash"})
    assert dev.build([]) == 1
    said = capsys.readouterr().out
    assert "no-such-package" in said
    assert "dash" not in said


def test_what_is_installed_is_not_installed_again(dev, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dev, "VENV", tmp_path)
    monkeypatch.setattr(dev, "PYTHON", Path(sys.executable))
    (tmp_path / "onlooker-installed").write_text(f"{dev.fingerprint()} test")
    dev.install("test")
    dev.install()
    assert capsys.readouterr().out == ""
