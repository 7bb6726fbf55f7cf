"""Libraries made smaller do what they did before."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import run

# What Qt asks its ICU: how to sort, which encodings there are, where a clock stands.
ASK_ICU = """
import ctypes, sys
loaded = [ctypes.CDLL(path, ctypes.RTLD_GLOBAL) for path in sys.argv[1:]]
from PySide6.QtCore import QCollator, QDateTime, QLocale, QStringDecoder, QTimeZone
words = ["ä", "z", "b10", "b2", "中", "国", "阿", "ch", "čh"]
for name in ("sv_SE", "de_DE", "zh_CN", "cs_CZ"):
    collator = QCollator(QLocale(name))
    collator.setNumericMode(True)
    print(sorted(words, key=collator.sortKey))
print([QStringDecoder(name).isValid() for name in ("GB18030", "Shift_JIS", "windows-1251")])
print(QTimeZone(b"Europe/Berlin").offsetFromUtc(QDateTime(2026, 7, 1, 12, 0, 0)))
print(QLocale("tr_TR").toUpper("iı"))
"""


@pytest.fixture
def icu(packaging):
    """The library with the data of Qt's ICU, which only Linux has; needs binutils."""
    import bundle
    import libraries

    found = list((bundle.package_folder("PySide6") / "Qt" / "lib").glob("libicudata.so.*"))
    if not found or not all(map(shutil.which, libraries.TOOLS)):
        pytest.skip("there is no ICU here, or no binutils")
    return found[0]


def test_icu_answers_as_before_with_a_third_of_its_data(icu, tmp_path):
    import bundle
    import libraries

    smaller = tmp_path / icu.name
    shutil.copyfile(icu, smaller)
    libraries.drop_icu_data(smaller, bundle.contents().dropped_icu_data)
    assert smaller.stat().st_size < icu.stat().st_size / 3
    before, after = run(["-c", ASK_ICU], tmp_path), run(["-c", ASK_ICU, smaller], tmp_path)
    assert before.stdout.count("b10") == 4, before.stderr
    assert after.stdout == before.stdout, after.stderr


def test_icu_data_that_is_asked_for_would_be_missed(icu, tmp_path):
    import libraries

    smaller = tmp_path / icu.name
    shutil.copyfile(icu, smaller)
    libraries.drop_icu_data(smaller, ["coll/*", "*.cnv"])
    before, after = run(["-c", ASK_ICU], tmp_path), run(["-c", ASK_ICU, smaller], tmp_path)
    assert after.stdout != before.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
def test_library_with_holes_is_smaller_and_loads_as_before(packaging, tmp_path):
    import libraries

    spec = importlib.util.find_spec("PIL._imaging")
    assert spec
    assert spec.origin
    smaller = tmp_path / Path(spec.origin).name
    shutil.copyfile(spec.origin, smaller)
    libraries.close_holes(smaller)
    if smaller.stat().st_size == Path(spec.origin).stat().st_size:
        pytest.skip("this build of Pillow has no holes")
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('PIL._imaging', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "print(module.fill('L', (3, 2), 7).getpixel((2, 1)), module.__file__ == sys.argv[1])\n"
    )
    # Beside the libraries that it asks for by their place.
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(Path(spec.origin).parents[1] / "pillow.libs")
    }
    command = [sys.executable, "-c", code, smaller]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "7 True\n", done.stderr
