"""Getting an engine pack: fetched, unpacked beside, tried, and put into place in one step.

Everything happens in `.getting-<name>`: `wheels` has downloads, `.pack` what was unpacked, and
`unpacked` a mark for each wheel that is done with. Whenever the process is killed, the next call
goes on from there. A pack is used only once its folder has its own name, which is the last step.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.engine_packs.choice import (
    PACK_FILE,
    PACK_FORMAT,
    PREFERENCE,
    NoPack,
    Pack,
    is_pack_name,
    obstacle_of,
    platform_tag,
    python_tag,
    read_pack,
)
from core.engine_packs.fetching import PARTIAL, Fetcher
from core.engine_packs.installed import (
    GETTING,
    OLD,
    UNPACKED,
    clean_up,
    discard,
    measured,
    prefer_engine,
)
from core.engine_packs.pins import PackPins, WheelPin
from core.engine_packs.sources import Sources
from core.engine_packs.trial import LIMITS, try_pack
from core.engine_packs.unpacking import unpack
from core.errors import HubNeed, PackError
from core.files import size_of, write_atomically
from core.formatting import format_bytes
from core.isolation.protocol import Limits
from core.message import as_record, joined, translatable
from core.transfer.blocking import run_until_stopped
from core.transfer.meter import ByteCounter, DownloadMeter, OnProgress, Progress

_SPARE_BYTES = 200_000_000
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
# What is compared when the program starts: libraries, and what is as large.
_LIBRARIES = (".so", ".dll", ".pyd", ".dylib")
_LARGE = 1_000_000


def get_pack(
    pins: PackPins,
    engines: Path,
    sources: Sources,
    on_progress: OnProgress,
    stop: threading.Event,
    *,
    waits: Sequence[float] = (1, 2, 4, 8, 8),
    limits: Limits = LIMITS,
) -> Pack:
    """Makes the pack ready to be used from the program's next start, in the place of an older one.

    Blocks; calls `on_progress` from this thread several times a second. Raises PackError, and
    Cancelled within a second once `stop` is set: what has come stays on the disk, and the same call
    goes on from there. `remove_pack` deletes it. A pack that fails its trial is put aside; the next
    call tries it again.
    """
    if (pins.platform, pins.python) != (platform_tag(), python_tag()):
        raise PackError(
            translatable(
                "core", "The engine pack {pack} is for another system. Choose another one."
            ).format(pack=pins.name)
        )
    job = _Job(pins, engines, sources, on_progress, stop)
    try:
        with _lock(engines):
            clean_up(engines)
            if ready := job.ready():
                return ready
            job.begin()
            if not job.is_unpacked:
                job.fetch_and_unpack(waits)
            job.try_it(limits)
            return job.put_into_place()
    except OSError as error:
        raise _explained(error, pins.name) from error


class _Job:
    """The steps for one pack."""

    def __init__(
        self,
        pins: PackPins,
        engines: Path,
        sources: Sources,
        on_progress: OnProgress,
        stop: threading.Event,
    ):
        self._pins, self._engines, self._sources = pins, engines, sources
        self._on_progress, self._stop = on_progress, stop
        self._root = engines / f"{GETTING}{pins.name}"
        self._wheels, self._pack = self._root / "wheels", self._root / UNPACKED
        self._marks = self._root / "unpacked"

    def ready(self) -> Pack | None:
        """Returns the pack if it is there already and can be used."""
        with suppress(NoPack):
            pack = read_pack(self._engines / self._pins.name)
            if not obstacle_of(pack, self._pins.torch):
                return pack
        return None

    def begin(self) -> None:
        """Makes the folders; what was fetched for other pins is deleted, common wheels stay."""
        key_file = self._root / "pins"
        key = _key_of(self._pins)
        if not key_file.is_file() or key_file.read_text(errors="replace") != key:
            for folder in (self._pack, self._marks):
                shutil.rmtree(folder, ignore_errors=True)
            self._look_at_wheels_again()
            self._root.mkdir(parents=True, exist_ok=True)
            write_atomically(key_file, key.encode())
        if (self._pack / PACK_FILE).exists() and not self.is_unpacked:
            shutil.rmtree(self._marks, ignore_errors=True)
            discard(self._pack)
        for folder in (self._wheels, self._pack, self._marks):
            folder.mkdir(parents=True, exist_ok=True)

    def _look_at_wheels_again(self) -> None:
        """Deletes wheels that are not wanted now; those of the same name are compared once more."""
        wanted = {wheel.filename for wheel in self._pins.wheels}
        for path in self._wheels.glob("*") if self._wheels.is_dir() else ():
            if path.name.removesuffix(PARTIAL) not in wanted:
                path.unlink()
            elif path.suffix != PARTIAL:
                path.replace(path.with_name(path.name + PARTIAL))

    @property
    def is_unpacked(self) -> bool:
        """Whether the pack is whole and waits for its trial."""
        try:
            pack = read_pack(self._pack)
        except NoPack:
            return False
        return all(size_of(self._pack / name) == size != 0 for name, size in pack.files.items())

    def fetch_and_unpack(self, waits: Sequence[float]) -> None:
        """Fetches the wheels that are not unpacked yet, and unpacks them."""
        missing = [wheel for wheel in self._pins.wheels if not self._mark(wheel).exists()]
        self._require_space(missing)
        paths = self._fetch(missing, waits) if missing else {}
        counter = _Unpacking(missing, self._on_progress, self._stop)
        for wheel in missing:
            path = paths[wheel.filename]
            unpack(wheel, path, self._pack, self._pins.leave_out, counter.add_many, stop=self._stop)
            self._mark(wheel).touch()
            if path.parent == self._wheels:
                path.unlink()
        if hasattr(os, "sync"):
            os.sync()  # The pack's thousands of files are on the disk before it counts as whole.
        write_atomically(self._pack / PACK_FILE, self._described(trial=None))

    def _mark(self, wheel: WheelPin) -> Path:
        return self._marks / wheel.sha256

    def _require_space(self, missing: Sequence[WheelPin]) -> None:
        needed = sum(wheel.unpacked for wheel in missing) + _SPARE_BYTES
        if not self._sources.is_offline:
            here = sum(size_of(self._wheels / wheel.filename) for wheel in missing)
            here += sum(size_of(self._wheels / f"{wheel.filename}{PARTIAL}") for wheel in missing)
            needed += max(0, sum(wheel.size for wheel in missing) - here)
        free = shutil.disk_usage(self._root).free
        if missing and needed > free:
            raise PackError(
                translatable(
                    "core",
                    "The engine pack needs {needed} on the disk while it is unpacked, and {free} "
                    "are free. Free some space, then try again.",
                ).format(needed=format_bytes(needed), free=format_bytes(free)),
                HubNeed.SPACE,
            )

    def _fetch(self, missing: Sequence[WheelPin], waits: Sequence[float]) -> dict[str, Path]:
        meter = DownloadMeter(translatable("core", "Looking for the engine pack"))
        meter.total = sum(wheel.size for wheel in missing)

        async def fetch() -> dict[str, Path]:
            async with Fetcher(self._sources, self._wheels, meter, self._stop, waits) as fetcher:
                return await fetcher.fetch_all(missing)

        paths = run_until_stopped(fetch(), self._stop, lambda: self._on_progress(meter.progress()))
        self._on_progress(meter.progress())
        return paths

    def try_it(self, limits: Limits) -> None:
        """Has a child process use the pack. Raises PackError if that fails."""
        if read_pack(self._pack).tried:
            return  # The process was killed just before the last step.
        stage = translatable("core", "Trying the engine pack on the graphics card")
        self._on_progress(Progress(stage, 0, 0))
        verdict = try_pack(self._pack, self._pins, self._stop, limits)
        trial: dict[str, object]
        if verdict.failure:
            # The text alone is for programs of before.
            trial = {"failure": str(verdict.failure), "reason": as_record(verdict.failure)}
        else:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            trial = {"passed": now, "card": verdict.card}
        write_atomically(self._pack / PACK_FILE, self._described(trial))
        if verdict.failure:
            raise PackError(
                joined(
                    translatable(
                        "core",
                        "The engine pack {pack} failed its trial; models run on the processor.",
                    ).format(pack=self._pins.name),
                    verdict.failure,
                    translatable(
                        "core", "Update the card's driver and try again, or remove the pack."
                    ),
                )
            )

    def put_into_place(self) -> Pack:
        """Gives the pack its name, in the place of an older one, which is deleted."""
        target, old = self._engines / self._pins.name, self._engines / f"{OLD}{self._pins.name}"
        if target.exists():
            target.rename(old)
        self._pack.rename(target)
        shutil.rmtree(self._root, ignore_errors=True)
        pack = read_pack(target)
        clean_up(self._engines)
        _discard_outdated(self._engines, pack)
        if (self._engines / PREFERENCE).exists() or _others_of(target):
            # Whoever gets a pack wants it, whatever was chosen before.
            prefer_engine(self._engines, pack.name)
        return pack

    def _described(self, trial: dict[str, object] | None) -> bytes:
        files = {
            path.relative_to(self._pack).as_posix(): path.stat().st_size
            for path in sorted(self._pack.rglob("*"))
            if path.is_file() and _is_compared(path)
        }
        pins = self._pins
        content: dict[str, Any] = {
            "format": PACK_FORMAT,
            "name": pins.name,
            "torch": pins.torch,
            "cuda": pins.cuda,
            "platform": pins.platform,
            "python": pins.python,
            "needs_driver": pins.needs_driver,
            "size": measured(self._pack),
            "wheels": {wheel.filename: wheel.sha256 for wheel in pins.wheels},
            "licences": list(pins.licences),
            "files": files,
        }
        if trial:
            content["trial"] = trial
        return json.dumps(content, indent=1).encode()


class _Unpacking:
    """Counts unpacked bytes; the many small files are reported together."""

    def __init__(self, wheels: Sequence[WheelPin], on_progress: OnProgress, stop: threading.Event):
        total = sum(wheel.unpacked for wheel in wheels)
        stage = translatable("core", "Unpacking")
        self._counter = ByteCounter(stage, total, on_progress, stop)
        self._waiting = 0

    def add_many(self, count: int) -> None:
        self._waiting += count
        if self._waiting >= _LARGE:
            self._counter.add(self._waiting)
            self._waiting = 0


def clear_leftovers(engines: Path) -> None:
    """Deletes what removed and replaced packs have left, unless a pack is being got. Never raises.

    Call it at the start, once the engine is chosen.
    """
    with suppress(PackError, OSError):
        if engines.is_dir():
            with _lock(engines):
                clean_up(engines)


def offline_sources(folder: Path) -> Sources:
    """Wheels come from a folder of this computer alone."""
    return Sources(find_links=(str(folder.absolute()),), is_offline=True)


def _key_of(pins: PackPins) -> str:
    """Changes with whatever a pack is made of."""
    parts = [pins.torch, pins.cuda, pins.platform, pins.python, *pins.leave_out]
    parts += [wheel.sha256 for wheel in pins.wheels]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _is_compared(path: Path) -> bool:
    size = path.stat().st_size
    is_library = any(ending in path.name for ending in _LIBRARIES)
    return size >= _LARGE or (is_library and size > 0)


def _others_of(folder: Path) -> bool:
    """Whether there are more packs than this one."""
    others = (path for path in folder.parent.iterdir() if path != folder)
    return any(is_pack_name(path.name) and (path / PACK_FILE).exists() for path in others)


def _discard_outdated(engines: Path, used: Pack) -> None:
    """Deletes packs for other versions of the program, and their unfinished downloads."""
    for folder in engines.iterdir():
        is_getting = folder.name.startswith(GETTING)
        try:
            pack = read_pack(folder / UNPACKED if is_getting else folder)
        except NoPack:
            continue
        if pack.torch != used.torch or pack.python != used.python:
            discard(folder)


@contextmanager
def _lock(engines: Path) -> Generator[None]:
    """Held while a pack is got, also against other processes; released by a crash."""
    from filelock import FileLock, Timeout

    engines.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(engines / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise PackError(
            translatable(
                "core",
                "Another window or terminal is getting an engine pack. Wait until it is done.",
            )
        ) from error


def _explained(error: OSError, name: str) -> PackError:
    if error.errno in _FULL:
        return PackError(
            translatable(
                "core",
                "The disk is full, and the engine pack {pack} is not complete yet. Free some "
                "space, then resume.",
            ).format(pack=name),
            HubNeed.SPACE,
        )
    return PackError(
        translatable(
            "core",
            "The engine pack {pack} cannot be written ({reason}). Allow writing in the program's "
            "data folder, then try again.",
        ).format(pack=name, reason=error.strerror or error)
    )
