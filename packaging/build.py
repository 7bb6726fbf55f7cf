"""Builds the packaged program, checks it as a new user would meet it, and makes the downloads.

    python3 packaging/dev.py build [--only-program] [--new-pins]

Everything goes to dist/. Runs inside `.venv`, which `dev.py` sets up with the extra `build`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import debian
import libraries
import trial
from bundle import ENGINES, ROOT, Contents, Exclusion, contents, is_below, matches, project
from parts import split

DIST = ROOT / "dist"
WORK = ROOT / "build"
PROGRAM = DIST / "onlooker"
# 5 % more than before PyTorch got a folder of its own.
LARGEST_FOLDER_BYTES = 667_000_000
# What is compressed already, as PyTorch's modules are, does not get smaller.
LARGEST_ARCHIVE_BYTES = 226_000_000


def main(arguments: list[str]) -> int:
    """Build, check and pack; returns the exit status."""
    parser = argparse.ArgumentParser(prog="dev.py build", description=__doc__)
    parser.add_argument("--only-program", action="store_true", help="make no archives of it")
    parser.add_argument(
        "--new-pins",
        action="store_true",
        help="look the engine packs up, also where the checkout has some for this PyTorch; for "
        "releases, whose machines reach PyTorch's own index",
    )
    options = parser.parse_args(arguments)
    pin_engine_packs(anew=options.new_pins)
    with timed("The program"):
        build_program()
    report_exclusions(contents())
    report_size()
    with timed("Its trial, moved to a read-only folder"):
        try_built_program()
    if not options.only_program:
        with timed("Archives"):
            archives = [part for archive in make_archives() for part in split(archive)]
            write_checksums(archives)
        report_archives(archives)
    return 0


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Print `title`, and at the end how many seconds the block took."""
    print(f"── {title}", flush=True)
    started = time.monotonic()
    yield
    print(f"   {time.monotonic() - started:.0f} s", flush=True)


def pin_engine_packs(*, anew: bool) -> None:
    """Let the program know the engine packs of the PyTorch that it is built with.

    The pins in the checkout are kept if they are for it, unless they are to be made anew, which
    must then succeed. Without an index the program has none, and says so where somebody asks for a
    pack.
    """
    import engine_pins

    from core.engine_packs.pins import read_pins

    is_needed = is_for_processor() and sys.platform in ("linux", "win32")
    if is_needed and (anew or not read_pins().here(version("torch"))):
        with timed("Pins of the engine packs"):
            if engine_pins.main([]):
                if anew:
                    sys.exit("No index has the engine packs for this program; see above.")
                print("warning: this program will have no engine packs for all it could have")


def build_program() -> None:
    """Run PyInstaller, then make what it collected smaller."""
    shutil.rmtree(PROGRAM, ignore_errors=True)
    # -P: what setuptools left in the checkout, onlooker.egg-info, is no installed distribution.
    command = [sys.executable, "-P", "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    folders = ["--distpath", str(DIST), "--workpath", str(WORK)]
    WORK.mkdir(exist_ok=True)
    with (WORK / "pyinstaller.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, *folders, str(ROOT / "packaging" / "onlooker.spec")],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{Path(log.name).read_text('utf-8')}\nPyInstaller failed; its log is above.")
    if sys.platform == "linux":
        libraries.make_smaller(PROGRAM / "_internal", contents())
    if sys.platform == "win32":
        sign_for_windows(PROGRAM.glob("*.exe"))


def sign_for_windows(programs: Iterable[Path]) -> None:
    """Sign with the certificate that SIGNING_THUMBPRINT names in the user's store, if it is set."""
    thumbprint = os.environ.get("SIGNING_THUMBPRINT")
    if not thumbprint:
        return
    server = os.environ.get("TIMESTAMP_SERVER")
    stamp = f"-TimestampServer '{server}'" if server else ""
    # If a newer PowerShell started the build, Windows' own PowerShell would inherit this variable,
    # look for its commands in the newer one's folders and refuse to load them.
    environment = {key: value for key, value in os.environ.items() if key != "PSMODULEPATH"}
    for program in programs:
        script = (
            f"$c = Get-Item 'Cert:\\CurrentUser\\My\\{thumbprint}';"
            f"$s = Set-AuthenticodeSignature '{program}' $c -HashAlgorithm SHA256 {stamp};"
            "if ($s.Status -ne 'Valid') { Write-Error $s.StatusMessage; exit 1 }"
        )
        command = ["powershell", "-NoProfile", "-Command", script]
        subprocess.run(command, env=environment, check=True)


# ── What is in it ───────────────────────────────────────────────────────────────────────────


def files_of(folder: Path) -> Iterator[Path]:
    """All files below `folder`, sorted, without symbolic links."""
    yield from sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()
    )


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in files_of(folder))


def report_size() -> None:
    """Print the size of the program's folder and of its ten largest parts."""
    parts: Counter[str] = Counter()
    for path in files_of(PROGRAM):
        names = path.relative_to(PROGRAM).parts
        parts["/".join(names[:2])] += path.stat().st_size
    total = parts.total()
    print(f"   {total:,} bytes unpacked, {sum(1 for _ in files_of(PROGRAM))} files. The largest:")
    for name, size in parts.most_common(10):
        print(f"   {size:>14,}  {name}")
    if total > LARGEST_FOLDER_BYTES and is_for_processor():
        print(f"   more than the limit of {LARGEST_FOLDER_BYTES:,} bytes")


def report_exclusions(inside: Contents) -> None:
    """Print for each entry of `excludes.toml` how many bytes it leaves out of this build."""
    print("   Left out, bytes of it in this installation:")
    standard, site = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    sizes = {path.relative_to(site).as_posix(): path.stat().st_size for path in files_of(site)}
    for exclusion in inside.exclusions:
        for name in exclusion.modules:
            for path in files_of(standard / name):
                sizes[path.relative_to(standard).as_posix()] = path.stat().st_size
        print(f"   {measure(exclusion, sizes):>14,}  {exclusion.why}", flush=True)


def measure(exclusion: Exclusion, sizes: dict[str, int]) -> int:
    """Bytes of the files of `sizes` (size by path) that the exclusion names, without bytecode."""
    return sum(
        size
        for path, size in sizes.items()
        if "__pycache__" not in path
        and (
            is_below(path.removesuffix(".py").replace("/", "."), exclusion.modules)
            or matches(path, exclusion.files)
        )
    )


def is_for_processor() -> bool:
    """Whether the installed PyTorch, and so the build, has no CUDA."""
    import torch

    return torch.version.cuda is None


# ── Checking it ───────────────────────────────────────────────────────────────────────────────


WRITE_MODELS = """
import sys
from pathlib import Path
from tests.support.tiny_chat import FAMILIES, write_chat_model
for family in FAMILIES:
    write_chat_model(Path(sys.argv[1]) / family, family)
"""


def try_built_program() -> None:
    """Run `trial.py` on a read-only copy of the program, with a tiny model of each family."""
    with tempfile.TemporaryDirectory(prefix="onlooker-") as name:
        copy, models = Path(name) / "Über dem Zaun, с пробелом", Path(name) / "models"
        shutil.copytree(PROGRAM, copy, symlinks=True)
        make_read_only(copy)
        command = [sys.executable, "-c", WRITE_MODELS, models]
        subprocess.run(command, cwd=ROOT, env=os.environ | {"TQDM_DISABLE": "1"}, check=True)
        make_read_only(models)
        Path(name).chmod(0o755)
        # On Windows the executable with a console: the other one has nowhere to print to.
        program = copy / ("onlooker-console.exe" if sys.platform == "win32" else "onlooker")
        try:
            trial.try_program(program, models)
            if sys.platform == "linux":
                bare = without_engine(copy, Path(name) / "without an engine")
                trial.try_engine(bare / program.name, next(engine_folders(copy)))
        finally:
            make_writable(Path(name))


def engine_folders(program: Path) -> Iterator[Path]:
    """The folders of the program's engines."""
    return (path for path in (program / "_internal" / ENGINES).iterdir() if path.is_dir())


def without_engine(program: Path, target: Path) -> Path:
    """Link the program's files at `target`, but for those of its engines; returns `target`."""
    names = {path.name for path in engine_folders(program)}
    leave_out = shutil.ignore_patterns(*names)

    def ignore(folder: str, inside: list[str]) -> set[str]:
        return leave_out(folder, inside) if Path(folder).name == ENGINES else set()

    shutil.copytree(program, target, symlinks=True, copy_function=os.link, ignore=ignore)
    return target


def make_read_only(folder: Path) -> None:
    """Let everybody read `folder` and nobody write to it."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222 | 0o444 | (0o111 if path.is_dir() else 0))


def make_writable(folder: Path) -> None:
    """Undo `make_read_only`, so that the folder can be removed; Windows also minds the files."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)


# ── What people download ────────────────────────────────────────────────────────────────────


def make_archives() -> list[Path]:
    """Make the archives that this system's tools can make, and print which are left out."""
    recipes: dict[str, Callable[[], Iterator[Path]]] = {
        "linux": linux_archives,
        "win32": windows_archives,
        "darwin": macos_archives,
    }
    bill = DIST / f"{stem()}.cdx.json"
    shutil.copyfile(WORK / "onlooker" / "sbom.cdx.json", bill)
    return [*recipes[sys.platform](), bill]


def stem() -> str:
    """The name that all downloads begin with: version, system, architecture, cpu or cuda."""
    kind = "cpu" if is_for_processor() else "cuda"
    machine = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    architecture = os.uname().machine if hasattr(os, "uname") else "x86_64"
    return f"onlooker-{project().version}-{machine}-{architecture}-{kind}"


def linux_archives() -> Iterator[Path]:
    """Make the `.tar.xz`, and the Debian package where there is dpkg-deb and no CUDA inside.

    The Debian package has one name, and with CUDA it would be more than a release takes.
    """
    archive = DIST / f"{stem()}.tar.xz"
    archive.unlink(missing_ok=True)
    compress = "xz --threads=0 -3"
    owner = ["--owner=0", "--group=0", "--sort=name"]
    command = ["tar", *owner, "--use-compress-program", compress, "-cf", archive, "-C", DIST]
    subprocess.run([*command, "onlooker"], check=True)
    yield archive
    if not is_for_processor():
        return
    if shutil.which("dpkg-deb"):
        yield debian.make_package(PROGRAM, DIST)
    else:
        print("   no dpkg-deb here: no Debian package was made")


def windows_archives() -> Iterator[Path]:
    """Make the `.zip`, and the installer where there is Inno Setup; it alone where CUDA is inside.

    The installer spans several files, which Windows cannot do with a `.zip`.
    """
    if is_for_processor():
        yield Path(shutil.make_archive(str(DIST / stem()), "zip", DIST, "onlooker"))
    usual = Path(os.environ.get("PROGRAMFILES(X86)", ""), "Inno Setup 6", "ISCC.exe")
    compiler = shutil.which("iscc") or (usual if usual.is_file() else None)
    if compiler:
        script = ROOT / "packaging" / "windows" / "onlooker.iss"
        defines = [f"/DVersion={project().version}", f"/DStem={stem()}"]
        large = [] if is_for_processor() else ["/DLarge"]
        subprocess.run([compiler, *defines, *large, script], check=True)
        setup = DIST / f"{stem()}-setup.exe"
        sign_for_windows([setup])
        yield from (setup, *DIST.glob(f"{stem()}-setup-*.bin"))
    else:
        print("   no Inno Setup here: no installer was made")


def macos_archives() -> Iterator[Path]:
    """Make the `.dmg`."""
    image = DIST / f"{stem()}.dmg"
    recipe = ROOT / "packaging" / "macos" / "make_dmg.sh"
    subprocess.run(["bash", recipe, DIST / "Onlooker.app", image], check=True)
    yield image


def write_checksums(archives: list[Path]) -> Path:
    """Write SHA256SUMS, in the format that sha256sum writes and checks."""
    path = DIST / "SHA256SUMS"
    lines = []
    for archive in sorted(archives):
        with archive.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {archive.name}\n")
    path.write_text("".join(lines), "utf-8", newline="\n")
    return path


def report_archives(archives: list[Path]) -> None:
    """Print the size of each archive, and which is over the limit."""
    for archive in archives:
        size = archive.stat().st_size
        print(f"   {size:>14,}  {archive.name}")
        if size > LARGEST_ARCHIVE_BYTES and is_for_processor():
            print(f"   more than the limit of {LARGEST_ARCHIVE_BYTES:,} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
