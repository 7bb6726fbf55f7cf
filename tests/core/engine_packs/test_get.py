import os
import shutil
import subprocess
import sys
import threading
import time
from base64 import b64encode
from pathlib import Path

import pytest

from core.engine_packs.choice import Pack, chosen_engine, read_pack
from core.engine_packs.get import get_pack, offline_sources
from core.engine_packs.installed import (
    PackState,
    discard_download,
    installed_packs,
    prefer_engine,
    remove_pack,
)
from core.engine_packs.pins import PackPins
from core.engine_packs.sources import Sources
from core.errors import Cancelled, HubNeed, PackError
from core.isolation.protocol import Limits
from core.message import Message
from core.transfer.meter import Progress
from tests.support.index_server import IndexServer
from tests.support.packs import (
    LIBRARY,
    NVIDIA_WHEEL,
    TORCH_WHEEL,
    WANTED,
    make_wheels,
    pins_of,
    wheel_of,
    write_pack,
)
from tests.support.tiers import slowly

if sys.platform != "win32":
    import resource

WHEELS = make_wheels()
PINS = pins_of(WHEELS)
GETTING = ".getting-cuda130"
# Seconds, on a machine that is busy; who does not stop waits 20 for a server that says no more.
PROMPTLY = 10


@pytest.fixture
def server():
    with IndexServer(WHEELS).running() as server:
        yield server


@pytest.fixture
def engines(tmp_path) -> Path:
    return tmp_path / "engines"


def get(
    engines: Path,
    sources: Sources | IndexServer,
    pins: PackPins = PINS,
    stop: threading.Event | None = None,
    on_progress=lambda progress: None,
) -> Pack:
    if isinstance(sources, IndexServer):
        sources = Sources((sources.address,))
    limits = Limits(cpu_seconds=20, seconds=100, memory_bytes=None)
    stop = stop or threading.Event()
    return get_pack(pins, engines, sources, on_progress, stop, waits=(0, 0), limits=limits)


def assert_ready(engines: Path) -> None:
    """The pack is in place, whole, and nothing else is left of getting it."""
    folder = engines / "cuda130"
    files = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == {*WANTED, "pack.json"}
    assert read_pack(folder).card == "Stand-in card"
    assert {path.name for path in engines.iterdir()} <= {"cuda130", ".lock"}


def refused(engines: Path, sources: Sources | IndexServer, pins: PackPins = PINS) -> PackError:
    with pytest.raises(PackError) as caught:
        get(engines, sources, pins)
    assert not (engines / "cuda130").exists()
    return caught.value


# ---- where it comes from -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["html", "json", slowly("html without checksums"), slowly("redirected")]
)
def test_pack_comes_from_an_index(server, engines, kind):
    server.is_json = kind == "json"
    server.lists_checksums = kind == "html"
    server.redirects = kind == "redirected"
    seen: list[Progress] = []
    pack = get(engines, server, on_progress=seen.append)
    assert (pack.name, pack.torch, pack.files[LIBRARY]) == ("cuda130", "2.13.0", 300_000)
    assert pack.tried
    assert_ready(engines)
    total = sum(map(len, WHEELS.values()))
    assert (total, total) in {(progress.done, progress.total) for progress in seen}


def test_pack_comes_from_a_folder_of_wheels_without_a_network(engines, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, content in WHEELS.items():
        (folder / name).write_bytes(content)
    get(engines, offline_sources(folder))
    assert_ready(engines)
    assert {path.name for path in folder.iterdir()} == set(WHEELS)


def test_folder_with_a_missing_or_another_wheel_is_refused_by_name(engines, tmp_path):
    (tmp_path / TORCH_WHEEL).write_bytes(WHEELS[TORCH_WHEEL])
    assert NVIDIA_WHEEL in str(refused(engines, offline_sources(tmp_path)))
    wrong = bytearray(WHEELS[NVIDIA_WHEEL])
    wrong[-1] ^= 1
    (tmp_path / NVIDIA_WHEEL).write_bytes(wrong)
    assert "another file under this name" in str(refused(engines, offline_sources(tmp_path)))


@pytest.mark.slow
def test_index_in_a_folder_is_read(engines, tmp_path):
    for name, content in WHEELS.items():
        project = name.partition("-")[0].replace("_", "-")
        (tmp_path / "simple" / project).mkdir(parents=True)
        (tmp_path / name).write_bytes(content)
        page = f'<a href="../../{name}#sha256=x">{name}</a>'.replace("#sha256=x", "")
        (tmp_path / "simple" / project / "index.html").write_text(page)
    get(engines, Sources(((tmp_path / "simple").as_uri(),)))
    assert_ready(engines)


def test_wheels_of_this_computer_are_not_downloaded(server, engines, tmp_path):
    (tmp_path / NVIDIA_WHEEL).write_bytes(WHEELS[NVIDIA_WHEEL])
    get(engines, Sources((server.address,), (server.address, str(tmp_path))))
    assert_ready(engines)
    assert not server.ranges(NVIDIA_WHEEL)


def test_second_index_helps_where_the_first_fails(server, engines):
    with IndexServer().running() as first:
        first.faults.busy = [503] * 20
        get(engines, Sources((first.address, "http://127.0.0.1:9/simple", server.address)))
    assert_ready(engines)


@pytest.mark.slow
def test_index_that_the_pin_names_is_asked_last(server, engines):
    with IndexServer().running() as own:
        pins = pins_of(WHEELS, server.address)
        get(engines, Sources((own.address,)), pins)
        assert own.asked
    assert_ready(engines)


def test_offline_sources_ask_no_index(server, engines, tmp_path):
    pins = pins_of(WHEELS, server.address)
    refused(engines, Sources((server.address,), (str(tmp_path),), is_offline=True), pins)
    assert not server.asked


def test_password_of_an_index_goes_to_its_files_and_into_no_message(server, engines):
    server.password = b64encode(b"me:secret").decode()
    address = server.address.replace("//", "//me:secret@")
    error = refused(engines, Sources((server.address,)))
    assert "refuses access (HTTP 401)" in str(error)
    server.faults.missing = {TORCH_WHEEL}
    assert "secret" not in str(refused(engines, Sources((address,))))
    server.faults.missing = set()
    get(engines, Sources((address,)))
    assert_ready(engines)


# ---- what goes wrong -----------------------------------------------------------------------------


def test_cut_connection_is_resumed_from_its_last_byte(server, engines):
    server.faults.cuts = [100_000, 50_000]
    get(engines, server)
    assert_ready(engines)
    ranges = server.ranges(TORCH_WHEEL) + server.ranges(NVIDIA_WHEEL)
    assert {"bytes=100000-", "bytes=50000-"} & set(ranges)


@pytest.mark.slow
def test_server_that_ignores_ranges_sends_the_file_again(server, engines):
    server.faults.cuts = [100_000]
    server.faults.ignores_ranges = True
    get(engines, server)
    assert_ready(engines)


@pytest.mark.parametrize("status", [503, slowly(429), slowly(500)])
def test_busy_server_is_asked_again(server, engines, status):
    server.faults.busy = [status, status]
    get(engines, server)
    assert_ready(engines)


def test_wheel_with_another_checksum_is_refused_and_not_kept(server, engines):
    server.faults.damages = {NVIDIA_WHEEL}
    error = refused(engines, server)
    assert "another file under this name" in str(error)
    assert not list(engines.rglob("nvidia*"))
    server.faults.damages = set()
    get(engines, server)
    assert_ready(engines)
    # What had come of the other wheel was kept.
    assert server.ranges(TORCH_WHEEL).count("") == 1


def test_index_that_lists_another_checksum_is_not_asked_for_the_file(server, engines):
    server.files[NVIDIA_WHEEL] = b"something else"
    assert "another file under this name" in str(refused(engines, server))
    assert not server.ranges(f"files/{NVIDIA_WHEEL}")


def test_rest_that_does_not_fit_is_fetched_once_more_from_the_beginning(server, engines):
    partial = engines / GETTING / "wheels" / f"{TORCH_WHEEL}.part"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"of something else")
    get(engines, server)
    assert_ready(engines)
    assert server.ranges(TORCH_WHEEL) == ["bytes=17-", ""]


@pytest.mark.parametrize("fault", ["missing", "unlisted"])
def test_wheel_that_is_not_there_is_named(server, engines, fault):
    getattr(server.faults, fault).add(TORCH_WHEEL)
    error = refused(engines, server)
    assert TORCH_WHEEL in str(error)
    assert "127.0.0.1" in str(error)
    assert error.need is HubNeed.NETWORK


@pytest.mark.parametrize(
    "page",
    [
        ("application/vnd.pypi.simple.v1+json", b"{"),
        ("application/vnd.pypi.simple.v1+json", b'{"files": 7}'),
        ("application/vnd.pypi.simple.v1+json", b"[" * 90_000),
        ("image/png", b"\x89PNG"),
    ],
)
def test_page_that_is_none_of_an_index_is_named(server, engines, page):
    server.faults.page = page
    assert "does not answer as a package index does" in str(refused(engines, server))


def test_login_page_of_a_hotel_leads_to_a_missing_wheel(server, engines):
    server.faults.page = ("text/html", b"<h1>Welcome</h1><a href='/login'>Log in</a>")
    assert "does not have it" in str(refused(engines, server))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/simple", "http://", "nonsense", "http://[x"]
)
def test_index_that_cannot_be_reached_is_named(engines, address):
    error = refused(engines, Sources((address,)))
    assert error.need is HubNeed.NETWORK


@pytest.mark.parametrize("how", [{"proxy": "nonsense://x"}, {"cert": "/nowhere.pem"}])
def test_proxy_and_certificates_that_cannot_be_used_are_named(engines, how):
    assert refused(engines, Sources(("http://127.0.0.1:9/simple",), **how)).need


def test_missing_space_is_said_before_anything_is_fetched(server, engines):
    pins = pins_of(WHEELS)
    wheels = tuple(w.__class__(**{**vars(w), "unpacked": 10**15}) for w in pins.wheels)
    error = refused(engines, server, PackPins(**{**vars(pins), "wheels": wheels}))
    assert error.need is HubNeed.SPACE
    assert not server.asked


@pytest.fixture
def limit_files():
    """Sets the size that no file may exceed: a full disk for everybody, root too; None for none."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)


def test_full_disk_while_fetching_keeps_what_has_come(server, engines, limit_files):
    limit_files(250_000)
    error = refused(engines, server)
    assert error.need is HubNeed.SPACE
    assert (engines / GETTING / "wheels" / f"{TORCH_WHEEL}.part").stat().st_size > 100_000
    limit_files(None)
    get(engines, server)
    assert_ready(engines)
    assert server.ranges(TORCH_WHEEL)[1] != ""


def test_full_disk_while_unpacking_goes_on_later(engines, tmp_path, limit_files):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, content in WHEELS.items():
        (folder / name).write_bytes(content)
    limit_files(250_000)
    assert refused(engines, offline_sources(folder)).need is HubNeed.SPACE
    limit_files(None)
    get(engines, offline_sources(folder))
    assert_ready(engines)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere"
)
def test_folder_that_may_not_be_written_is_named(server, engines):
    engines.mkdir()
    engines.chmod(0o500)
    assert "cannot be written" in str(refused(engines, server))


def test_file_in_the_place_of_the_folder_is_named(server, engines):
    engines.write_bytes(b"")
    assert "cannot be written" in str(refused(engines, server))


@pytest.mark.parametrize(
    "name", ["../outside.py", "/tmp/outside.py", "torch/../../outside.py", "torch\\..\\outside.py"]
)
def test_wheel_with_a_file_elsewhere_is_refused(engines, tmp_path, name):
    wheels = {TORCH_WHEEL: wheel_of({name: b"raise SystemExit"})}
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / TORCH_WHEEL).write_bytes(wheels[TORCH_WHEEL])
    assert "leads elsewhere" in str(refused(engines, offline_sources(folder), pins_of(wheels)))
    assert not list(tmp_path.rglob("outside.py"))


def test_file_that_is_no_wheel_is_refused_although_its_checksum_is_right(engines, tmp_path):
    wheels = {TORCH_WHEEL: b"no archive"}
    (tmp_path / TORCH_WHEEL).write_bytes(b"no archive")
    assert "cannot be unpacked" in str(refused(engines, offline_sources(tmp_path), pins_of(wheels)))


def test_pack_for_another_system_is_refused(server, engines):
    error = refused(engines, server, pins_of(WHEELS, platform="win_amd64", python="cp39"))
    assert "another system" in str(error)


# ---- pause, cancel, kill -------------------------------------------------------------------------


def stop_half_way(server: IndexServer, engines: Path) -> float:
    """Stops while the server says nothing; returns the seconds that stopping took."""
    server.faults.holds = [100_000, 100_000]
    stop = threading.Event()
    began: list[float] = []

    def on_progress(progress: Progress) -> None:
        if progress.done >= 200_000 and not began:
            began.append(time.monotonic())
            stop.set()

    with pytest.raises(Cancelled):
        get(engines, server, stop=stop, on_progress=on_progress)
    server.go_on.set()
    return time.monotonic() - began[0]


def test_pause_takes_effect_at_once_and_goes_on_from_the_last_byte(server, engines):
    assert stop_half_way(server, engines) < PROMPTLY
    (partial,) = installed_packs(engines, "2.13.0")
    assert (partial.name, partial.state) == ("cuda130", PackState.PARTIAL)
    get(engines, server)
    assert_ready(engines)
    assert "bytes=100000-" in server.ranges(TORCH_WHEEL) + server.ranges(NVIDIA_WHEEL)


def test_cancelled_pack_is_removed_without_the_one_that_it_was_to_replace(server, engines):
    write_pack(engines / "cuda130", torch="2.12.0")
    stop_half_way(server, engines)
    discard_download(engines, "cuda130")
    (left,) = installed_packs(engines, "2.13.0")
    assert left.state is PackState.OUTDATED
    assert remove_pack(engines, "cuda130") > 40
    assert not installed_packs(engines, "2.13.0")


def test_two_do_not_get_a_pack_at_once(server, engines):
    server.faults.holds = [1000, 1000]
    first = threading.Thread(target=lambda: get(engines, server))
    first.start()
    assert server.is_held.wait(60)
    with pytest.raises(PackError, match="Another window or terminal"):
        get(engines, server)
    server.go_on.set()
    first.join()
    assert_ready(engines)


def test_old_programs_pack_is_used_until_the_new_one_has_passed_and_then_removed(server, engines):
    old = write_pack(engines / "cuda130", torch="2.12.0")
    write_pack(engines / "cuda126", torch="2.12.0", cuda="12.6")
    states = {pack.state for pack in installed_packs(engines, "2.13.0")}
    assert states == {PackState.OUTDATED}
    server.faults.missing = {NVIDIA_WHEEL}
    with pytest.raises(PackError):
        get(engines, server)
    assert read_pack(old).torch == "2.12.0"
    server.faults.missing = set()
    get(engines, server)
    assert_ready(engines)


def test_wheel_of_an_earlier_program_with_the_same_name_is_not_taken(server, engines):
    other = bytearray(WHEELS[TORCH_WHEEL])
    other[50] ^= 1
    others = {**WHEELS, TORCH_WHEEL: bytes(other)}
    server.files, server.faults.missing = dict(others), {NVIDIA_WHEEL}
    with pytest.raises(PackError):
        get(engines, server, pins_of(others))
    wheels = engines / GETTING / "wheels"
    (wheels / f"{TORCH_WHEEL}.part").unlink(missing_ok=True)
    (wheels / TORCH_WHEEL).write_bytes(other)
    server.files, server.faults.missing = dict(WHEELS), set()
    get(engines, server)
    assert_ready(engines)


def test_pack_that_was_got_is_used_whatever_was_chosen_before(server, engines):
    engines.mkdir()
    prefer_engine(engines, "cpu")
    get(engines, server)
    assert chosen_engine(engines) == "cuda130"
    remove_pack(engines, "cuda130")
    assert chosen_engine(engines) == ""


@pytest.mark.slow
def test_download_for_an_earlier_program_is_not_mixed_with_this_one(server, engines):
    others = make_wheels(at_import="# earlier")
    server.files = dict(others)
    server.faults.missing = {NVIDIA_WHEEL}
    with pytest.raises(PackError):
        get(engines, server, pins_of(others))
    server.files, server.faults.missing = dict(WHEELS), set()
    get(engines, server)
    assert_ready(engines)
    assert b"earlier" not in (engines / "cuda130" / "torch" / "__init__.py").read_bytes()


_KILLED = """
import os, sys, threading
from pathlib import Path
from core.engine_packs.get import get_pack, offline_sources
from tests.support.packs import make_wheels, pins_of

engines, folder, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
count = 0

def hook(event, arguments):
    global count
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
    if (writes or changes) and str(engines) in str(arguments[0]):
        count += 1
        if count == last:
            os._exit(9)

pins = pins_of(make_wheels())
sys.addaudithook(hook)
get_pack(pins, engines, offline_sources(folder), lambda progress: None, threading.Event())
print(count)
"""


def kill_at(engines: Path, folder: Path, step: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _KILLED, str(engines), str(folder), str(step)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
    )


def try_kills(tmp_path: Path, share: int) -> None:
    """Kills getting a pack at every `share`-th change of the disk, and then lets it end."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, content in WHEELS.items():
        (folder / name).write_bytes(content)
    whole = kill_at(tmp_path / "whole", folder, -1)
    steps = int(whole.stdout)
    assert steps > 20
    for step in range(1 + steps % share, steps + 1, share):
        engines = tmp_path / f"killed-{step}"
        write_pack(engines / "cuda130", torch="2.12.0")
        assert kill_at(engines, folder, step).returncode == 9
        for found in installed_packs(engines, "2.13.0"):
            # It is the old one, the new one, or a part that is not used.
            assert found.state in (PackState.OUTDATED, PackState.PARTIAL) or (
                found.pack and found.pack.tried
            )
        get(engines, offline_sources(folder))
        assert_ready(engines)
        shutil.rmtree(engines)


def test_killed_at_some_steps_it_goes_on(tmp_path):
    try_kills(tmp_path, 40)


@pytest.mark.slow
def test_killed_at_any_step_it_goes_on(tmp_path):
    try_kills(tmp_path, 1)


# ---- the trial -----------------------------------------------------------------------------------

TROUBLES = {
    "raises": ({"at_import": "raise ImportError('libcublas.so.13 is missing')"}, "libcublas.so.13"),
    "exits": ({"at_import": "sys.exit(3)"}, "crashed while importing"),
    "crashes": ({"at_import": "import os, signal; os.kill(os.getpid(), 11)"}, "crashed while imp"),
    "crashes on the card": ({"init": "import os; os.abort()"}, "crashed while computing"),
    "hangs": ({"at_import": "import time; time.sleep(900)"}, "did not finish while imp"),
    "finds no card": ({"cards": "0"}, "finds none"),
    "old driver": ({"init": "raise RuntimeError('The driver is too old\\n#1')"}, "is too old."),
    "computes wrongly": ({"on_card": "3.0"}, "computes wrongly"),
    "other CUDA": ({"cuda": "12.6"}, "for CUDA 12.6"),
    "no compiler": ({"capability": "(8, 0)"}, "kernels cannot be compiled"),
}


def sentences(message):
    """The parts of a message that is joined of several."""
    assert isinstance(message, Message)
    return message.fields.values()


@pytest.mark.parametrize(
    "trouble", [name if name in ("raises", "crashes") else slowly(name) for name in TROUBLES]
)
def test_pack_that_fails_its_trial_is_put_aside_and_tried_again_without_fetching(
    server, engines, trouble
):
    behaviour, sentence = TROUBLES[trouble]
    server.files = make_wheels(**behaviour)
    pins = pins_of(server.files)
    seconds = 3 if trouble == "hangs" else 100
    limits = Limits(cpu_seconds=20, seconds=seconds, memory_bytes=None)
    sources = Sources((server.address,))
    for _ in range(1 if trouble == "hangs" else 2):
        with pytest.raises(PackError, match="failed its trial") as caught:
            get_pack(pins, engines, sources, lambda p: None, threading.Event(), limits=limits)
        assert sentence in str(caught.value)
        # What the libraries say stays English; the sentences around it are ours.
        assert all(isinstance(part, Message) for part in sentences(caught.value.message))
    assert len(server.ranges(TORCH_WHEEL)) == 1
    (aside,) = installed_packs(engines, "2.13.0")
    assert (aside.state, sentence in aside.note) == (PackState.FAILED, True)
    assert isinstance(aside.note, Message)
    assert isinstance(aside.note.fields["failure"], Message)
    assert not (engines / "cuda130").exists()
    remove_pack(engines, "cuda130")
    assert not installed_packs(engines, "2.13.0")


def test_stop_during_the_trial_takes_effect_at_once(server, engines):
    server.files = make_wheels(at_import="import time; time.sleep(900)")
    stop, began = threading.Event(), []

    def on_progress(progress: Progress) -> None:
        if progress.stage.startswith("Trying"):
            began.append(time.monotonic() + 0.5)
            threading.Timer(0.5, stop.set).start()

    with pytest.raises(Cancelled):
        get(engines, server, pins_of(server.files), stop, on_progress)
    assert time.monotonic() - began[0] < PROMPTLY


@pytest.mark.slow
def test_damage_after_unpacking_is_mended_by_unpacking_again(server, engines):
    server.files = make_wheels(cards="0")
    pins = pins_of(server.files)
    refused(engines, server, pins)
    (engines / GETTING / ".pack" / LIBRARY).write_bytes(b"short")
    refused(engines, server, pins)
    assert len(server.ranges(TORCH_WHEEL)) == 2
    assert (engines / GETTING / ".pack" / LIBRARY).stat().st_size == 300_000
