"""Libraries in C that tests preload, to change what the system does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def compiled(name: str, folder: Path) -> Path:
    """Compiles `name` of this folder into `folder`; skips the test where nothing compiles C."""
    library = folder / Path(name).with_suffix(".so")
    source = Path(__file__).with_name(name)
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
    try:
        subprocess.run(command, check=True, timeout=60, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no C compiler (on Debian: apt-get install gcc libc6-dev)")
    return library
