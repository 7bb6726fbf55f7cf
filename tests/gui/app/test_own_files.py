"""The window notices what a terminal writes into our files, and overwrites none of it."""

import subprocess
import sys

from core.locations import locations
from core.settings import Settings, change, load, save
from core.workspace import Preset, Presets, write_presets
from gui.window.commands import Command
from tests.gui.conftest import until


def onlooker(*arguments):
    """Runs a command as a terminal does."""
    command = [sys.executable, "-m", "gui", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def test_presets_and_settings_that_a_terminal_changes_are_shown_and_stay(live, home, tmp_path):
    home.mkdir(exist_ok=True)
    save(Settings(servers=["server:model@http://127.0.0.1:9"], theme="light"), home)
    write_presets([Preset("From the terminal", ("p",))], tmp_path / "some.json")

    async def story(program):
        window = program.window
        await until(lambda: program.folder_jobs.presets.presets.all)
        onlooker("presets", "import", tmp_path / "some.json")
        await until(lambda: program.folder_jobs.presets.presets.named("From the terminal"))
        menu = window.batch_panel.controls.presets_button.menu()
        assert any("From the terminal" in one.text() for one in menu.actions())
        change(home, forget_servers)
        change(home, choose_key)
        await until(lambda: window.commands[Command.REGENERATE].shortcut().toString() == "Ctrl+K")
        assert program.settings.servers == []
        window.commands[Command.THEME_DARK].trigger()
        await until(lambda: load(home).theme == "dark")

    live(story)
    found = load(home)
    assert (found.servers, found.theme, found.keys) == ([], "dark", {"regenerate": ["Ctrl+K"]})
    assert Presets.load(locations().presets).named("From the terminal")


def forget_servers(settings):
    settings.servers = []


def choose_key(settings):
    settings.keys = {"regenerate": ["Ctrl+K"]}
