"""What goes into the packaged program: our code and resources, and the parts of libraries it uses.

`excludes.toml` lists what stays out, each entry with its reason and the bytes it saves. The spec
uses this module; so do the tests, which run the program with all of that missing.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import marshal
import re
import tomllib
import zipfile
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

RESOURCES = ROOT / "resources"

# PyTorch and its native libraries lie in the package in a folder of their own, below ENGINES, so
# that another build of the same version can take its place.
ENGINES = "engines"
# The file in there with PyTorch's modules, which `core.engine_packs.archive` imports from.
ARCHIVE = "modules.zip"
_ENGINE = re.compile(
    r"(torch|torchgen|functorch|nvidia)(/|$)|(torch|nvidia[-_]\w+)-[^/]*\.dist-info/"
)
# PEP 552: the bytecode has a hash of its source, which Python does not check.
_UNCHECKED = (1).to_bytes(4, "little")


@dataclass(frozen=True)
class Project:
    """The program's entries in pyproject.toml."""

    name: str
    version: str
    description: str
    homepage: str


def project() -> Project:
    """Read pyproject.toml; a missing home page is ""."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return Project(
        table["name"],
        table["version"],
        table["description"],
        table.get("urls", {}).get("Homepage", ""),
    )


@dataclass(frozen=True)
class Exclusion:
    """One entry of `excludes.toml`; either of the two kinds of names may be empty."""

    why: str
    bytes: int
    modules: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What goes in and what stays out. A module name also stands for all modules below it."""

    exclusions: tuple[Exclusion, ...]
    kept_models: tuple[str, ...]
    kept_sources: tuple[str, ...]
    stripped_files: tuple[str, ...]
    dropped_icu_data: tuple[str, ...]

    @property
    def excluded_modules(self) -> list[str]:
        """The modules that PyInstaller leaves out: those listed, and the unused model families."""
        named = {module for exclusion in self.exclusions for module in exclusion.modules}
        return sorted({*named, *self._unused_models()})

    def _unused_models(self) -> list[str]:
        return [
            f"transformers.models.{folder.name}"
            for folder in (package_folder("transformers") / "models").iterdir()
            if (folder / "__init__.py").is_file() and folder.name not in self.kept_models
        ]

    def is_wanted(self, target: str) -> bool:
        """Whether a file that PyInstaller's hooks found goes into the package at path `target`.

        Hooks also add files of modules that stay out.
        """
        path = target.replace("\\", "/")
        patterns = [pattern for exclusion in self.exclusions for pattern in exclusion.files]
        if matches(path, patterns):
            return False
        if not path.endswith(".py"):
            return True
        if path.startswith(("torch/", "transformers/")) and not matches(path, self.kept_sources):
            return False
        return not is_below(path.removesuffix(".py").replace("/", "."), self.excluded_modules)


def contents() -> Contents:
    """Read `excludes.toml`."""
    table = tomllib.loads((ROOT / "packaging" / "excludes.toml").read_text("utf-8"))
    return Contents(
        tuple(
            Exclusion(
                entry["why"],
                entry["bytes"],
                tuple(entry.get("modules", ())),
                tuple(entry.get("files", ())),
            )
            for entry in table["exclude"]
        ),
        tuple(table["transformers"]["keep_models"]),
        tuple(table["sources"]["keep"]),
        tuple(table["strip"]["files"]),
        tuple(table["icu"]["items"]),
    )


def is_engine(path: str) -> bool:
    """Whether a file of the package, with forward slashes, belongs in PyTorch's own folder."""
    return bool(_ENGINE.match(path))


def engine_name(cuda: str | None) -> str:
    """The name of the engine's folder for `torch.version.cuda`: cuda130 for 13.0, or cpu."""
    return f"cuda{cuda.replace('.', '')}" if cuda else "cpu"


def without_engine(path: str) -> str:
    """A file's path in the package as if PyTorch lay among the other libraries."""
    top, _, rest = path.partition("/")
    return rest.partition("/")[2] if top == ENGINES else path


def write_modules(
    folder: Path, modules: Iterable[tuple[str, Path]], kept_sources: Container[str]
) -> Iterator[Path]:
    """Compile an engine's modules below `folder`; yields the paths of the files written, in there.

    A module is the place of its source in the package, and the source. Those whose sources are kept
    get bytecode beside them, where Python looks for it then; the others go into one archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place, source in modules:
            if place not in kept_sources:
                # The same contents give the same archive, whenever it is made.
                entry = zipfile.ZipInfo(f"{place}c")
                archive.writestr(entry, bytecode(place, source), zipfile.ZIP_DEFLATED, 9)
                continue
            path = Path(importlib.util.cache_from_source(place))
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(bytecode(place, source))
            yield path
    yield Path(ARCHIVE)


def bytecode(place: str, source: Path) -> bytes:
    """The content of a module's .pyc file.

    Python does not compare it with the source: the program's folder may be read-only, and its files
    may have any times.
    """
    text = source.read_bytes()
    code = compile(text, place, "exec", dont_inherit=True, optimize=0)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(text)
    return header + marshal.dumps(code)


def is_below(module: str, packages: Iterable[str]) -> bool:
    """Whether `module` is one of `packages` or a module of one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether `path`, with forward slashes, matches one of the glob patterns."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def own_modules() -> list[str]:
    """Every module of ours, including those that are imported only inside a function."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("core", "gui")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.stem != "__init__"
    ]


def hidden_modules(models: Iterable[str]) -> list[str]:
    """The modules that transformers imports by a computed name, for these model families."""
    folder = package_folder("transformers")
    return [
        ".".join(("transformers", *path.relative_to(folder).with_suffix("").parts))
        for name in models
        for path in sorted((folder / "models" / name).glob("*.py"))
        if path.stem != "__init__" and not path.stem.startswith(("convert_", "modular_"))
    ]


def resource_files() -> Iterator[tuple[Path, str]]:
    """Each file of ours that is not Python, with the folder that it goes to in the package."""
    for path in sorted(RESOURCES.rglob("*")):
        # The screenshots are the README's.
        is_ours = path.is_file() and not path.name.startswith(".")
        if is_ours and "screenshots" not in path.relative_to(RESOURCES).parts:
            yield path, path.parent.relative_to(ROOT).as_posix()
    for package in ("core", "gui"):
        for path in sorted((ROOT / package).rglob("*")):
            # CUDA sources, which NVRTC compiles on the user's computer; the READMEs stay out.
            if path.is_file() and path.suffix not in (".py", ".pyc", ".md"):
                yield path, path.parent.relative_to(ROOT).as_posix()
    for name in ("LICENSE", "CHANGELOG.md"):
        yield ROOT / name, "."


def dictionaries() -> Iterator[tuple[Path, str]]:
    """The English dictionary of spylls, with the folder that it goes to; it has others too."""
    english = package_folder("spylls") / "hunspell" / "data" / "en"
    for path in sorted(english.glob("en_US.*")):
        yield path, "spylls/hunspell/data/en"


def cuda_libraries() -> Iterator[tuple[Path, str]]:
    """NVIDIA's libraries that PyTorch for Linux depends on, each with the folder that it goes to.

    PyTorch loads some of them by name from the folders where the wheels put them, among them NVRTC,
    which compiles our kernels. PyInstaller's hook knows only wheels whose names end in -cu12 and
    the like, and those of CUDA 13 do not. On Windows they are in PyTorch's own folder.
    """
    for wheel in distributions():
        if wheel.name.lower().startswith("nvidia-"):
            for path in wheel.files or ():
                if ".so" in path.suffixes:
                    yield Path(str(wheel.locate_file(path))), path.parent.as_posix()


def package_folder(package: str) -> Path:
    """The folder of a package, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed", name=package)
    return Path(spec.origin).parent
