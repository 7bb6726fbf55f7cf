"""Checks a folder run of 1,000 images that is paused, killed, resumed and undone.

    python -m tests.benchmarks.folder_show [IMAGES]

On the CPU with the built-in model, through the command line, in processes that are ended by Ctrl+C
and by kill -9. Prints what has happened when; ends with a message at the first thing that is wrong.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image, ImageEnhance

from core.batch.journal import read_lines
from core.captions import xmp

ROOT = Path(__file__).parents[2]
PROMPT = "What is in this picture?"
BROKEN = 3


def main(count: str = "1000") -> int:
    with tempfile.TemporaryDirectory() as home:
        show = Show(Path(home), int(count))
        show.play()
    return 0


class Show:
    """One run, its folder of images, and what must hold after each step."""

    def __init__(self, home: Path, count: int):
        self._home, self._folder, self._count = home, home / "pictures", count
        self._begun = time.perf_counter()
        _make(self._folder, count)
        self._before = _tree(self._folder)
        self._report(f"{count} pictures are made, {BROKEN} of them broken")

    def play(self) -> None:
        new = ["--write", "txt,xmp,jsonl", "--prompt", PROMPT, "--max-new-tokens", "16"]
        self._until(self._count * 0.15, [*new, "--slots", "8"], signal.SIGINT, "paused by Ctrl+C")
        for share, slots in ((0.3, "8"), (0.45, "1"), (0.6, "8"), (0.8, "4")):
            self._until(
                self._count * share, ["--resume", "--slots", slots], signal.SIGKILL, "killed"
            )
        status, errors = self._run(["--resume", "--slots", "8"])
        _require(status == 1, f"the run ended with {status}: {errors}")
        self._report(next(line for line in errors.splitlines() if "captioned" in line))
        self._check_all()
        (journal,) = (self._home / "ours" / "runs").glob("*.jsonl")
        captions = Counter(r["picture"] for r in read_lines(journal) if r["kind"] == "item")
        _require(set(captions.values()) == {1}, "a caption was written twice")
        status, errors = self._run(["--undo"])
        _require(status == 0, errors)
        self._report(errors.strip())
        _require(_tree(self._folder) == self._before, "undo has left something")
        self._report("every file is as it was before")

    def _until(self, count: float, arguments: list[str], how: int, word: str) -> None:
        """Run until there are `count` captions, then send the signal `how` and check the files."""
        process = self._start(arguments)
        while process.poll() is None and self._captions() < count:
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate()
        wanted = 130 if how == signal.SIGINT else -how
        _require(process.returncode == wanted, f"{process.returncode}, not {wanted}: {errors!r}")
        self._check()
        self._report(f"{word} at {self._captions()}; what is there is whole")

    def _run(self, arguments: list[str]) -> tuple[int, str]:
        process = self._start(arguments)
        _, errors = process.communicate()
        return process.returncode, errors.decode()

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "core.terminal", "caption", str(self._folder)]
        return subprocess.Popen(
            [*command, *arguments, "--device", "cpu"],
            cwd=ROOT,
            env=os.environ | {"ONLOOKER_HOME": str(self._home / "ours"), "PYTHONUTF8": "1"},
            stderr=subprocess.PIPE,
        )

    def _captions(self) -> int:
        return sum(1 for entry in os.scandir(self._folder) if entry.name.endswith(".txt"))

    def _check(self) -> None:
        """Require that every sidecar file is complete."""
        for path in self._folder.glob("*.txt"):
            _require(path.read_text(encoding="utf-8").strip() != "", f"{path} is empty")
        for path in self._folder.glob("*.xmp"):
            _require(xmp.description_of(path.read_bytes()) != "", f"{path} says nothing")

    def _check_all(self) -> None:
        table = self._folder / "captions.jsonl"
        rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        captions = {row["picture"]: row["caption"] for row in rows}
        _require(len(rows) == len(captions) == self._count - BROKEN, "rows are missing or double")
        for picture, caption in captions.items():
            path = Path(picture)
            _require(path.with_suffix(".txt").read_text("utf-8") == f"{caption}\n", picture)
            description = xmp.description_of(path.with_suffix(".xmp").read_bytes())
            _require(description == caption, picture)
        _require(not list(self._folder.glob(".*")), "something was left half written")
        pictures = {path: data for path, data in self._before.items() if path.suffix == ".jpg"}
        now = {path: path.read_bytes() for path in pictures}
        _require(now == pictures, "a picture was touched")

    def _report(self, line: str) -> None:
        sys.stdout.write(f"{time.perf_counter() - self._begun:6.0f} s  {line}\n")
        sys.stdout.flush()


def _make(folder: Path, count: int) -> None:
    """Write variants of the samples, mirrored, cropped and brightened, so that no two are equal."""
    folder.mkdir()
    dice = random.Random(0)
    samples = [Image.open(p).convert("RGB") for p in sorted(ROOT.glob("resources/samples/*.png"))]
    for number in range(count):
        path = folder / f"{number:04}.jpg"
        if number >= count - BROKEN:
            path.write_bytes(b"\xff\xd8\xff\xe0 broken")
            continue
        sample = dice.choice(samples)
        cut = [dice.randrange(1, side // 8) for side in sample.size * 2]
        box = cut[0], cut[1], sample.width - cut[2], sample.height - cut[3]
        picture = ImageEnhance.Brightness(sample.crop(box)).enhance(dice.uniform(0.8, 1.2))
        if dice.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.save(path, quality=90)


def _tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*"))}


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise SystemExit(message)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
