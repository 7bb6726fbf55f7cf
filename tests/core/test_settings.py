import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import StoreError
from core.locations import locations, take_from_others, writable_locations
from core.settings import REMEMBERED_PROMPTS, Settings, change, load, read_again, save
from core.transcript import ModelChoice, Precision, Sampling

ROOT = Path(__file__).parents[2]


def chosen(settings):
    """What differs from the defaults."""
    defaults = Settings().model_dump()
    return {key: value for key, value in settings.model_dump().items() if value != defaults[key]}


def test_first_start_has_the_defaults_and_nothing_to_say(tmp_path):
    settings = load(tmp_path / "not there")
    assert chosen(settings) == {}
    assert settings.notes == ()
    assert settings.sampling == Sampling()
    assert settings.model_choice == ModelChoice()
    assert not (tmp_path / "not there").exists()


def test_every_setting_survives_the_file(tmp_path):
    settings = Settings(
        model="/models/llava", device="cuda:1", dtype=Precision.FLOAT16, temperature=0.2, top_p=0.9,
        top_k=0, repetition_penalty=1.1, beams=2, max_new_tokens=64, seed=None, theme="dark",
        text_percent=150, window="AdnQywAD", last_folder="/Bilder/Größe", last_prompt="Warum?",
        prompt_history=["one", "two\nlines", "☃"], model_folders=["/models/llava"],
        checks_for_updates=True, updates_address="http://127.0.0.1/CHANGELOG.md",
        download_folder="/models", works_offline=True, underlines_doubt=False,
        may_spread=True, quantizes_cache=True, spelling="de_DE", prompt_draft="Wo",
        rest_minutes=5, keys={"OPEN": ["Ctrl+9"]},
        seen_offers=["1.0 offered cuda130"], servers=["http://gpubox:8000 #qwen"],
        folds_images=True, shows_grid=False, shows_caption=True, thumbnail_side=128,
        folds_statistics=True, statistics="sizes", tag_vocabulary="/tags.csv",
        metadata_folders=["/photos"],
    )  # fmt: skip
    save(settings, tmp_path / "new" / "folder")
    assert load(tmp_path / "new" / "folder") == settings
    assert set(chosen(settings)) == set(Settings.model_fields)


def test_unknown_keys_are_dropped_in_silence(tmp_path):
    (tmp_path / "settings.json").write_text('{"theme": "dark", "from_the_future": [1]}')
    settings = load(tmp_path)
    assert (settings.theme, settings.notes) == ("dark", ())
    save(settings, tmp_path)
    assert "from_the_future" not in (tmp_path / "settings.json").read_text()


def test_bad_values_are_reset_one_by_one_and_the_file_is_kept(tmp_path):
    text = json.dumps({
        "theme": "pink", "beams": 99, "device": "toaster", "temperature": 0.7, "seed": -1,
        "prompt_history": ["kept", 5], "last_folder": None,
    })  # fmt: skip
    (tmp_path / "settings.json").write_text(text)
    settings = load(tmp_path)
    assert chosen(settings) == {"temperature": 0.7, "prompt_history": ["kept"]}
    (note,) = settings.notes
    assert all(name in note for name in ("theme", "beams", "device", "seed", "last folder"))
    assert "temperature" not in note
    assert "settings.json.bak" in note
    assert (tmp_path / "settings.json.bak").read_text() == text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\x00\xff", '{"temperature": NaN', "[" * 99_999]
)
def test_damaged_file_gives_the_defaults_and_is_kept(tmp_path, text):
    (tmp_path / "settings.json").write_bytes(text.encode("latin-1"))
    settings = load(tmp_path)
    assert chosen(settings) == {}
    assert "damaged" in settings.notes[0]
    assert (tmp_path / "settings.json.bak").read_bytes() == text.encode("latin-1")


def test_each_damaged_file_is_kept_and_the_same_one_only_once(tmp_path):
    path = tmp_path / "settings.json"
    for text in ("{", "[]", "[]", '{"beams": 99}', "{"):
        path.write_text(text)
        (note,) = load(tmp_path).notes
        copies = {copy.name: copy.read_text() for copy in tmp_path.glob("*.bak")}
        [name] = [name for name, kept in copies.items() if kept == text]
        assert note.endswith(f"kept as “{name}”.")
    assert sorted(copies.values()) == ["[]", "{", '{"beams": 99}']


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such permissions")
def test_settings_and_their_copies_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("{")
    path.chmod(0o644)
    load(tmp_path)
    save(Settings(), tmp_path)
    assert {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()} == {
        "settings.json": 0o600,
        "settings.json.bak": 0o600,
        "settings.lock": 0o600,
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such permissions")
def test_what_an_earlier_version_made_for_everybody_is_taken_from_others(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    places = locations()
    ours = [
        places.settings,
        places.settings.with_name("settings.json.bak"),
        places.transcripts,
        places.transcripts.with_name("transcripts damaged 2026-11-22 10.00.00.sqlite"),
        places.runs / "20261122-100000-000000-0000.jsonl",
        places.logs / "onlooker.log.1",
    ]
    elsewhere = tmp_path / "elsewhere"
    for path in (*ours, elsewhere, places.folder / "notes.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        path.chmod(0o644)
    (places.runs / "link.jsonl").symlink_to(elsewhere)
    take_from_others(places)
    assert {stat.S_IMODE(path.stat().st_mode) for path in ours} == {0o600}
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o644
    assert stat.S_IMODE((places.folder / "notes.txt").stat().st_mode) == 0o644


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_pipe_in_the_place_of_the_settings_is_a_note_at_once(tmp_path):
    os.mkfifo(tmp_path / "settings.json")
    settings = load(tmp_path)
    assert chosen(settings) == {}
    assert "it is a pipe" in settings.notes[0]


def test_numbers_that_are_none_are_reset(tmp_path):
    (tmp_path / "settings.json").write_text('{"temperature": NaN, "top_p": Infinity, "beams": 2}')
    assert chosen(load(tmp_path)) == {"beams": 2}


def test_unreadable_place_gives_the_defaults_with_a_note(tmp_path):
    (tmp_path / "settings.json").mkdir()
    settings = load(tmp_path)
    assert chosen(settings) == {}
    assert "cannot be read" in settings.notes[0]


def test_unwritable_place_is_an_error_that_names_it_and_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be saved in .*file"):
        save(Settings(), tmp_path / "file")
    (tmp_path / "settings.json").mkdir()
    with pytest.raises(StoreError, match="cannot be saved"):
        save(Settings(), tmp_path)
    names = ["file", "settings.json", "settings.lock"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_saving_over_leaves_one_file_and_its_lock(tmp_path):
    for theme in ("light", "dark"):
        save(Settings(theme=theme), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"settings.json", "settings.lock"}
    assert load(tmp_path).theme == "dark"


def test_bounds_hold_for_assignments():
    settings = Settings()
    for name, value in (("temperature", 3), ("beams", 0), ("theme", "pink"), ("top_p", 0)):
        with pytest.raises(ValidationError):
            setattr(settings, name, value)
    assert chosen(settings) == {}


def test_prompts_are_remembered_once_newest_last_and_not_for_ever():
    settings = Settings()
    for number in range(REMEMBERED_PROMPTS + 5):
        settings.remember_prompt(f"prompt {number}")
    settings.remember_prompt("prompt 100")
    assert len(settings.prompt_history) == REMEMBERED_PROMPTS
    assert settings.prompt_history[-2:] == [f"prompt {REMEMBERED_PROMPTS + 4}", "prompt 100"]
    assert settings.prompt_history.count("prompt 100") == 1
    assert settings.last_prompt == "prompt 100"
    assert Settings().prompt_history == []


def test_chosen_model_is_known_the_next_time(tmp_path):
    settings = Settings()
    folder = str(tmp_path / "llava")
    settings.model_choice = ModelChoice(folder, "cuda", Precision.FLOAT16)
    settings.model_choice = ModelChoice("built-in", "cpu", Precision.AUTO)
    assert settings.model_choice == ModelChoice("built-in", "cpu", Precision.AUTO)
    assert settings.model_folders == [folder]


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
def test_places_whose_names_are_not_unicode_are_kept(tmp_path):
    place = os.fsdecode(b"/models/caf\xe9")
    settings = Settings()
    settings.model_choice = ModelChoice(place)
    for field in ("download_folder", "tag_vocabulary", "last_folder", "prompt_draft"):
        setattr(settings, field, place)
    settings.metadata_folders = [place]
    save(settings, tmp_path)
    assert load(tmp_path) == settings
    assert load(tmp_path).model_folders == [place]


def test_byte_order_mark_of_an_editor_is_no_damage(tmp_path):
    save(Settings(beams=3), tmp_path)
    path = tmp_path / "settings.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert chosen(load(tmp_path)) == {"beams": 3}


def test_one_variable_moves_all_our_files(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path))
    places = locations()
    assert places.folder == tmp_path
    for path in (places.settings, places.transcripts, places.logs, places.models):
        assert path.parent == tmp_path
    monkeypatch.delenv("ONLOOKER_HOME")
    assert not locations().settings.is_relative_to(tmp_path)
    assert locations().settings.name == "settings.json"


def test_settings_need_neither_torch_nor_qt():
    script = (
        "import sys, core.settings; print({'torch', 'PySide6', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_home_that_can_be_written_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    assert writable_locations() == locations()


def test_without_a_home_all_goes_to_a_temporary_folder_and_a_note_says_so(tmp_path, monkeypatch):
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    monkeypatch.setenv("ONLOOKER_HOME", str(no_folder / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    places = writable_locations()
    assert places.folder.parent == tmp_path
    assert str(places.folder) in places.note
    save(Settings(), places.folder)


def test_user_whom_the_system_does_not_know_gets_a_temporary_folder(tmp_path, monkeypatch):
    for name in ("ONLOOKER_HOME", "HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    # What `expanduser` does without HOME and without an entry for the user.
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    places = writable_locations()
    assert places.folder.parent == tmp_path
    assert places.note
    assert not (tmp_path / "~").exists()


class TestTwoPrograms:
    """Each writes only what it has changed."""

    @pytest.fixture
    def known(self, tmp_path):
        save(Settings(servers=["a", "b"], prompt_history=["one"], keys={"copy": ["F2"]}), tmp_path)
        return load(tmp_path)

    def test_other_fields_stay_as_the_other_one_wrote_them(self, tmp_path, known):
        save(known.model_copy(update={"theme": "dark"}), tmp_path, known)
        now = save(known.model_copy(update={"beams": 3}), tmp_path, known)
        assert (now.theme, now.beams) == ("dark", 3)
        assert load(tmp_path) == now

    def test_lists_and_keys_have_what_both_added_and_removed(self, tmp_path, known):
        theirs, ours = known.model_copy(deep=True), known.model_copy(deep=True)
        theirs.servers = ["b", "c"]
        theirs.remember_prompt("theirs")
        theirs.keys = {"paste": ["F3"]}
        save(theirs, tmp_path, known)
        ours.servers = ["a", "b", "d"]
        ours.remember_prompt("ours")
        ours.keys = {**ours.keys, "copy": ["F2"], "cut": ["F4"]}
        now = save(ours, tmp_path, known)
        assert now.servers == ["b", "c", "d"]
        assert now.prompt_history == ["one", "theirs", "ours"]
        assert now.keys == {"paste": ["F3"], "cut": ["F4"]}

    def test_what_only_a_newer_program_knows_stays(self, tmp_path, known):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "from_the_future": [1]}))
        save(known.model_copy(update={"beams": 3}), tmp_path, known)
        assert json.loads(path.read_text())["from_the_future"] == [1]

    @pytest.mark.parametrize("content", ["{", "[]", '{"beams": 99, "theme": "dark"}'])
    def test_file_that_a_person_has_damaged_is_kept_aside(self, tmp_path, known, content):
        path = tmp_path / "settings.json"
        path.write_text(content)
        now = save(known.model_copy(update={"top_k": 3}), tmp_path, known)
        assert (tmp_path / "settings.json.bak").read_text() == content
        assert (now.top_k, now.beams, now.servers) == (3, 1, ["a", "b"])
        assert now.theme == ("dark" if "dark" in content else "system")

    def test_file_that_is_gone_is_written_whole(self, tmp_path, known):
        (tmp_path / "settings.json").unlink()
        assert read_again(known, tmp_path, known) == known
        save(known, tmp_path, known)
        assert load(tmp_path) == known

    def test_change_without_a_window(self, tmp_path, known):
        change(tmp_path, lambda settings: settings.servers.remove("a"))
        assert load(tmp_path) == known.model_copy(update={"servers": ["b"]})
        assert read_again(known, tmp_path, known).servers == ["b"]
