"""The settings of a window whose file another program writes too."""

import pytest

from core.settings import Settings, change, load
from gui.session.settings_file import SettingsFile


@pytest.fixture
def file(run, tmp_path):
    file = SettingsFile(Settings(servers=["a"]), tmp_path)
    run(file.save())
    return file


@pytest.fixture
def changed(file):
    changed = []
    file.changed.connect(changed.append)
    return changed


def outside(tmp_path, **values):
    def edit(settings):
        for name, value in values.items():
            setattr(settings, name, value)

    change(tmp_path, edit)


def test_what_another_program_changes_is_taken_over_and_stays(run, tmp_path, file, changed):
    outside(tmp_path, servers=[], theme="dark")
    run(file.look())
    assert changed == [{"servers", "theme"}]
    assert (file.settings.servers, file.settings.theme) == ([], "dark")
    file.settings.beams = 2
    run(file.save())
    outside(tmp_path, theme="light")
    run(file.close())
    found = load(tmp_path)
    assert (found.servers, found.theme, found.beams) == ([], "light", 2)


def test_saving_takes_it_over_too(run, tmp_path, file, changed):
    outside(tmp_path, servers=["a", "b"], top_k=3)
    file.settings.servers = ["c"]
    run(file.save())
    assert file.settings.servers == load(tmp_path).servers == ["b", "c"]
    assert file.settings.top_k == 3
    assert changed == [{"servers", "top_k"}]
    file.settings.servers = []
    run(file.save())
    assert load(tmp_path).servers == []


def test_what_was_changed_here_and_not_written_yet_holds(run, tmp_path, file, changed):
    file.settings.theme, file.settings.servers = "light", ["a", "c"]
    outside(tmp_path, theme="dark", servers=["b"])
    run(file.look())
    assert not changed
    assert (file.settings.theme, file.settings.servers) == ("light", ["a", "c"])
    run(file.save())
    found = load(tmp_path)
    assert (found.theme, found.servers) == ("light", ["b", "c"])


def test_what_is_in_view_is_that_of_this_window(run, tmp_path, file, changed):
    outside(tmp_path, folds_images=True, prompt_draft="theirs")
    run(file.look())
    assert not changed
    assert not file.settings.folds_images
    file.settings.beams = 2
    run(file.close())
    assert load(tmp_path).prompt_draft == "theirs"


def test_damaged_file_changes_nothing(run, tmp_path, file, changed):
    (tmp_path / "settings.json").write_text("{")
    run(file.look())
    assert not changed
    run(file.save())
    assert load(tmp_path).servers == ["a"]
