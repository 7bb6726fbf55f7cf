"""Signing, installers, downloads in parts, and the workflow of a release."""

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.packages import PACKAGING, ROOT


def test_entitlements_are_a_property_list_of_switches():
    content = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert content
    assert all(value is True for value in content.values())


# Stand-ins for Apple's tools: each prints how it was called, and a file contains its own type.
APPLE_TOOL = """#!/bin/sh
case $0 in
*/file) shift; cat "$1" ;;
*) echo "$(basename "$0") $*" >> "$CALLS" ;;
esac
"""


@pytest.mark.skipif(os.name != "posix", reason="the recipe is for macOS's shell")
def test_disk_image_is_signed_from_the_inside_out_and_then_shown_to_apple(tmp_path):
    app = tmp_path / "Onlooker.app"
    library = app / "Contents/Frameworks/torch/lib/libtorch.dylib"
    module = app / "Contents/Frameworks/PySide6/QtCore.abi3.so"
    framework = app / "Contents/Frameworks/PySide6/Qt/lib/QtCore.framework/Versions/A/QtCore"
    script = app / "Contents/Resources/tool.sh"
    for path in (app / "Contents/MacOS/onlooker", library, module, framework, script):
        path.parent.mkdir(parents=True)
        path.write_text("a shell script" if path == script else "Mach-O 64-bit arm64")
        path.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("codesign", "file", "hdiutil", "xcrun"):
        (tools / name).write_text(APPLE_TOOL)
        (tools / name).chmod(0o755)
    calls, image = tmp_path / "calls", tmp_path / "onlooker.dmg"
    subprocess.run(
        ["bash", PACKAGING / "macos" / "make_dmg.sh", app, image],
        env=os.environ
        | {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls)}
        | {"SIGNING_IDENTITY": "Us", "NOTARY_PROFILE": "us", "NOTARY_KEYCHAIN": "/a.keychain"},
        check=True,
    )
    said = calls.read_text().splitlines()
    sign = "codesign --force --options runtime --timestamp --sign Us"
    # Never the app's own program for itself: codesign would take the whole app for meant.
    assert sorted(said[:3]) == sorted(f"{sign} {path}" for path in (library, module, framework))
    entitlements = PACKAGING / "macos" / "entitlements.plist"
    assert said[3] == f"{sign} --entitlements {entitlements} {app}"
    assert said[4] == f"codesign --verify --deep --strict {app}"
    assert said[5].startswith("hdiutil create")
    assert said[5].endswith(str(image))
    assert said[6:] == [
        f"codesign --sign Us --timestamp {image}",
        f"xcrun notarytool submit {image} --keychain-profile us --keychain /a.keychain --wait",
        f"xcrun stapler staple {image}",
    ]


@pytest.mark.skipif(os.name != "posix", reason="stands in for Windows' PowerShell with a script")
def test_windows_signs_also_when_a_newer_powershell_started_the_build(
    packaging, tmp_path, monkeypatch
):
    """Its PSModulePath would make Windows' own PowerShell load commands that it cannot run."""
    import build

    tool, said = tmp_path / "powershell", tmp_path / "said"
    tool.write_text(f'#!/bin/sh\necho "$PSMODULEPATH|$*" >> "{said}"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PSMODULEPATH", "that of PowerShell 7")
    build.sign_for_windows([Path("onlooker.exe")])
    assert not said.exists(), "there was no certificate"
    monkeypatch.setenv("SIGNING_THUMBPRINT", "A1B2")
    build.sign_for_windows([Path("onlooker.exe"), Path("setup.exe")])
    first, second = said.read_text().splitlines()
    assert first.startswith("|-NoProfile -Command")
    assert "'onlooker.exe'" in first
    assert "A1B2" in first
    assert "'setup.exe'" in second


def test_installer_takes_version_and_files_from_the_build():
    text = (PACKAGING / "windows" / "onlooker.iss").read_text(encoding="utf-8")
    sections = [line.strip("[]") for line in text.splitlines() if line.startswith("[")]
    assert {"Setup", "Files", "Icons", "Registry", "Run"} <= set(sections)
    assert "AppVersion={#Version}" in text
    assert r"dist\onlooker\*" in text


def test_release_builds_on_a_tag_for_the_three_systems():
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github" / "workflows" / "release.yml"
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    matrix = flow["jobs"]["build"]["strategy"]["matrix"]
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "windows", "macos"]
    # There is no CUDA for macOS.
    assert matrix["engine"] == ["cpu", "cuda"]
    assert matrix["exclude"] == [{"os": matrix["os"][2], "engine": "cuda"}]
    # YAML reads the key "on" as true.
    assert flow[True]["push"]["tags"] == ["v*"]
    assert "dev.py build" in path.read_text(encoding="utf-8")


def test_release_tries_the_installed_program_with_the_files_that_it_checks_out(tmp_path):
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github" / "workflows" / "release.yml"
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = flow["jobs"]["install"]["steps"]
    for name in steps[0]["with"]["sparse-checkout"].split():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    command = shlex.split(steps[-1]["run"])
    command[0] = sys.executable
    # -S: without the packages that are installed here.
    done = subprocess.run(
        [command[0], "-S", command[1], "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--models" in done.stdout


def test_what_the_trial_waits_for_is_what_the_program_says(packaging):
    import trial

    sources = [path for top in ("core", "gui") for path in (ROOT / top).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    for words in (
        trial.NO_HOME,
        trial.NO_DISPLAY,
        trial.NO_WORDS,
        trial.COPY_STARTED,
        trial.CRASHED,
    ):
        assert words in text


@pytest.fixture
def whole(tmp_path):
    """A download of 250,003 bytes, and its content."""
    content = os.urandom(250_003)
    path = tmp_path / "onlooker-1.0-cuda.tar.xz"
    path.write_bytes(content)
    return path, content


def test_download_that_is_small_enough_stays_whole(packaging, whole):
    from parts import split

    path, content = whole
    assert split(path, largest=len(content)) == [path]
    assert path.read_bytes() == content


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_large_download_comes_in_parts_that_its_script_joins(packaging, whole, tmp_path):
    from parts import split

    path, content = whole
    *parts, script = split(path, largest=100_000)
    assert [part.stat().st_size for part in parts] == [100_000, 100_000, 50_003]
    assert not path.exists()
    done = subprocess.run(["sh", script], cwd="/", capture_output=True, text=True, check=True)
    assert "is whole" in done.stdout
    assert path.read_bytes() == content
    path.unlink()

    parts[1].write_bytes(b"x" * 100_000)
    for _ in range(2):
        done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert not path.exists()
        assert sorted(tmp_path.iterdir()) == sorted([*(p for p in parts if p.exists()), script])
        parts[1].unlink(missing_ok=True)


def test_release_can_name_where_updates_are_announced(tmp_path):
    """The workflow appends a table to pyproject.toml; nothing of it may be there before."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text += '\n[project.urls]\nChangelog = "https://localhost/CHANGELOG.md"\n'
    assert tomllib.loads(text)["project"]["urls"]["Changelog"].endswith("/CHANGELOG.md")


def test_checksums_are_what_sha256sum_checks(packaging, tmp_path, monkeypatch):
    import build

    monkeypatch.setattr(build, "DIST", tmp_path)
    archive = tmp_path / "onlooker.tar.xz"
    archive.write_bytes(b"content")
    sums = build.write_checksums([archive]).read_text()
    assert sums == (
        "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73  onlooker.tar.xz\n"
    )


def test_program_is_described_by_the_same_line_everywhere():
    line = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["description"]
    line = line.removesuffix(".")
    linux = PACKAGING / "linux"
    assert f"Comment={line}\n" in (linux / "onlooker.desktop").read_text("utf-8")
    about = ElementTree.parse(linux / "app.onlooker.Onlooker.metainfo.xml")
    assert about.findtext("summary") == line
    assert f"onlooker \\- {line.lower()}\n" in (linux / "onlooker.1").read_text("utf-8")
    assert f'"Description: {line.lower()}\\n"' in (PACKAGING / "debian.py").read_text("utf-8")
    assert f'description="{line}."' in (ROOT / "gui" / "__main__.py").read_text("utf-8")
    assert f"Onlooker {line[0].lower()}{line[1:]}." in (ROOT / "README.md").read_text("utf-8")
