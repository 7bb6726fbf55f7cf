"""What tests of the package share: where its build is, a run of the program, and made-up wheels."""

import os
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"


def run(arguments: list[str | Path], home: Path, **options) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ONLOOKER_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **options,
    )


def make_wheel(folder: Path, name: str, *files: str) -> PathDistribution:
    """An installed wheel that has nothing but `files`, each with its own name inside."""
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    listed = [*files, f"{about.name}/METADATA"]
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in listed))
    return PathDistribution(about)
