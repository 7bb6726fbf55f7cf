"""The commands of a developer, on a machine that has nothing but Python.

    python3 packaging/dev.py run [IMAGE | FOLDER | caption …]    open the window, or caption
    python3 packaging/dev.py test [PYTEST ARGUMENT …]            ruff, pyright, the default tier
    python3 packaging/dev.py test --slow [PYTEST ARGUMENT …]     only the slow tier of tests
    python3 packaging/dev.py test --coverage                     the same as test, with coverage
    python3 packaging/dev.py lint                                only ruff and pyright
    python3 packaging/dev.py setup                               what test and build install
    python3 packaging/dev.py build [--only-program] [--new-pins] the packaged program, in dist/
    python3 packaging/dev.py strings FILE.ts                     what translators translate

Each sets `.venv` up by itself; when nothing has changed, that is one comparison of a fingerprint.
Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

OLDEST, NEWEST = (3, 11), (3, 13)

# The libraries that Qt and its platform plugins offscreen and xcb are linked with on Linux, and the
# Debian package that has each.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libbrotlidec.so.1": "libbrotli1",
    "libX11.so.6": "libx11-6",
    "libzstd.so.1": "libzstd1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
# The tools that the build calls, and the Debian package that has each: PyInstaller reads libraries
# with objdump, the program is started on an X server of its own, and the menu entry is validated.
BUILD_TOOLS = {
    "objdump": "binutils",
    "Xvfb": "xvfb",
    "xz": "xz-utils",
    "desktop-file-validate": "desktop-file-utils",
}
# Programs that tests let read our files, and the compiler of the library that kills a run at any
# operation on files, with the Debian packages of each.
TEST_TOOLS = {
    "exiv2": ("exiv2",),
    "exiftool": ("libimage-exiftool-perl",),
    "cc": ("gcc", "libc6-dev"),
}
# `translatable` of core/message.py marks a sentence as this macro does in Qt's own C++.
LUPDATE_OPTIONS = ("-tr-function-alias", "QT_TRANSLATE_NOOP+=translatable")
# A worker that has imported torch, transformers and Qt takes a gigabyte or so.
MOST_WORKERS = 8
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first argument names; returns the exit status."""
    verbs = {verb.__name__: verb for verb in (run, test, lint, setup, build, strings)}
    if not arguments or arguments[0] not in verbs:
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    return verbs[arguments[0]](list(arguments[1:]))


def run(arguments: list[str]) -> int:
    """Open the window; without a display the program itself captions a sample instead."""
    if not install_system_libraries() and has_display():
        return 1
    install()
    return subprocess.call([PYTHON, "-m", "gui", *arguments], cwd=Path.cwd(), env=environment())


def test(arguments: list[str]) -> int:
    """Run lint, types and the default tier of tests; all run, and the worst status counts.

    With `--slow` only the tests marked `slow` run: lint and types belong to the default tier, and
    `--only-pytest` leaves them out of it too. With `--coverage` the per cent of the statements of
    core and gui that tests run is printed as well; `coverage report` and `coverage html` then show
    which.
    """
    parser = argparse.ArgumentParser(
        prog="dev.py test",
        usage="%(prog)s [--slow] [--coverage] [--only-pytest] [PYTEST ARGUMENT …]",
        description="Other arguments go to pytest; with -n 0 the tests run in one process.",
        allow_abbrev=False,
    )
    parser.add_argument("--slow", action="store_true", help="only the tests marked slow")
    parser.add_argument("--coverage", action="store_true", help="measure what is covered")
    parser.add_argument("--only-pytest", action="store_true", help="without ruff and pyright")
    options, others = parser.parse_known_args(arguments)
    if not install_system_libraries():
        return 1
    install_test_tools()
    install("test")
    if options.slow:
        install_for_slow_tests()
    pytest = ["pytest", *distribution(), "-m", "slow" if options.slow else "not slow"]
    if options.coverage:
        pytest += ["--cov", "--cov-report="]
    results = [] if options.slow or options.only_pytest else [lint([])]
    what = "pytest, slow tier" if options.slow else "pytest"
    results.append(step(what, "-m", *pytest, *others))
    if options.coverage:
        step("coverage, in per cent", "-m", "coverage", "report", "--format=total")
    return max(map(abs, results))


def lint(arguments: list[str]) -> int:
    """Run lint and types; both run, and the worst status counts."""
    install("test")
    results = (
        step("ruff check", "-m", "ruff", "check", "."),
        step("ruff format", "-m", "ruff", "format", "--check", "."),
        step("pyright", "-m", "pyright"),
    )
    return max(map(abs, results))


def setup(arguments: list[str]) -> int:
    """Install what `test`, `lint` and `build` need, which can then run at the same time."""
    if not install_build_tools():
        return 1
    install_test_tools()
    for extra in ("test", "build"):
        install(extra)
    return 0


def distribution() -> list[str]:
    """Return the arguments of pytest-xdist: three workers for each two cores this process may use.

    Workers wait for processes that they start, for servers and for timers, some 40 % of the time.
    `worksteal` gives each worker a contiguous share of the tests, so that fixtures of a module or
    session are rarely set up twice, and evens the shares out at the end.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = min((cores or 1) * 3 // 2, MOST_WORKERS)
    return ["-n", str(workers), "--dist", "worksteal"]


def build(arguments: list[str]) -> int:
    """Make the packaged program and try it; `packaging/build.py` has the steps."""
    if not install_build_tools():
        return 1
    install("build")
    if not install_python_library():
        return 1
    command = [PYTHON, ROOT / "packaging" / "build.py", *arguments]
    return subprocess.call(command, cwd=ROOT, env=environment())


def strings(arguments: list[str]) -> int:
    """Collect the sentences of core and the window into a file of Qt Linguist."""
    install()
    command = [BIN / "pyside6-lupdate", *LUPDATE_OPTIONS, "-extensions", "py", "core", "gui"]
    return subprocess.call([*command, "-ts", *map(os.path.abspath, arguments)], cwd=ROOT)


def step(title: str, *command: str) -> int:
    """Run Python of `.venv` on one step of `test`; returns its exit status."""
    print(f"── {title}", flush=True)
    # With a worker on each core, threads of torch's own would only wait for one another.
    settings = environment() | {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    # Each worker compiles all tests, and each of the hundreds of processes that they start our
    # modules, unless what was compiled is kept. Images of containers often forbid it.
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    result = subprocess.call([PYTHON, *command], cwd=ROOT, env=settings)
    if result and not title.startswith("pytest"):
        print(f"{title} failed", flush=True)
    return result


def environment() -> dict[str, str]:
    """The environment of the programs that this script starts."""
    # pyright's wrapper would otherwise ask the network whether there is a newer one.
    return os.environ | {"PYTHONUTF8": "1", "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}


# ── Python packages ─────────────────────────────────────────────────────────────────────────


def install(extra: str = "") -> None:
    """Install into `.venv` what pyproject.toml lists; does nothing when it is installed already."""
    stamp = VENV / "onlooker-installed"
    known = stamp.read_text().split() if stamp.is_file() else []
    wanted = fingerprint()
    if PYTHON.exists() and known[:1] == [wanted] and extra in ("", *known[1:]):
        return
    python = suitable_python()
    if not PYTHON.exists():
        make_venv(python)
    extras = sorted({extra, *known[1:]} - {""})
    target = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    print("Installing what Onlooker needs into .venv (the first time this takes minutes) …")
    sys.stdout.flush()
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    check([*pip, "--editable", target], "pip could not install Onlooker; its message is above.")
    stamp.write_text(" ".join([wanted, *extras]))


def install_for_slow_tests() -> None:
    """Install other programs' servers, and the libraries that read what we export. Tests of what
    cannot be installed are left out."""
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    for extra in ("serving", "readers"):
        stamp = VENV / f"onlooker-{extra}-installed"
        if stamp.is_file() and stamp.read_text() == fingerprint():
            continue
        if subprocess.call([*pip, "--editable", f"{ROOT}[{extra}]"]):
            print(
                f"The extra “{extra}” could not be installed; its tests are left out.", flush=True
            )
            continue
        stamp.write_text(fingerprint())


def fingerprint() -> str:
    """A digest of the configuration, this script and the path of the checkout."""
    digest = hashlib.sha256(str(ROOT).encode())
    digest.update((ROOT / "pyproject.toml").read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def suitable_python() -> str:
    """A Python that the dependencies have wheels for: the running one, or one on the PATH."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    sys.exit(
        f"Onlooker needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; this is"
        f" {sys.version_info.major}.{sys.version_info.minor}. Install one of those and run"
        " this command with it."
    )


def make_venv(python: str) -> None:
    """Make `.venv`; on Debian, first install the package that has the module `venv`."""
    print("Making .venv …", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([python, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL):
        version = subprocess.check_output(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], text=True
        ).strip()
        if not install_debian_packages([f"python{version}-venv"]):
            sys.exit(1)
    check([python, "-m", "venv", VENV], "Python could not make a virtual environment in .venv.")


def check(command: Sequence[str | Path], complaint: str) -> None:
    """Run `command`; exits with `complaint` if it fails."""
    if subprocess.call(command):
        sys.exit(complaint)


# ── System libraries ────────────────────────────────────────────────────────────────────────


def install_system_libraries() -> bool:
    """Return whether the libraries and fonts that Qt needs on Linux are there or were installed."""
    if sys.platform != "linux":
        return True
    packages = [package for name, package in QT_LIBRARIES.items() if not can_load(name)]
    if not has_fonts():
        packages.append("fonts-dejavu-core")
    return not packages or install_debian_packages(packages)


def install_build_tools() -> bool:
    """As `install_system_libraries`, and also for the tools that the build calls."""
    if sys.platform != "linux":
        return True
    packages = [package for tool, package in BUILD_TOOLS.items() if not shutil.which(tool)]
    return install_system_libraries() and (not packages or install_debian_packages(packages))


def install_test_tools() -> None:
    """Install what some tests need where that needs no question; elsewhere these are skipped."""
    missing = (packages for tool, packages in TEST_TOOLS.items() if not shutil.which(tool))
    packages = list(itertools.chain.from_iterable(missing))
    if packages and can_install_debian_packages():
        install_debian_packages(packages)


def install_python_library() -> bool:
    """Return whether the Python of `.venv` has its shared library, which the package contains.

    Debian has it in a separate package; other Pythons are built with or without it.
    """
    if sys.platform != "linux":
        return True
    query = "import sysconfig; print(*map(sysconfig.get_config_var, ('LIBDIR', 'INSTSONAME')))"
    folder, _, name = (
        subprocess.check_output([PYTHON, "-c", query], text=True).strip().partition(" ")
    )
    if (Path(folder) / name).is_file() or can_load(name):
        return True
    if name.endswith(".a"):
        print(f"This Python was built without a shared library ({name}); take one that has it.")
        return False
    return install_debian_packages([name.partition(".so")[0]])


def can_load(library: str) -> bool:
    """Whether the system's loader finds the library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def has_fonts() -> bool:
    """Whether there is any font for Qt to draw text with."""
    folders = [Path(folder).expanduser() for folder in FONT_FOLDERS]
    return any(next(folder.rglob("*.[to]tf"), None) for folder in folders if folder.is_dir())


def install_debian_packages(packages: list[str]) -> bool:
    """Install them as root on Debian and its like; elsewhere print the command and return False."""
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not can_install_debian_packages():
        print("Some parts of the system that Onlooker needs are missing. This installs them:")
        print("  sudo " + " ".join(command) if is_debian_like() else foreign_advice(packages))
        sys.stdout.flush()
        return False
    print("Installing system libraries:", " ".join(packages), flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step_ in (["apt-get", "update"], command):
        done = subprocess.run(step_, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout + done.stderr)
            print("apt-get failed; its message is above. Mend that and run this command again.")
            return False
    return True


def can_install_debian_packages() -> bool:
    """Whether this is Debian or its like, and this user may install packages."""
    return is_debian_like() and os.geteuid() == 0 and bool(shutil.which("apt-get"))


def is_debian_like() -> bool:
    """Whether the system is Debian or derived from it, by /etc/os-release."""
    release = Path("/etc/os-release")
    if not release.is_file():
        return False
    pairs = (line.split("=", 1) for line in release.read_text().splitlines() if "=" in line)
    facts = {key: value.strip('"') for key, value in pairs}
    kinds = {facts.get("ID", ""), *facts.get("ID_LIKE", "").split()}
    return bool(kinds & {"debian", "ubuntu"})


def foreign_advice(packages: list[str]) -> str:
    """Name Debian's packages; those of other distributions have never been tried."""
    return "  your distribution's packages for what Debian calls " + " ".join(packages)


def has_display() -> bool:
    """Whether a window could be shown; always true where this is not Linux."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
