"""An engine's modules in one compressed file beside its libraries: a third of their size.

The program's own engine has its modules so; a pack made of wheels has them as files. Imports the
standard library alone, since the packaged program calls it before it imports anything else.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourcelessFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ARCHIVE = "modules.zip"
"""The file in the engine's folder: bytecode, each module where it would lie in the folder."""


def add_engine_folder(folder: Path) -> None:
    """Lets modules be imported from an engine's folder, and from the archive that it may have.

    The folder comes last, so that it can take no other module's place.
    """
    sys.path.append(str(folder))
    if (folder / ARCHIVE).is_file():
        # Before the finder of files, which takes a package's folder that has only libraries in it
        # for a namespace package.
        sys.meta_path.insert(0, _ArchiveFinder(folder))


class _ArchiveFinder:
    """Finds the archive's modules. Their names of files are as if they lay in the folder.

    So a package may have some modules in the archive and others in the folder.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._archive = zipfile.ZipFile(folder / ARCHIVE)
        self._places = {_module_name(name): name for name in self._archive.namelist()}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by the import system."""
        place = self._places.get(name)
        if place is None:
            return None
        file = self._folder / place
        is_package = file.stem == "__init__"
        return spec_from_file_location(
            name,
            file,
            loader=_ArchiveLoader(name, str(file), self._archive, place),
            submodule_search_locations=[str(file.parent)] if is_package else None,
        )


class _ArchiveLoader(SourcelessFileLoader):
    """Loads one module; a file that it reads of its package is one of the folder."""

    def __init__(self, name: str, path: str, archive: zipfile.ZipFile, place: str):
        super().__init__(name, path)
        self._archive, self._place = archive, place

    def get_data(self, path: str) -> bytes:
        """The bytes of the module or of another file."""
        return self._archive.read(self._place) if path == self.path else super().get_data(path)


def _module_name(place: str) -> str:
    """Returns torch.nn for torch/nn/__init__.pyc."""
    return place.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".")
