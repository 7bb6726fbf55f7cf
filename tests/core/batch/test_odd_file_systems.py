"""Folder runs on file systems that refuse what ours allows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# What gvfs, SMB and exFAT answer.
REFUSES_CHMOD = """
#include <errno.h>
#include <sys/stat.h>
int chmod(const char *path, mode_t mode) { errno = EPERM; return -1; }
int fchmod(int file, mode_t mode) { errno = EPERM; return -1; }
int fchmodat(int folder, const char *path, mode_t mode, int flags) { errno = EPERM; return -1; }
"""
WRITE_TWICE = """
import os, sys
from pathlib import Path
from core.files import write_atomically
try:
    os.chmod(sys.argv[1], 0o644)
except PermissionError:
    print("refused")
write_atomically(Path(sys.argv[1]), b"one")
write_atomically(Path(sys.argv[1]), b"two")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs LD_PRELOAD")
@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_files_are_written_where_chmod_is_refused(tmp_path):
    (tmp_path / "shim.c").write_text(REFUSES_CHMOD)
    shim = tmp_path / "shim.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", shim, "shim.c"], cwd=tmp_path, check=True, timeout=60
    )
    caption = tmp_path / "fruit.txt"
    caption.write_text("before")
    run = subprocess.run(
        [sys.executable, "-c", WRITE_TWICE, caption],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "refused\n", "")
    assert caption.read_text() == "two"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fruit.txt", "shim.c", "shim.so"]
