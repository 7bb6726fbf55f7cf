import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download

from core.errors import Cancelled, HubError
from core.files import partial_path
from core.hub import Hub, Progress, fetch, look_up
from core.hub.listing import wanted_files
from core.hub.location import RECORD, FolderLocation, HubFile, Record
from tests.support.hub_server import REVISION, HubServer

ID = "someone/model"
STOP = threading.Event()
SMALL = b'{"model_type": "llava", "vision_config": {}}'
WEIGHTS = os.urandom(400_000)
ROOT = Path(__file__).parents[3]
# Seconds, on a machine that is busy; who does not stop waits 20 for a server that says no more.
PROMPTLY = 10


@pytest.fixture
def server():
    server = HubServer()
    server.repositories[ID] = {
        "config.json": SMALL,
        "model.safetensors": WEIGHTS,
        "pytorch_model.bin": b"the same once more",
        "modeling_model.py": b"raise SystemExit",
        "README.md": b"# A model",
    }
    with server.running():
        yield server


@pytest.fixture
def hub(server, tmp_path) -> Hub:
    return Hub(server.endpoint, tmp_path / "cache", waits=(0, 0))


class ProgressLog(list[Progress]):
    """Every progress report; sets `stop` once `at` bytes of the weights have arrived."""

    def __init__(self, stop: threading.Event | None = None, at: int = 0):
        super().__init__()
        self._stop, self._at = stop, at
        self.seconds_of_stop = 0.0

    def __call__(self, progress: Progress) -> None:
        self.append(progress)
        is_enough = progress.done >= self._at + len(SMALL)
        if self._stop and is_enough and not self._stop.is_set():
            self.seconds_of_stop = time.monotonic()
            self._stop.set()


def get(hub: Hub, hub_id: str = ID, parent: Path | None = None) -> Path:
    return fetch(hub, hub_id, ProgressLog(), threading.Event(), parent)


def stop_half_way(server: HubServer, hub: Hub, parent: Path | None = None) -> float:
    """Begin to download and stop in the middle of the weights; the seconds that stopping took."""
    server.faults.holds = [100_000]
    server.go_on.clear()
    stop = threading.Event()
    log = ProgressLog(stop, 100_000)
    with pytest.raises(Cancelled):
        fetch(hub, ID, log, stop, parent)
    seconds = time.monotonic() - log.seconds_of_stop
    server.go_on.set()
    return seconds


def test_downloaded_model_is_found_by_the_library_itself(server, hub):
    folder = get(hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    found = snapshot_download(ID, cache_dir=hub.cache, local_files_only=True)
    assert Path(found) == folder
    assert not scan_cache_dir(hub.cache).warnings


def test_server_of_these_tests_is_a_hub_to_the_library_too(server, tmp_path):
    path = hf_hub_download(
        ID, "model.safetensors", endpoint=server.endpoint, cache_dir=tmp_path, token=False
    )
    assert Path(path).read_bytes() == WEIGHTS


def test_only_what_loaders_read_is_downloaded(server, hub):
    folder = get(hub)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    asked = " ".join(asked.path for asked in server.asked)
    assert ".py" not in asked
    assert ".bin" not in asked


def test_weights_in_parts_come_with_their_index_and_bin_where_there_is_nothing_better():
    names = (
        *("config.json", "tokenizer.model", "mm_projector.bin", "training_args.bin"),
        *("pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"),
        *("pytorch_model-00002-of-00002.bin", "model.fp16.safetensors", "flax_model.msgpack"),
    )
    wanted = wanted_files(HubFile(name, 5, "a" * 40) for name in names)
    assert [file.name for file in wanted] == [
        "config.json",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
        "pytorch_model.bin.index.json",
        "tokenizer.model",
    ]


def test_progress_is_reported_in_bytes_up_to_all_of_them(server, hub):
    log = ProgressLog()
    fetch(hub, ID, log, threading.Event())
    assert (log[-1].done, log[-1].total) == (len(SMALL) + len(WEIGHTS),) * 2
    assert [progress.done for progress in log] == sorted(progress.done for progress in log)


def test_stop_takes_effect_within_a_second_although_the_server_says_nothing(server, hub):
    assert stop_half_way(server, hub) < PROMPTLY


def test_stopped_download_goes_on_from_its_last_byte(server, hub):
    stop_half_way(server, hub)
    folder = get(hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    first, second = server.sent("model.safetensors")
    assert (first, second) == ("", "bytes=100000-")


def test_rate_counts_only_what_came_now(server, hub):
    stop_half_way(server, hub)
    server.faults.holds = [1]
    server.go_on.clear()
    stop = threading.Event()
    log = ProgressLog(stop, 100_001)
    with pytest.raises(Cancelled):
        fetch(hub, ID, log, stop)
    assert log[-1].rate < 100_000


def test_download_that_was_killed_goes_on_from_its_last_byte(server, hub):
    server.faults.holds = [300_000]
    script = f"""
        import threading
        from pathlib import Path
        from core.hub import (Hub, fetch)
        fetch(Hub({server.endpoint!r}, Path({str(hub.cache)!r})), {ID!r}, print, threading.Event())
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT)
    assert server.is_held.wait(60)
    half = hub.cache / f"models--{ID.replace('/', '--')}" / "blobs"
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 100_000 for path in half.glob("*.incomplete")):
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    server.go_on.set()
    folder = get(hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert server.sent("model.safetensors")[-1].startswith("bytes=")


def test_cut_connections_are_taken_up_again_while_bytes_come(server, hub):
    server.faults.cuts = [100_000] * 3
    folder = get(hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert server.sent("model.safetensors") == ["", *(f"bytes={n}00000-" for n in (1, 2, 3))]


def test_connection_that_gives_nothing_any_more_is_reported_and_what_came_is_kept(server, hub):
    server.faults.cuts = [100_000, 0, 0, 0]
    with pytest.raises(HubError, match=r"was lost.* resume the download") as failure:
        get(hub)
    assert failure.value.need == "network"
    get(hub)
    assert server.sent("model.safetensors")[-1] == "bytes=100000-"


def in_parts(server: HubServer, count: int = 3) -> dict[str, bytes]:
    """Weights in parts, as the hub has them."""
    names = [f"model-{n:05}-of-{count:05}.safetensors" for n in range(1, count + 1)]
    parts = {name: os.urandom(100_000 + number) for number, name in enumerate(names)}
    index = {"weight_map": {f"layer.{number}": name for number, name in enumerate(names)}}
    server.repositories[ID] = {
        "config.json": SMALL,
        "model.safetensors.index.json": json.dumps(index).encode(),
        **parts,
    }
    return parts


def test_parts_of_a_model_come_side_by_side(server, hub):
    parts = in_parts(server)
    server.faults.holds = [1000] * 3
    log = ProgressLog()

    def on_progress(progress: Progress) -> None:
        log(progress)
        if all(server.sent(name) for name in parts) and not server.faults.holds:
            server.go_on.set()

    folder = fetch(hub, ID, on_progress, threading.Event())
    assert {name: (folder / name).read_bytes() for name in parts} == parts
    assert log[-1].done == log[-1].total
    assert "Downloading 3 files" in {progress.stage for progress in log}


def test_no_more_than_four_come_at_once(server, hub):
    parts = in_parts(server, 6)
    server.faults.holds = [1000] * 4
    stop, log = threading.Event(), ProgressLog()

    def on_progress(progress: Progress) -> None:
        log(progress)
        if not server.faults.holds and progress.done > 4 * 1000:
            stop.set()

    with pytest.raises(Cancelled):
        fetch(hub, ID, on_progress, stop)
    assert sum(bool(server.sent(name)) for name in parts) == 4
    server.go_on.set()
    assert (get(hub) / "model-00006-of-00006.safetensors").stat().st_size == 100_005


def test_failure_of_one_part_ends_the_others_and_what_came_is_kept(server, hub):
    parts = in_parts(server)
    server.faults.missing = {"model-00002-of-00003.safetensors"}
    server.faults.holds = [50_000] * 2
    with pytest.raises(HubError, match="changed on the hub"):
        get(hub)
    server.faults.missing, server.faults.holds = set(), []
    server.go_on.set()
    folder = get(hub)
    assert {name: (folder / name).read_bytes() for name in parts} == parts


def test_file_larger_than_the_hub_gives_at_once_comes_in_ranges(server, hub, monkeypatch):
    monkeypatch.setattr("core.hub.download._LONGEST_ANSWER", 150_000)
    server.faults.cuts = [150_000, 70_000]
    folder = get(hub)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    asked = ["bytes=0-149999", "bytes=150000-299999", "bytes=220000-369999", "bytes=370000-"]
    assert server.sent("model.safetensors") == asked


def test_server_that_ignores_ranges_sends_all_of_it_again(server, hub):
    server.faults.cuts = [100_000]
    server.faults.ignores_ranges = True
    assert (get(hub) / "model.safetensors").read_bytes() == WEIGHTS


def test_wrong_checksum_is_reported_and_the_file_is_not_kept(server, hub):
    server.faults.damages = {"model.safetensors"}
    with pytest.raises(HubError, match="was damaged during the download"):
        get(hub)
    server.faults.damages = set()
    assert (get(hub) / "model.safetensors").read_bytes() == WEIGHTS
    assert server.sent("model.safetensors") == ["", ""]


def test_half_a_file_that_was_damaged_on_the_disk_does_not_become_a_whole_one(server, hub):
    stop_half_way(server, hub)
    (half,) = hub.cache.rglob("*.incomplete")
    half.write_bytes(b"\0" * 100_000)
    with pytest.raises(HubError, match="was damaged during the download"):
        get(hub)
    assert (get(hub) / "model.safetensors").read_bytes() == WEIGHTS


def test_busy_hub_is_asked_again_after_the_time_it_names(server, hub):
    server.faults.busy = [(429, "1"), (503, None)]
    log = ProgressLog()
    began = time.monotonic()
    fetch(hub, ID, log, threading.Event())
    assert time.monotonic() - began >= 1
    assert "Waiting 1 s for the hub" in {progress.stage for progress in log}


@pytest.mark.parametrize(
    ("busy", "sentence"),
    [
        ([(429, "3600")], r"received too many requests\. Try again in 60 min\."),
        ([(503, None)] * 3, r"cannot answer now \(HTTP 503\)\. Try again later\."),
    ],
)
def test_hub_that_stays_busy_is_reported_in_a_sentence(server, hub, busy, sentence):
    server.faults.busy = busy
    with pytest.raises(HubError, match=sentence):
        get(hub)


def test_content_address_that_has_grown_old_is_asked_for_again(server, hub):
    server.faults.content_busy = [403, 404]
    assert (get(hub) / "model.safetensors").read_bytes() == WEIGHTS


def test_half_file_that_the_server_cannot_go_on_with_is_begun_anew(server, hub):
    stop_half_way(server, hub)
    server.faults.content_busy = [416]
    with pytest.raises(HubError, match=r"was damaged during the download. Try again"):
        get(hub)
    assert (get(hub) / "model.safetensors").read_bytes() == WEIGHTS
    assert server.sent("model.safetensors")[-1] == ""


def test_stop_takes_effect_while_the_hub_asks_to_wait(server, hub):
    server.faults.busy = [(429, "30")]
    stop = threading.Event()

    def stop_when_waiting(progress: Progress) -> None:
        if progress.stage.startswith("Waiting"):
            stop.set()

    began = time.monotonic()
    with pytest.raises(Cancelled):
        fetch(hub, ID, stop_when_waiting, stop)
    assert time.monotonic() - began < PROMPTLY  # The hub asks for 30.


@pytest.mark.parametrize("token", ["", "hf_right"])
def test_model_that_is_not_there_is_reported(server, hub, token):
    with pytest.raises(HubError, match="has no public model “nobody/nothing”"):
        get(Hub(hub.endpoint, hub.cache, token), "nobody/nothing")


def test_file_that_is_gone_is_reported(server, hub):
    server.faults.missing = {"model.safetensors"}
    with pytest.raises(HubError, match="changed on the hub"):
        get(hub)


@pytest.mark.parametrize(
    ("token", "need", "sentence"),
    [
        ("", "token", "Accept it at .*/someone/model, then enter your access token"),
        ("hf_stranger", "licence", "Accept it at .*/someone/model, then try again"),
        ("hf_wrong", "token", "rejected the access token"),
    ],
)
def test_gated_model_says_what_is_missing(server, hub, token, need, sentence):
    server.gated = {ID}
    server.token = "hf_stranger"
    with pytest.raises(HubError, match=sentence) as failure:
        get(Hub(hub.endpoint, hub.cache, token))
    assert failure.value.need == need


@pytest.mark.parametrize("token", ["hf_ü", "hf_a b", "hf_a\nX-Evil: 1", "hf_\u200b", "hf_\0"])
def test_token_that_can_be_none_is_reported_without_being_shown(server, hub, token):
    with pytest.raises(HubError, match="invalid characters") as failure:
        get(Hub(hub.endpoint, hub.cache, token))
    assert failure.value.need == "token"
    assert token not in str(failure.value)
    assert not server.asked


def test_token_goes_to_the_hub_and_not_to_where_it_redirects(server, hub):
    server.gated = {ID}
    get(Hub(hub.endpoint, hub.cache, "hf_right"))
    resolved = [asked for asked in server.asked if "/resolve/" in asked.path]
    assert {asked.headers["authorization"] for asked in resolved} == {"Bearer hf_right"}
    (content,) = [asked for asked in server.asked if "/content/" in asked.path]
    assert "authorization" not in content.headers


def test_too_little_space_is_reported_before_any_weights_are_asked_for(server, hub):
    server.faults.sizes = {"model.safetensors": 2**42}
    with pytest.raises(HubError, match=r"needs 4398\.2 GB on the disk") as failure:
        get(hub)
    assert failure.value.need == "space"
    assert not server.sent("model.safetensors")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_disk_that_becomes_full_is_reported(server, hub):
    stop_half_way(server, hub)
    (half,) = hub.cache.rglob("*.incomplete")
    half.unlink()
    half.symlink_to("/dev/full")
    with pytest.raises(HubError, match=r"The disk is full.* Free some space") as failure:
        get(hub)
    assert failure.value.need == "space"


def test_folder_that_cannot_be_written_is_reported(server, hub, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(HubError, match="cannot be written"):
        get(hub, parent=tmp_path / "file")


def test_folder_of_ones_own_holds_the_files_under_their_names(server, hub, tmp_path):
    folder = get(hub, parent=tmp_path / "models")
    assert folder == tmp_path / "models" / "model"
    assert {path.name for path in folder.glob("[!.]*")} == {"config.json", "model.safetensors"}
    assert not hub.cache.exists()


def test_download_into_a_folder_goes_on_after_a_stop(server, hub, tmp_path):
    stop_half_way(server, hub, tmp_path)
    folder = get(hub, parent=tmp_path)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert server.sent("model.safetensors")[-1] == "bytes=100000-"


def test_links_in_a_begun_folder_of_somebody_else_are_not_written_through(server, hub, tmp_path):
    stop_half_way(server, hub, tmp_path / "given")
    folder = tmp_path / "given" / "model"
    diary = tmp_path / "diary.txt"
    diary.write_text("mine")
    record = Record.read(folder)
    assert record
    place = FolderLocation(folder, ID)
    (folder / "config.json").unlink()
    for path in (
        place.partial_path(record.files[0]),
        folder / "config.json",
        partial_path(folder / RECORD),
    ):
        path.symlink_to(diary)
    get(hub, parent=tmp_path / "given")
    assert diary.read_text() == "mine"
    assert (folder / "config.json").read_bytes() == SMALL


def test_link_in_the_place_of_half_the_weights_is_refused(server, hub, tmp_path):
    stop_half_way(server, hub, tmp_path / "given")
    (half,) = (tmp_path / "given" / "model").glob("*.incomplete")
    half.unlink()
    half.symlink_to(tmp_path / "new")
    with pytest.raises(HubError, match="is a link that leads out"):
        get(hub, parent=tmp_path / "given")
    assert not (tmp_path / "new").exists()


def test_link_in_the_place_of_the_lock_is_not_emptied(server, hub, tmp_path):
    stop_half_way(server, hub, tmp_path / "given")
    diary = tmp_path / "diary.txt"
    diary.write_text("mine")
    lock = tmp_path / "given" / "model" / ".onlooker-lock"
    lock.unlink(missing_ok=True)
    lock.symlink_to(diary)
    with pytest.raises(HubError, match="cannot be written"):
        get(hub, parent=tmp_path / "given")
    assert diary.read_text() == "mine"


def test_folder_with_other_things_in_it_is_left_alone(server, hub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "diary.txt").write_text("mine")
    with pytest.raises(HubError, match="already holds other files"):
        get(hub, parent=tmp_path)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["diary.txt"]


def test_second_download_of_the_same_model_waits_for_nobody(server, hub):
    server.faults.holds = [100_000]
    stop = threading.Event()
    outcome = []

    def first() -> None:
        try:
            fetch(hub, ID, ProgressLog(), stop)
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert server.is_held.wait(60)
    with pytest.raises(HubError, match="by another window or terminal"):
        get(hub)
    stop.set()
    thread.join()
    assert outcome


def test_original_layout_brings_its_vision_tower(server, hub):
    config = {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "someone/tower"}
    server.repositories[ID]["config.json"] = json.dumps(config).encode()
    server.repositories["someone/tower"] = {
        "config.json": b"{}",
        "pytorch_model.bin": b"tower",
        "tf_model.h5": b"tower again",
    }
    log = ProgressLog()
    fetch(hub, ID, log, threading.Event())
    tower = snapshot_download("someone/tower", cache_dir=hub.cache, local_files_only=True)
    assert (Path(tower) / "pytorch_model.bin").read_bytes() == b"tower"
    assert log[-1].done == log[-1].total == len(json.dumps(config)) + len(WEIGHTS) + 7


def test_tower_of_a_model_in_a_folder_lies_in_that_folder(server, hub, tmp_path):
    config = {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "someone/tower"}
    server.repositories[ID]["config.json"] = json.dumps(config).encode()
    server.repositories["someone/tower"] = {"config.json": b"{}", "pytorch_model.bin": b"tower"}
    folder = get(hub, parent=tmp_path)
    assert (folder / "tower" / "pytorch_model.bin").read_bytes() == b"tower"


def test_model_that_brings_code_is_refused_before_its_weights_come(server, hub):
    server.repositories[ID]["config.json"] = b'{"auto_map": {"AutoModel": "modeling_model.M"}}'
    with pytest.raises(HubError, match=f"“{ID}” contains program code"):
        get(hub)
    assert not server.sent("model.safetensors")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (b'{"model_type": "llama"}', f"“{ID}” does not take images"),
        (b'{"model_type": "clip", "vision_config": {}}', "does not take images"),
        (b'{"vision_config": {"num_hidden_layers": 1e9}}', "config.json .* is invalid"),
        (b"[1]", "contains no settings"),
        (b"{", "cannot be read"),
    ],
)
def test_model_that_cannot_be_run_is_refused_before_its_weights_come(server, hub, config, sentence):
    server.repositories[ID]["config.json"] = config
    with pytest.raises(HubError, match=sentence):
        get(hub)
    assert not server.sent("model.safetensors")
    assert not list(hub.cache.glob("models--*"))


def test_repository_without_weights_is_refused(server, hub):
    del server.repositories[ID]["model.safetensors"]
    del server.repositories[ID]["pytorch_model.bin"]
    with pytest.raises(HubError, match=r"has no config.json with weights"):
        get(hub)


@pytest.mark.parametrize(
    ("name", "content"),
    [("../../evil.json", b"{}"), ("/etc/config.json", b"{}"), ("a/config.json", b"{}")],
)
def test_names_that_lead_out_of_the_folder_are_not_followed(server, hub, name, content):
    server.repositories[ID][name] = content
    folder = get(hub)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"siblings": 5}', b'{"sha": "../x"}', b"[" * 100_000]
)
def test_server_that_is_no_hub_is_reported(server, hub, answer):
    server.faults.listing = answer
    with pytest.raises(HubError, match="is not a model hub"):
        get(hub)


def test_nothing_is_asked_while_offline(server, hub):
    with pytest.raises(HubError, match="Onlooker is offline") as failure:
        get(Hub(hub.endpoint, hub.cache, is_offline=True))
    assert failure.value.need == "online"
    assert not server.asked


@pytest.mark.parametrize("hub_id", ["../../etc", "model", "a/b/c", "a/..", "", "http://x/y"])
def test_what_is_no_hub_id_is_refused(server, hub, hub_id):
    with pytest.raises(HubError, match="is not a valid model name"):
        get(hub, hub_id)
    assert not server.asked


def test_hub_says_what_a_model_is_before_it_is_downloaded(server, hub):
    server.cards[ID] = {
        "cardData": {"license": "apache-2.0"},
        "safetensors": {"parameters": {"BF16": 200_000}, "total": 200_000},
    }
    found = look_up(hub, ID, threading.Event())
    assert (found.size, found.licence, found.is_gated) == (
        len(SMALL) + len(WEIGHTS),
        "Apache 2.0",
        False,
    )
    assert found.parameters == 200_000
    assert found.config == json.loads(SMALL)
    assert not server.sent("model.safetensors")
    assert not hub.cache.exists()


def test_hub_says_of_a_gated_model_as_much_as_strangers_may_know(server, hub):
    server.gated = {ID}
    found = look_up(hub, ID, threading.Event())
    assert found.is_gated
    assert found.size == len(SMALL) + len(WEIGHTS)
    assert found.config == {}
    member = Hub(hub.endpoint, hub.cache, "hf_right")
    assert look_up(member, ID, threading.Event()).config == json.loads(SMALL)


def test_tower_counts_to_the_size_of_the_model_that_is_looked_up(server, hub):
    config = {"architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "someone/tower"}
    text = server.repositories[ID]["config.json"] = json.dumps(config).encode()
    server.repositories["someone/tower"] = {"config.json": b"{}", "pytorch_model.bin": b"tower"}
    assert look_up(hub, ID, threading.Event()).size == len(text) + len(WEIGHTS) + 7


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ({}, ""),
        ({"cardData": None}, ""),
        ({"cardData": {"license": ["mit", "gpl"]}}, "MIT"),
        ({"cardData": {"license": "other", "license_name": "qwen-research"}}, "qwen-research"),
        ({"cardData": {"license": 5}, "safetensors": {"total": "many"}}, ""),
        ({"cardData": {"license": "a\nb " * 500}, "safetensors": [1]}, ("a b " * 15).strip()),
    ],
)
def test_what_the_hub_says_beside_the_files_is_not_trusted(server, hub, card, licence):
    server.cards[ID] = card
    found = look_up(hub, ID, threading.Event())
    assert found.licence.strip() == licence
    assert found.parameters is None


def test_model_that_cannot_be_run_is_refused_when_it_is_looked_up(server, hub):
    server.repositories[ID]["config.json"] = b'{"auto_map": {"AutoModel": "modeling_model.M"}}'
    with pytest.raises(HubError, match=f"“{ID}” contains program code"):
        look_up(hub, ID, threading.Event())
    server.repositories[ID]["config.json"] = b"[" * 100_000
    with pytest.raises(HubError, match=r"no readable config\.json"):
        look_up(hub, ID, threading.Event())


def test_model_called_like_a_word_of_a_sentence_is_reported_correctly(server, hub):
    server.repositories["someone/code"] = {
        **server.repositories[ID],
        "config.json": b'{"auto_map": {}}',
    }
    for ask in (lambda: get(hub, "someone/code"), lambda: look_up(hub, "someone/code", STOP)):
        with pytest.raises(HubError, match="“someone/code” contains program code"):
            ask()


def test_unreachable_hub_is_reported_with_the_reason(server, hub):
    with pytest.raises(HubError, match=r"127\.0\.0\.1 cannot be reached \(.+\)\. Check") as failure:
        get(Hub("http://127.0.0.1:9", hub.cache, waits=()))
    assert failure.value.need == "network"


def test_address_that_is_none_is_reported(hub):
    with pytest.raises(HubError, match="HF_ENDPOINT is “mirror”"):
        get(Hub("mirror", hub.cache))


def test_proxy_of_the_system_is_used(server, hub, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.endpoint)
    server.repositories[ID] = {"config.json": SMALL, "model.safetensors": b"tiny"}
    server.faults.missing = {"model.safetensors"}  # Its redirect goes past the proxy.
    with pytest.raises(HubError, match="changed on the hub"):
        get(Hub("http://hub.invalid", hub.cache, waits=()))
    assert server.asked[0].path.startswith("http://hub.invalid/api/models/")


@pytest.mark.parametrize("proxy", ["nonsense://x", "socks5://127.0.0.1:1", "127.0.0.1:x"])
def test_proxy_that_is_none_is_reported(server, hub, monkeypatch, proxy):
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(HubError, match="proxy in HTTPS_PROXY or ALL_PROXY") as failure:
        get(hub)
    assert failure.value.need == "network"


def test_token_is_not_sent_where_others_can_read_it(server, hub, monkeypatch):
    monkeypatch.setenv("http_proxy", server.endpoint)
    monkeypatch.setenv("no_proxy", "localhost")
    get(Hub("http://hub.invalid", hub.cache, "hf_right", waits=()))
    assert not [asked for asked in server.asked if "authorization" in asked.headers]


def test_environment_says_which_hub_and_where_its_cache_is(tmp_path):
    script = "from core.hub import Hub; hub = Hub.here(); print(hub.endpoint, hub.cache, hub.token)"
    environment = {
        **os.environ,
        "HF_ENDPOINT": "https://mirror.example",
        "HF_HOME": str(tmp_path),
        "HF_TOKEN": "hf_environment",
    }
    environment.pop("HF_HUB_CACHE", None)
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = run.stdout.split()
    assert printed == ["https://mirror.example", str(tmp_path / "hub"), "hf_environment"]


def test_record_of_an_unfinished_download_is_gone_when_it_is_finished(server, hub):
    stop_half_way(server, hub)
    root = hub.cache / "models--someone--model"
    assert (root / RECORD).is_file()
    assert not (root / "refs" / "main").exists()
    get(hub)
    assert not (root / RECORD).exists()
    assert (root / "refs" / "main").read_text() == REVISION


@pytest.mark.parametrize("is_in_folder", [False, True])
def test_download_of_which_nothing_came_leaves_no_trace(server, hub, tmp_path, is_in_folder):
    server.gated = {ID}
    with pytest.raises(HubError, match="requires accepting its licence"):
        get(hub, parent=tmp_path / "disk" if is_in_folder else None)
    assert not list(hub.cache.glob("models--*"))
    assert not list((tmp_path / "disk").glob("*"))
