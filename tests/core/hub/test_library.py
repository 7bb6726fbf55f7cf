import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import keyring
import pytest
from huggingface_hub import scan_cache_dir
from keyring.backends import fail

from core.checkpoint.llava_settings import TEXT_SIZES
from core.device.memory import PRECISIONS
from core.errors import Cancelled, HubError
from core.hub import (
    AccessToken,
    DeviceMemory,
    Hub,
    LocalModel,
    Where,
    check_model,
    device_memory,
    fetch,
    find_models,
    move_model,
    remove_model,
    with_access_token,
)
from core.hub.catalogue import offer_of, offers
from core.hub.library import memory_needs
from core.hub.location import RECORD, CacheLocation, HubFile, Record
from core.transcript import Precision
from tests.support.hub_server import REVISION, HubServer

ID = "someone/tiny-llava"
ROOT = Path(__file__).parents[3]


def quiet(progress):
    pass


@pytest.fixture
def server(tiny_transformers_layout):
    server = HubServer()
    server.add(ID, tiny_transformers_layout)
    with server.running():
        yield server


@pytest.fixture
def hub(server, tmp_path) -> Hub:
    return Hub(server.endpoint, tmp_path / "cache", waits=())


def got(hub: Hub, *folders: Path, parent: Path | None = None) -> LocalModel:
    """The model after its download, as the list has it."""
    fetch(hub, ID, quiet, threading.Event(), parent)
    return the_other(find_models(folders or ([parent] if parent else []), hub.cache))


def the_other(models: list[LocalModel]) -> LocalModel:
    assert [model.where for model in models].count(Where.BUILT_IN) == 1
    (model,) = (model for model in models if model.where is not Where.BUILT_IN)
    return model


def some_weights(folder: Path) -> Path:
    return min(folder.glob("*.safetensors"))


def is_in_order(model: LocalModel) -> bool:
    return check_model(model, quiet, threading.Event()) == []


# What is here


def test_downloaded_model_is_in_the_list_with_its_id_and_size(hub, tiny_transformers_layout):
    model = got(hub)
    size = sum(path.stat().st_size for path in tiny_transformers_layout.iterdir())
    assert (model.model, model.name, model.where) == (ID, "tiny-llava", Where.CACHE)
    assert model.size == model.total == size
    assert not model.problem


@pytest.mark.parametrize("is_in_folder", [False, True])
def test_licence_that_the_hub_names_stays_with_the_model(server, hub, tmp_path, is_in_folder):
    server.cards[ID] = {"cardData": {"license": "apache-2.0"}}
    model = got(hub, parent=tmp_path / "disk" if is_in_folder else None)
    assert model.licence == "Apache 2.0"
    assert not scan_cache_dir(hub.cache).warnings if hub.cache.exists() else True
    move_model(model, hub.cache, tmp_path / "moved", quiet, threading.Event())
    assert the_other(find_models([tmp_path / "moved"], hub.cache)).licence == "Apache 2.0"


def test_begun_download_is_in_the_list_with_how_far_it_is(server, hub):
    server.faults.holds = [1000]
    stop, is_held = threading.Event(), server.is_half_way(ID, 1000)
    with pytest.raises(Cancelled):
        fetch(hub, ID, lambda progress: stop.set() if is_held(progress) else None, stop)
    model = the_other(find_models([], hub.cache))
    assert not model.is_complete
    assert 1000 < model.size < model.total
    assert check_model(model, quiet, threading.Event()) == [
        "“tiny-llava” is incomplete. Resume its download."
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
@pytest.mark.parametrize("name", ["config.json", ".onlooker-download", "adapter_config.json"])
@pytest.mark.parametrize("kind", ["pipe", "zeros", "sparse"])
def test_files_that_never_end_are_not_read_for_the_list(
    tmp_path, tiny_transformers_layout, name, kind
):
    folder = shutil.copytree(tiny_transformers_layout, tmp_path / "models" / "given")
    (folder / name).unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(folder / name)
        case "zeros":
            (folder / name).symlink_to("/dev/zero")
        case "sparse":
            (folder / name).touch()
            os.truncate(folder / name, 2**36)
    models = find_models([tmp_path / "models"], tmp_path / "cache")
    assert len(models) <= 2


def test_folders_that_were_named_are_looked_into_one_level_deep(tmp_path, tiny_transformers_layout):
    (tmp_path / "mine").symlink_to(tiny_transformers_layout)
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "picture.jpg").write_bytes(b"")
    model = the_other(find_models([tmp_path], tmp_path / "cache"))
    assert (model.name, model.where, model.is_ours) == ("mine", Where.FOLDER, False)
    twice = find_models([tmp_path, tiny_transformers_layout], tmp_path / "cache")
    assert len(twice) == 2


@pytest.mark.parametrize(
    ("config", "is_shown"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, False),
        ({"model_type": "clip", "vision_config": {}}, False),
        ({"model_type": "martian", "vision_config": {}}, True),
    ],
)
def test_models_of_other_programs_are_shown_only_if_they_see_and_speak(tmp_path, config, is_shown):
    snapshot = tmp_path / "models--x--y" / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(config))
    (snapshot / "model.safetensors").write_bytes(b"")
    (tmp_path / "models--x--y" / "refs").mkdir()
    (tmp_path / "models--x--y" / "refs" / "main").write_text(REVISION)
    assert len(find_models([], tmp_path)) == 1 + is_shown


def test_model_of_which_another_program_fetched_the_settings_alone_is_not_here(hub):
    model = got(hub)
    for path in model.folder.glob("*.safetensors*"):
        path.unlink()
    assert len(find_models([], hub.cache)) == 1


def test_model_with_a_part_missing_says_so_and_can_be_completed(hub):
    model = got(hub)
    if len(list(model.folder.glob("*.safetensors"))) == 1:
        pytest.skip("the tiny model is one file")
    weights = some_weights(model.folder)
    weights.resolve().unlink()
    weights.unlink()
    model = the_other(find_models([], hub.cache))
    assert "1 weight file is missing" in model.problem
    assert model.missing_id == ID
    assert not got(hub).problem


def test_folder_without_weights_says_so(tmp_path, tiny_transformers_layout):
    config = (tiny_transformers_layout / "config.json").read_bytes()
    (tmp_path / "config.json").write_bytes(config)
    assert "has no weights" in the_other(find_models([tmp_path], tmp_path)).problem


_LLAVA = {"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}}
_ORIGINAL = {"architectures": ["LlavaLlamaForCausalLM"], "mm_projector_type": "mlp2x_gelu"}
_LONG = "x" * 300


@pytest.mark.parametrize(
    "files",
    [
        {"config": _LLAVA, "model.safetensors.index": {"weight_map": {"a": _LONG}}},
        {"config": _LLAVA, "model.safetensors.index": {"weight_map": {"a": "a\0b"}}},
        {"config": _ORIGINAL | dict.fromkeys(TEXT_SIZES, 1) | {"mm_vision_tower": _LONG}},
        {"config": _ORIGINAL | {"mm_vision_tower": "a"}, "adapter_config":
            {"base_model_name_or_path": _LONG}},
    ],
)  # fmt: skip
def test_model_that_names_what_no_file_is_called_is_a_row_with_a_reason(tmp_path, files):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    assert the_other(find_models([tmp_path], tmp_path)).problem


@pytest.mark.skipif(os.name == "nt", reason="permissions as POSIX has them")
def test_folders_and_a_token_that_are_another_users_are_passed_over():
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for model in ("mine", "secret"):
            (place / model).mkdir()
            (place / model / "config.json").write_text(json.dumps(_LLAVA))
            # Whatever the umask of who runs the tests.
            (place / model).chmod(0o755)
            (place / model / "config.json").chmod(0o644)
        (place / "secret" / "token").write_text("hf_x")
        (place / "secret").chmod(0)
        # Nothing is unreadable to root, which therefore becomes nobody.
        story = f"""
            import os
            from pathlib import Path
            from huggingface_hub import constants, get_token
            from core.hub import Hub, find_models
            find_models([], Path({name!r}))  # Python's own modules may be unreadable then, too.
            if os.geteuid() == 0:
                os.setuid(65534)
            print([one.name for one in find_models([Path({name!r})], Path({name!r}))][1:])
            print(repr(Hub.here().token))
        """
        environment = os.environ | {
            "HF_TOKEN_PATH": str(place / "secret" / "token"),
            "HF_TOKEN": "",
        }
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(story)],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        (place / "secret").chmod(0o700)
    assert done.stdout.splitlines() == ["['mine']", "''"], done.stderr


def test_base_of_an_adapter_is_its_missing_part(tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "config.json").write_text('{"mm_vision_tower": "someone/clip"}')
    named = {"base_model_name_or_path": "someone/base"}
    (folder / "adapter_config.json").write_text(json.dumps(named))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    model = the_other(find_models([folder], tmp_path / "cache"))
    assert model.problem
    assert model.missing_id == "someone/base"


@pytest.mark.parametrize("junk", [b"", b"[]", b"{", b'{"hub_id": "../x", "files": []}', b"\xff"])
def test_damaged_record_harms_no_list(tmp_path, junk):
    folder = tmp_path / "models--x--y"
    folder.mkdir()
    (folder / RECORD).write_bytes(junk)
    (tmp_path / "file").write_text("no folder")
    assert len(find_models([tmp_path / "file", tmp_path / "gone"], tmp_path)) == 1


def test_files_of_a_record_cannot_lie_outside_their_folder():
    for name in ("../x", "a/b", "/etc/x", "", ".hidden", "a\\b", "a" * 200):
        with pytest.raises(ValueError, match="no file of a model"):
            HubFile(name, 1, "a" * 40)
    with pytest.raises(ValueError, match="no file of a model"):
        HubFile("x", 1, "../../x")
    with pytest.raises(ValueError, match="no size"):
        HubFile("x", -1, "a" * 40)


# What it needs


def test_every_offer_has_its_need_in_each_precision():
    assert len(offers()) >= 14
    for offer in offers():
        needs = memory_needs(offer.config, "cuda", parameters=offer.parameters)
        assert list(needs) == list(PRECISIONS)
        assert needs[Precision.BITS_16] > needs[Precision.BITS_8] > needs[Precision.BITS_4] > 0
        assert offer.parameters * 2 < needs[Precision.BITS_16] < offer.parameters * 2 * 1.3 + 1e9


def test_original_offers_name_their_tower():
    offer = offer_of("liuhaotian/llava-v1.5-7b")
    assert offer
    assert offer.tower == "openai/clip-vit-large-patch14-336"


def test_finest_precision_that_fits_is_found():
    needs: dict[Precision, int] = dict(zip(PRECISIONS, (15, 9, 6), strict=True))
    assert DeviceMemory("cpu", "here", 10).best_precision(needs) == "8-bit"
    assert DeviceMemory("cpu", "here", 5).best_precision(needs) is None
    assert DeviceMemory("cpu", "here", None).best_precision(needs) == "16-bit"


def test_room_on_a_processor_counts_what_is_given_back():
    before, after = device_memory("cpu"), device_memory("cpu", 2**40)
    assert before.free
    assert after.free
    assert after.free - before.free > 2**39


# Check, move, remove


def test_checksums_in_the_cache_are_compared_again(hub):
    model = got(hub)
    assert is_in_order(model)
    weights = some_weights(model.folder).resolve()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert check_model(model, quiet, threading.Event()) == [
        f"“{some_weights(model.folder).name}” is damaged. Remove the model, then download it again."
    ]


def test_blobs_that_models_share_are_checked_loaded_and_freed(hub, tmp_path):
    """As huggingface_hub 2.4 keeps what it gets through Xet."""
    model = got(hub)
    weights = some_weights(model.folder)
    blob = model.folder.parents[1] / "blobs" / weights.readlink().name
    xet = "ab" + "0" * 62
    shared = hub.cache / "blobs" / "ab" / xet
    shared.parent.mkdir(parents=True)
    (hub.cache / "blobs" / ".huggingface-shared-blobs").write_text("1")
    shared.with_name(f"{xet}.refs").write_text(f"{blob.relative_to(hub.cache)}\n")
    blob.replace(shared)
    blob.symlink_to(Path("..", "..", "blobs", "ab", xet))
    model = the_other(find_models([], hub.cache))
    assert not model.problem
    assert is_in_order(model)
    remove_model(model, hub.cache)
    assert not list(hub.cache.rglob("*.safetensors"))
    assert not blob.is_symlink()


def test_cut_off_weights_are_found_where_no_checksum_is_known(tmp_path, tiny_transformers_layout):
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in tiny_transformers_layout.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    model = the_other(find_models([folder], tmp_path / "cache"))
    assert is_in_order(model)
    weights = some_weights(folder)
    weights.write_bytes(weights.read_bytes()[:-100])
    (problem,) = check_model(model, quiet, threading.Event())
    assert problem.startswith(f"“{weights.name}” is damaged or incomplete.")


def test_model_moves_from_the_cache_into_a_folder_and_back_out_of_it(hub, tmp_path):
    model = got(hub)
    log = []
    folder = move_model(model, hub.cache, tmp_path / "disk", log.append, threading.Event())
    assert folder == tmp_path / "disk" / "tiny-llava"
    assert log[-1].done == log[-1].total
    assert not scan_cache_dir(hub.cache).repos
    moved = the_other(find_models([tmp_path / "disk"], hub.cache))
    assert moved.is_ours
    assert is_in_order(moved)
    again = move_model(moved, hub.cache, tmp_path / "other", quiet, threading.Event())
    assert not folder.exists()
    assert is_in_order(the_other(find_models([again], hub.cache)))


def begun(server: HubServer, hub: Hub, parent: Path | None = None) -> LocalModel:
    """A download that stopped in the middle of a file of weights."""
    server.faults.holds = [1000] * 4
    stop, is_held = threading.Event(), server.is_half_way(ID, 1000)
    with pytest.raises(Cancelled):
        fetch(hub, ID, lambda progress: stop.set() if is_held(progress) else None, stop, parent)
    server.faults.holds = []
    server.go_on.set()
    return the_other(find_models([parent] if parent else [], hub.cache))


@pytest.mark.parametrize("is_in_folder", [False, True])
def test_begun_download_moves_and_goes_on_where_it_is_now(server, hub, tmp_path, is_in_folder):
    model = begun(server, hub, tmp_path / "disk" if is_in_folder else None)
    move_model(model, hub.cache, tmp_path / "other", quiet, threading.Event())
    assert not list(hub.cache.glob("models--*"))
    assert not list((tmp_path / "disk").glob("*"))
    moved = the_other(find_models([tmp_path / "other"], hub.cache))
    assert (moved.size, moved.total, moved.is_complete) == (model.size, model.total, False)
    before = len(server.asked)
    fetch(hub, ID, quiet, threading.Event(), tmp_path / "other")
    asked = [one for one in server.asked[before:] if "/content/" in one.path]
    assert any(one.headers.get("range", "").startswith("bytes=") for one in asked)
    assert not [one for one in server.asked[before:] if one.path.endswith("config.json")]
    assert is_in_order(the_other(find_models([tmp_path / "other"], hub.cache)))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second disk")
def test_model_moves_onto_another_disk(hub, tmp_path):
    model = got(hub)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:
        move_model(model, hub.cache, Path(disk), quiet, threading.Event())
        assert is_in_order(the_other(find_models([Path(disk)], hub.cache)))
    assert len(find_models([], hub.cache)) == 1


def test_move_that_is_stopped_leaves_the_model_where_it_was(hub, tmp_path):
    model = got(hub)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        move_model(model, hub.cache, tmp_path / "disk", quiet, stop)
    assert is_in_order(model)
    assert not (tmp_path / "disk" / "tiny-llava").exists()


def test_move_into_the_same_folder_or_over_other_things_is_refused(hub, tmp_path):
    model = got(hub, parent=tmp_path / "disk")
    with pytest.raises(HubError, match="already in this folder"):
        move_model(model, hub.cache, tmp_path / "disk", quiet, threading.Event())
    (tmp_path / "other" / "tiny-llava").mkdir(parents=True)
    (tmp_path / "other" / "tiny-llava" / "diary.txt").write_text("mine")
    with pytest.raises(HubError, match="already holds other files"):
        move_model(model, hub.cache, tmp_path / "other", quiet, threading.Event())
    assert (tmp_path / "other" / "tiny-llava" / "diary.txt").exists()
    assert is_in_order(model)


def test_removed_model_is_gone_from_the_cache(hub):
    model = got(hub)
    remove_model(model, hub.cache)
    assert not CacheLocation(hub.cache, ID).root.exists()


def test_removed_model_leaves_the_other_things_of_its_folder(hub, tmp_path):
    model = got(hub, parent=tmp_path / "disk")
    (model.folder / "notes.txt").write_text("mine")
    remove_model(model, hub.cache)
    assert [path.name for path in model.folder.iterdir()] == ["notes.txt"]


def test_model_that_another_one_links_to_stays_when_that_is_removed_or_moved(hub, tmp_path):
    fetch(hub, ID, quiet, threading.Event(), tmp_path / "disk")
    other = fetch(hub, ID, quiet, threading.Event(), tmp_path / "elsewhere")
    (tmp_path / "disk" / "tiny-llava" / "tower").symlink_to(other)
    model = the_other(find_models([tmp_path / "disk"], hub.cache))
    move_model(model, hub.cache, tmp_path / "moved", quiet, threading.Event())
    assert is_in_order(the_other(find_models([other], hub.cache)))
    moved = the_other(find_models([tmp_path / "moved"], hub.cache))
    (moved.folder / "tower").symlink_to(other)
    remove_model(moved, hub.cache)
    assert is_in_order(the_other(find_models([other], hub.cache)))


def test_folder_of_the_persons_own_is_never_removed_nor_moved(tmp_path, tiny_transformers_layout):
    model = the_other(find_models([tiny_transformers_layout], tmp_path))
    assert not model.can_move
    with pytest.raises(HubError, match="not downloaded by Onlooker"):
        remove_model(model, tmp_path)
    with pytest.raises(HubError, match=r"origin of .* is unknown"):
        move_model(model, tmp_path, tmp_path / "disk", quiet, threading.Event())
    assert (tiny_transformers_layout / "config.json").exists()


def test_cache_without_links_is_not_moved_half(hub, tmp_path):
    model = got(hub)
    for path in model.folder.iterdir():
        # As on a system that does not let one make links.
        path.resolve().replace(path)
    with pytest.raises(HubError, match=r"origin of .* is unknown"):
        move_model(model, hub.cache, tmp_path / "disk", quiet, threading.Event())
    assert some_weights(model.folder).exists()


def test_record_comes_back_as_it_was_written(tmp_path):
    record = Record(ID, REVISION, (HubFile("config.json", 5, "a" * 40),))
    record.write(tmp_path)
    assert Record.read(tmp_path) == record
    dataclasses.replace(record, revision="main").write(tmp_path)
    assert Record.read(tmp_path) is None


# The access token


def test_access_token_is_there_at_the_next_start_and_can_be_forgotten(ring):
    assert AccessToken().keep(" hf_mine \n") == ""
    assert AccessToken().read() == "hf_mine"
    assert AccessToken().keep("") == ""
    assert AccessToken().read() == ""
    assert ring.kept == {}


def test_without_a_keyring_the_token_lasts_as_long_as_the_program(ring):
    keyring.set_keyring(fail.Keyring())
    token = AccessToken()
    assert "no keyring" in token.keep("hf_mine")
    assert token.read() == "hf_mine"
    assert AccessToken().read() == ""
    assert token.keep("") == ""


@pytest.mark.parametrize("failure", [OSError, KeyError, type("LockedException", (Exception,), {})])
def test_keyring_that_fails_in_its_own_way_is_like_none(ring, monkeypatch, failure):
    def fails(*_):
        raise failure("hf_mine")

    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(ring, name, fails)
    token = AccessToken()
    assert token.read() == ""
    assert "no keyring" in token.keep("hf_mine")
    assert token.read() == "hf_mine"
    assert token.keep("") == ""


def test_keyring_that_waits_for_the_person_is_not_waited_for_after_a_stop(ring, monkeypatch):
    unlocked, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(ring, "get_password", lambda *_: stop.set() or unlocked.wait(20) or None)
    with pytest.raises(Cancelled):
        AccessToken().read(stop)
    unlocked.set()


def test_keyring_is_asked_only_where_the_hub_wants_to_know_who_asks(server, hub, ring):
    asked = []

    def read(stop: threading.Event) -> str:
        asked.append(stop)
        return "hf_right"

    def get(hub_id: str) -> Path:
        stop = threading.Event()
        return with_access_token(read, hub, stop, lambda hub: fetch(hub, hub_id, quiet, stop))

    get(ID)
    assert not asked
    server.repositories["someone/gated"] = server.repositories[ID]
    server.gated = {"someone/gated"}
    get("someone/gated")
    assert len(asked) == 1
    with pytest.raises(HubError, match="has no public model"):
        get("someone/nothing")


# The terminal


def environment_of(server: HubServer, tmp_path: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.endpoint,
        "HF_HOME": str(tmp_path / "hub"),
        "ONLOOKER_HOME": str(tmp_path / "home"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }
    environment.pop("HF_HUB_CACHE", None)
    return environment


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_interrupt_in_the_terminal_keeps_what_has_come_and_says_how_to_go_on(server, tmp_path):
    server.faults.holds = [1000]
    process = subprocess.Popen(
        [sys.executable, "-m", "core.terminal", "models", "get", ID],
        cwd=ROOT, env=environment_of(server, tmp_path), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.is_held.wait(60)
    # Of a download of which nothing is kept yet, nothing stays.
    while not all(list((tmp_path / "hub").rglob(name)) for name in ("*.incomplete", "config.json")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed.endswith(f"Resume with: onlooker models get {ID}\n")
    assert list((tmp_path / "hub").rglob("*.incomplete"))


def test_terminal_gets_lists_checks_and_removes_the_same_model(server, tmp_path):
    script = f"""
        import json, sys
        from pathlib import Path
        from core.terminal.main import main
        say = lambda *words: print("---", main(["models", *words]), flush=True)
        say("get", {ID!r})
        say("list", "--json")
        say("check", "tiny-llava")
        say("remove", {ID!r})
        say("remove", {ID!r}, "--yes")
        say("check", {ID!r})
        say("get", "someone/other")
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT, env=environment_of(server, tmp_path),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
    )  # fmt: skip
    parts = re.split(r"--- (\d)\n", run.stdout)[:-1]
    get, listing, check, _, removed, _, _ = parts[::2]
    assert parts[1::2] == list("0002021")
    assert Path(get.strip()).is_relative_to(tmp_path / "hub")
    rows = {row["model"]: row for row in json.loads(listing)["models"]}
    assert rows[ID]["state"] == "here"
    assert rows[ID]["fits"] == "16-bit"
    assert rows["llava-hf/llava-1.5-7b-hf"]["state"] == "available"
    assert check == f"{ID}: in order\n"
    assert "Add --yes" in run.stderr
    assert removed.startswith(f"Removed {ID}")
    assert "The hub has no public model “someone/other”" in run.stderr
