"""Lists whose work is in the packaged program: a bill of materials, and the text of every licence.

The bill is CycloneDX 1.6 in JSON. It names every wheel that a file of the package comes from,
Python itself, and on Debian the system packages whose libraries the package contains.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from bundle import ROOT, Project

LICENCES = ROOT / "resources" / "licences"
MODEL = ROOT / "resources" / "built_in_model"

# Wheels without the text of their licence, and the copies of ours that are used instead.
_LICENCE_OF = {
    "pi_heif": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "pyside6_essentials": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "shiboken6": ("LGPL-3.0.txt", "GPL-3.0.txt"),
    "sentencepiece": ("Apache-2.0.txt",),
    "tokenizers": ("Apache-2.0.txt",),
}
_LICENCE_NAME = re.compile(r"(^|/)(licen[cs]es?|copying|notice|authors)\b[^/]*$", re.IGNORECASE)


@dataclass(frozen=True)
class SystemPackage:
    """A Debian package that a library was taken from."""

    name: str
    version: str
    copyright: Path


def wheels(sources: Iterable[Path]) -> list[Distribution]:
    """The installed distributions that own any of the files, by name."""
    owners = {path: wheel for wheel in distributions() for path in _files(wheel)}
    found = {owners[source].name: owners[source] for source in sources if source in owners}
    return [found[name] for name in sorted(found, key=str.lower)]


def _files(wheel: Distribution) -> Iterator[Path]:
    for path in wheel.files or ():
        yield Path(str(wheel.locate_file(path)))


def system_packages(sources: Iterable[Path]) -> list[SystemPackage]:
    """The Debian packages that own any of the files; none on another system."""
    found = {path for path in sources if path.parts[:2] in (("/", "lib"), ("/", "usr"))}
    names = {str(name) for path in found for name in (path, path.resolve())}
    # Some packages list their files under /lib, which is a link to /usr/lib.
    asked = sorted(names | {name.removeprefix("/usr") for name in names})
    if not asked or not shutil.which("dpkg-query"):
        return []
    answer = subprocess.run(
        ["dpkg-query", "--search", *asked],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    ).stdout
    return [
        SystemPackage(name, _debian_version(name), Path("/usr/share/doc") / name / "copyright")
        for name in owning_packages(answer)
    ]


def owning_packages(answer: str) -> list[str]:
    """The package names in the output of `dpkg-query --search`, which also lists diversions."""
    owners = [line.rpartition(": ")[0] for line in answer.splitlines()]
    return sorted(
        {
            owner.split(":")[0]
            for line in owners
            if line and not line.startswith(("diversion by ", "local diversion "))
            for owner in line.split(", ")
        }
    )


def _debian_version(name: str) -> str:
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}\n", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return answer.split()[0]


def write_licences(
    folder: Path, inside: Iterable[Distribution], packages: Iterable[SystemPackage]
) -> list[Path]:
    """Copy the text of every licence to `folder`; returns the files written.

    Raises FileNotFoundError for a wheel without one, so that no package is built without it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for wheel in inside:
        target = folder / f"{wheel.name}-{wheel.version}"
        texts = list(_licence_texts(wheel))
        if not texts:
            raise FileNotFoundError(f"{wheel.name} has no licence text; add one to {LICENCES}")
        for name, source in texts:
            _copy(source, target / name)
    python = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
    if python.is_file():
        _copy(python, folder / f"Python-{platform.python_version()}" / "LICENSE.txt")
    for package in packages:
        if package.copyright.is_file():
            _copy(package.copyright, folder / "Debian" / f"{package.name}.txt")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _licence_texts(wheel: Distribution) -> Iterator[tuple[str, Path]]:
    for name in _LICENCE_OF.get(_normal(wheel), ()):
        yield name, LICENCES / name
    named = [path for path in wheel.files or () if _LICENCE_NAME.search(path.as_posix())]
    where_they_belong = [
        path for path in named if ".dist-info/" in path.as_posix() or len(path.parts) == 2
    ]
    for path in where_they_belong or named:
        source = Path(str(wheel.locate_file(path)))
        if source.is_file() and source.suffix not in (".py", ".pyc"):
            name = path.as_posix().partition(".dist-info/")[2].removeprefix("licenses/")
            yield name or path.name, source


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def bill_of_materials(
    project: Project, inside: Iterable[Distribution], packages: Iterable[SystemPackage]
) -> dict:
    """A CycloneDX 1.6 document; equal contents give an equal document."""
    root = f"{project.name}@{project.version}"
    components = [
        *(_wheel_component(wheel) for wheel in inside if wheel.name != project.name),
        _component("library", "python", platform.python_version(), "pkg:generic/python"),
        *(_debian_component(package) for package in packages),
        _clip_component(),
        *([_model_component(project)] if any(MODEL.glob("*.safetensors")) else []),
    ]
    references = [component["bom-ref"] for component in components]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, " ".join([root, sys.platform, *references]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project.name,
                "version": project.version,
                "description": project.description,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": references}],
    }


def _component(kind: str, name: str, version: str, purl: str) -> dict:
    return {
        "type": kind,
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"{purl}@{version.replace('+', '%2B')}",
    }


def _wheel_component(wheel: Distribution) -> dict:
    name = _normal(wheel).replace("_", "-")
    component = _component("library", name, wheel.version, f"pkg:pypi/{name}")
    metadata = wheel.metadata.json
    if expression := metadata.get("license_expression"):
        component["licenses"] = [{"expression": expression}]
    elif word := _licence_word(metadata.get("license"), metadata.get("classifier", ())):
        component["licenses"] = [{"license": {"name": word}}]
    return component


def _licence_word(licence: Any, classifiers: Any) -> str:
    if licence and len(licence.splitlines()) == 1:
        return licence.strip()
    words = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    return ", ".join(words)


def _debian_component(package: SystemPackage) -> dict:
    purl = f"pkg:deb/debian/{package.name}"
    component = _component("library", package.name, package.version, purl)
    return component | {"bom-ref": f"deb:{component['bom-ref']}"}


def _model_component(project: Project) -> dict:
    return {
        "type": "machine-learning-model",
        "bom-ref": f"built-in-model@{project.version}",
        "name": "built-in-model",
        "version": project.version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
        "components": [_file_component(path) for path in sorted(MODEL.glob("*.safetensors"))],
    }


def _clip_component() -> dict:
    """The merges of CLIP's tokenizer, of which `resources/licences/README.txt` says more."""
    component = _component("data", "clip-merges", "1", "pkg:github/openai/CLIP")
    return component | {"licenses": [{"license": {"id": "MIT"}}]}


def _file_component(path: Path) -> dict:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": "file",
        "bom-ref": path.name,
        "name": path.name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def write_bill(
    path: Path,
    project: Project,
    inside: Iterable[Distribution],
    packages: Iterable[SystemPackage],
) -> Path:
    """Write `bill_of_materials` as JSON to `path` and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bill = bill_of_materials(project, inside, packages)
    path.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def _normal(wheel: Distribution) -> str:
    return re.sub(r"[-_.]+", "_", wheel.name).lower()
