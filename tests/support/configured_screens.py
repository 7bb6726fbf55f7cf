"""Runs a module of the tests on screens of Qt's offscreen platform, configured for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Screen = tuple[int, int, int, int]


def configured(folder: Path, *screens: Screen) -> str:
    """Writes the platform's configuration; returns the value of QT_QPA_PLATFORM."""
    names = ("x", "y", "width", "height")
    config = {
        "screens": [
            {"name": f"screen {number}", "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
            | dict(zip(names, screen, strict=True))
            for number, screen in enumerate(screens)
        ]
    }
    path = folder / "screens.json"
    path.write_text(json.dumps(config))
    return f"offscreen:configfile={path}"


def run_on(
    folder: Path, module: str, arguments: Sequence[str], *screens: Screen, scale: str = "1"
) -> Any:
    """Runs a module of the tests on these screens; returns what it printed."""
    environment = os.environ | {
        "QT_QPA_PLATFORM": configured(folder, *screens),
        "QT_SCALE_FACTOR": scale,
        "ONLOOKER_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
