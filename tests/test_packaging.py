"""What can be known of the package without building it. The build tries the built program."""

import ast
import gzip
import importlib.util
import io
import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import PathDistribution, distribution
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import IcnsImagePlugin, IcoImagePlugin

from core.picture import PICTURE_SUFFIXES
from core.spelling import dictionary_folders
from tests.support.packs import write_pack

ROOT = Path(__file__).resolve().parents[1]
PACKAGING = ROOT / "packaging"

# Runs the program while nothing that the package leaves out can be found.
WITHOUT_WHAT_IS_LEFT_OUT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import bundle

excluded = bundle.contents().excluded_modules

class Without:
    def __init__(self, finder):
        self._finder = finder
    def find_spec(self, name, path=None, target=None):
        if not bundle.is_below(name, excluded):
            return self._finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self._finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
del sys.path[0]
from gui.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def packaging(monkeypatch):
    """The folder of the build's modules on the path, as for a script that lies in it."""
    monkeypatch.syspath_prepend(str(PACKAGING))
    yield
    for name in (
        "bundle",
        "icon",
        "inventory",
        "debian",
        "build",
        "fresh_install",
        "libraries",
        "parts",
        "start",
        "trial",
    ):
        sys.modules.pop(name, None)


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


def caption_without_what_is_left_out(tmp_path: Path, model: Path, *options: str):
    picture = tmp_path / "ein Bild.png"
    draw_picture(picture)
    program = ["-c", WITHOUT_WHAT_IS_LEFT_OUT, PACKAGING]
    command = [*program, "caption", picture, "--model", model, "--max-new-tokens", "4", *options]
    done = run(command, tmp_path / "home")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow  # .ci/run tries the package itself, too.
def test_caption_needs_no_module_that_the_package_leaves_out(tmp_path, tiny_transformers_layout):
    said = caption_without_what_is_left_out(
        tmp_path, tiny_transformers_layout, "--format", "json", "--trace", str(tmp_path / "trace")
    )
    assert json.loads(said)["new_tokens"] > 0
    assert json.loads((tmp_path / "trace").read_text(encoding="utf-8"))["input_ids"]


@pytest.mark.slow
def test_sampling_from_the_original_layout_needs_none_either(tmp_path, tiny_original_layout):
    options = ("--format", "json", "--temperature", "0.7", "--top-p", "0.9", "--seed", "1")
    said = caption_without_what_is_left_out(tmp_path, tiny_original_layout, *options)
    assert json.loads(said)["new_tokens"] > 0


@pytest.mark.slow
def test_model_of_a_family_that_the_package_leaves_out_is_refused_with_the_reason(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    config = {"model_type": "florence2", "architectures": ["Florence2ForConditionalGeneration"]}
    (model / "config.json").write_text(json.dumps(config))
    picture = tmp_path / "a.png"
    draw_picture(picture)
    program = ["-c", WITHOUT_WHAT_IS_LEFT_OUT, PACKAGING]
    done = run([*program, "caption", picture, "--model", model], tmp_path / "home")
    assert done.returncode == 1
    assert "this package leaves out (Florence2ForConditionalGeneration)" in done.stderr


def draw_picture(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (64, 48), "teal").save(path)


def test_frozen_start_gives_the_program_streams_when_it_has_none():
    code = (
        "import sys; sys.stdout = sys.stderr = None; sys.argv[1:] = ['--version']\n"
        f"sys.path.insert(0, {str(PACKAGING)!r})\n"
        "import start\n"
        "try:\n    start.main()\nexcept SystemExit as ended:\n    status = ended.code\n"
        "sys.__stdout__.write(f'{status} {sys.stdout.writable()}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "0 True", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is set")
@pytest.mark.parametrize("before", [{}, {"LD_LIBRARY_PATH": "/opt/lib"}])
def test_frozen_start_leaves_the_environment_of_others_as_it_was(before):
    """What PyInstaller sets would send a browser that we start to our libraries and plugins."""
    code = (
        "import os, sys\n"
        f"sys.path[:0] = [{str(PACKAGING)!r}]\n"
        "import start\n"
        "start.give_back_environment()\n"
        "print({name: path for name, path in os.environ.items() if 'PATH' in name})"
    )
    ours = {"LD_LIBRARY_PATH": "/ours:/opt/lib", "QML2_IMPORT_PATH": "/ours"}
    kept = {f"{name}_ORIG": path for name, path in before.items()}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/bin"} | ours | kept,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ast.literal_eval(done.stdout) == {"PATH": "/bin"} | before


START_AND_IMPORT = """
import sys
sys.path[:0] = sys.argv[1:2]
sys._MEIPASS = sys.argv[2]
sys.modules["gui.__main__"] = sys
import start
sys.main = lambda: print(__import__("torch").__file__, sys.path[-1])
sys.argv[1:] = sys.argv[3:]
sys.exit(start.main())
"""


@pytest.fixture
def frozen(packaging, tmp_path):
    """A stand-in for the program's folder with a PyTorch of its own, and the user's folder."""
    import bundle

    source = tmp_path / "torch.py"
    source.write_text("")
    own = tmp_path / "program/engines/cpu"
    list(bundle.write_modules(own, [("torch/__init__.py", source)], ()))
    (own / "torch").mkdir()  # Its libraries lie there.
    (tmp_path / "program/engines/torch_version").write_text("2.13.0+cpu")
    pack = write_pack(tmp_path / "home/engines/pack1", cuda="0.0", needs_driver="0.0")
    (pack / "torch").mkdir(exist_ok=True)
    (pack / "torch/__init__.py").touch()
    (tmp_path / "site").mkdir()
    (tmp_path / "site/platformdirs").symlink_to(bundle.package_folder("platformdirs"))
    return tmp_path


def start_frozen(folder: Path, *arguments: str, **environment: str):
    # Without site-packages, since the PyTorch that is installed there would be found first.
    environment["PYTHONPATH"] = str(folder / "site")
    command = [sys.executable, "-S", "-c", START_AND_IMPORT, PACKAGING, folder / "program"]
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=os.environ | {"ONLOOKER_HOME": str(folder / "home")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_frozen_start_imports_pytorch_from_the_pack_or_else_from_the_program(frozen):
    imported = {
        name: start_frozen(frozen, ONLOOKER_ENGINE=name).stdout.split() for name in ("", "cpu")
    }
    pack, own = frozen / "home/engines/pack1", frozen / "program/engines/cpu"
    assert imported == {
        "": [f"{pack}/torch/__init__.py", str(pack)],
        "cpu": [f"{own}/torch/__init__.pyc", str(own)],
    }


def test_frozen_start_without_any_pytorch_says_so(frozen):
    shutil.rmtree(frozen / "program/engines/cpu")
    done = start_frozen(frozen, ONLOOKER_ENGINE="cpu")
    assert done.returncode == 1
    assert done.stderr.startswith("PyTorch is missing from the program. Install Onlooker again")
    assert "missing" not in start_frozen(frozen, "engines", ONLOOKER_ENGINE="cpu").stderr


@pytest.mark.parametrize(
    ("place", "is_engine"),
    [
        ("torch/lib/libtorch_cpu.so", True),
        ("torch", True),
        ("torchgen/model.pyc", True),
        ("nvidia/cu13/lib/libnvrtc.so.13", True),
        ("torch-2.13.0+cpu.dist-info/METADATA", True),
        ("nvidia_cublas-13.1.0.3.dist-info/METADATA", True),
        ("torchvision/io/image.py", False),
        ("transformers/models/llava/modeling_llava.py", False),
        ("accelerate-1.15.0.dist-info/METADATA", False),
    ],
)
def test_pytorch_goes_into_a_folder_of_its_own(packaging, place, is_engine):
    import bundle

    assert bundle.is_engine(place) is is_engine
    assert bundle.without_engine(f"engines/cpu/{place}") == place
    assert bundle.without_engine(place) == place


IMPORT_ENGINE = """
import importlib.resources, inspect, pkgutil, sys
from pathlib import Path
from core.engine_packs.archive import add_engine_folder
folder = Path(sys.argv[1])
add_engine_folder(folder)
import standin.deep.inner, standin.kept, standin.plain
for module in (standin, standin.deep, standin.deep.inner, standin.kept, standin.plain):
    assert module.NAME == module.__name__, module
    assert Path(module.__file__).is_relative_to(folder), module
assert Path(standin.plain.__file__).name == "plain.pyc"
assert list(standin.deep.__path__) == [str(folder / "standin/deep")]
assert "NAME" in inspect.getsource(standin.kept)
assert pkgutil.get_data("standin.deep", "data.txt") == b"data"
assert (importlib.resources.files("standin.deep") / "data.txt").read_text() == "data"
try:
    import standin.missing
except ModuleNotFoundError:
    print("well")
"""


def test_engine_is_imported_from_its_archive_and_its_folder(packaging, tmp_path):
    import bundle

    names = ("__init__", "kept", "plain", "deep/__init__", "deep/inner")
    modules = [(f"standin/{name}.py", tmp_path / "source" / f"{name}.py") for name in names]
    for _, source in modules:
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text("NAME = __name__")
    engine = tmp_path / "engine"
    written = list(bundle.write_modules(engine, modules, {"standin/kept.py"}))
    assert {path.name for path in written} >= {"modules.zip"}
    assert all((engine / path).is_file() for path in written)
    # The source that is kept is never compiled again, whatever its time is.
    (engine / "standin/kept.py").write_text("NAME = 'compiled again'")
    # A folder of libraries and data alone is no package of its own.
    (engine / "standin/deep").mkdir()
    (engine / "standin/deep/data.txt").write_text("data")
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ENGINE, engine],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "well\n", done.stderr


@pytest.mark.slow
def test_program_tries_itself_in_an_empty_home(tmp_path):
    done = run(["-m", "gui", "--self-test"], tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("self-test well; window ")
    assert (tmp_path / "home" / "settings.json").is_file()


def test_every_resource_goes_into_the_package(packaging):
    import bundle

    inside = {f"{folder}/{path.name}" for path, folder in bundle.resource_files()}
    in_git = subprocess.run(
        ["git", "ls-files", "resources"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    expected = [name for name in in_git if name and "/screenshots/" not in name]
    assert {"resources/prompts.json", *expected} <= inside
    assert "./LICENSE" in inside


def test_english_dictionary_goes_where_the_program_looks_for_it(packaging):
    import bundle

    files = list(bundle.dictionaries())
    assert [path.name for path, _ in files] == ["en_US.aff", "en_US.dic"]
    folder = dictionary_folders(ROOT)[-1]
    assert folder.as_posix().endswith(files[0][1])


def test_readmes_for_developers_stay_out_of_the_package(packaging):
    import bundle

    written = {
        path.relative_to(ROOT) for top in ("core", "gui") for path in (ROOT / top).rglob("*.md")
    }
    assert Path("core/README.md") in written
    inside = {path.relative_to(ROOT) for path, _ in bundle.resource_files()}
    assert not written & inside
    assert any(path.suffix == ".cu" for path in inside)


def test_every_module_of_ours_is_named_to_pyinstaller(packaging):
    import bundle

    modules = bundle.own_modules()
    assert {
        "core.llava.engine",
        "core.terminal.main",
        "gui.app.program",
        "gui.app.self_test",
    } <= set(modules)
    assert all((ROOT / Path(*name.split("."))).with_suffix(".py").is_file() for name in modules)


def test_what_is_left_out_has_a_reason_and_its_bytes(packaging):
    import bundle

    for exclusion in bundle.contents().exclusions:
        assert exclusion.why
        assert exclusion.bytes > 0
        assert exclusion.modules or exclusion.files


@pytest.mark.parametrize(
    ("place", "is_wanted"),
    [
        ("torch/test/cpp/test_api", False),
        ("torch/include/ATen/Tensor.h", False),
        ("torch/bin/torch_shm_manager", True),
        ("torch/bin/protoc", False),
        ("torch/lib/libtorch_cpu.so", True),
        ("torch/_inductor/config.py", True),
        ("torch/_inductor/scheduler.py", False),
        ("transformers/models/llava/modeling_llava.py", True),
        ("transformers/models/bert/modeling_bert.py", False),
        ("transformers/trainer.py", False),
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platforms/libqoffscreen.so", True),
        ("PySide6\\Qt\\plugins\\platforms\\libqvnc.so", False),
        ("PySide6/Qt/plugins/iconengines/libqsvgicon.so", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("PySide6/Qt6Qml.dll", False),
        ("PySide6/plugins/platforms/qwindows.dll", True),
        ("PySide6/Qt/plugins/platforms/libqcocoa.dylib", True),
        ("resources/built_in_model/model.safetensors", True),
        ("onlooker-0.1.0.dist-info/METADATA", True),
        ("onlooker-0.1.0.dist-info/direct_url.json", False),
        ("core/llava/kernels/gemv.cu", True),
        ("core/llava/kernels/common.cuh", True),
        ("nvidia/cu13/lib/libnvrtc.so.13", True),
        ("nvidia/cu13/lib/libnvrtc-builtins.so.13.0", True),
        ("nvidia/cu13/lib/libnvrtc.alt.so.13", False),
        ("nvidia/cu13/lib/libcusolver.so.12", True),
        ("nvidia/cu13/lib/libcusolverMg.so.12", False),
        ("nvidia/cudnn/lib/libcudnn_ops.so.9", True),
        ("nvidia/cudnn/lib/libcudnn_adv.so.9", False),
        ("nvidia/nvshmem/lib/libnvshmem_host.so.3", True),
        ("nvidia/nvshmem/lib/nvshmem_transport_ibrc.so.3", False),
    ],
)
def test_files_of_libraries_go_in_or_stay_out(packaging, place, is_wanted):
    import bundle

    assert bundle.contents().is_wanted(place) is is_wanted


def test_bill_of_materials_names_every_wheel_with_its_version_and_licence(packaging):
    import bundle
    import inventory

    names = ["torch", "transformers", "pillow", "PySide6_Essentials"]
    sources = [
        Path(str(distribution(name).locate_file((distribution(name).files or [])[0])))
        for name in names
    ]
    inside = inventory.wheels(sources)
    bill = inventory.bill_of_materials(bundle.project(), inside, [])
    components = {component["name"]: component for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["specVersion"] == "1.6"
    assert {"torch", "transformers", "pillow", "pyside6-essentials", "python"} <= set(components)
    torch = components["torch"]
    assert torch["version"] == distribution("torch").version
    assert torch["purl"].startswith("pkg:pypi/torch@")
    assert torch["licenses"]
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    assert bill["dependencies"][0]["dependsOn"] == references
    assert bill == inventory.bill_of_materials(bundle.project(), inside, [])


def test_licence_texts_of_wheels_are_collected(packaging, tmp_path):
    import inventory

    inside = [distribution(name) for name in ("torch", "PySide6_Essentials", "sentencepiece")]
    written = inventory.write_licences(tmp_path / "licences", inside, [])
    places = [path.relative_to(tmp_path / "licences") for path in written]
    assert {place.parts[0].partition("-")[0] for place in places} >= {
        "torch",
        "PySide6_Essentials",
        "sentencepiece",
    }
    assert all(path.stat().st_size for path in written)


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


def test_licence_text_deep_in_a_wheel_is_found(packaging, tmp_path):
    import inventory

    wheel = make_wheel(tmp_path / "site", "nvidia-deep-cu13", "nvidia/deep/LICENSE.txt")
    written = inventory.write_licences(tmp_path / "licences", [wheel], [])
    text = tmp_path / "licences" / "nvidia-deep-cu13-1.0" / "LICENSE.txt"
    assert text in written
    assert text.read_text() == "nvidia/deep/LICENSE.txt"


def test_libraries_of_cuda_go_where_pytorch_looks_for_them(packaging, tmp_path, monkeypatch):
    import bundle

    inside = "nvidia/cu13/lib/libnvrtc.so.13"
    others = ("nvidia/cu13/include/nvrtc.h", "nvidia/cu13/lib/libcudadevrt.a")
    make_wheel(tmp_path, "nvidia-cuda-nvrtc", inside, *others)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [place for place in bundle.cuda_libraries() if place[0].is_relative_to(tmp_path)]
    assert found == [(tmp_path / inside, "nvidia/cu13/lib")]


def test_wheel_without_a_licence_text_stops_the_build(packaging, tmp_path):
    import inventory

    wheel = make_wheel(tmp_path / "site", "bare")
    with pytest.raises(FileNotFoundError, match="bare has no licence text"):
        inventory.write_licences(tmp_path / "licences", [wheel], [])


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


def test_icon_is_drawn_in_every_size(packaging, qapp):
    import icon

    for side in icon.SIDES:
        drawn = icon.draw(side)
        assert drawn.size == (side, side)
        opacity = drawn.getchannel("A")
        assert opacity.getpixel((0, 0)) == 0
        assert opacity.getpixel((side // 2, side // 2)) == 255


@pytest.mark.parametrize(
    ("system", "sides"),
    [
        ("win32", {16, 24, 32, 48, 64, 128, 256}),
        ("darwin", {32, 64, 128, 256, 512, 1024}),
    ],
)
def test_icon_of_an_executable_is_drawn_for_every_size_it_has(
    packaging, qapp, tmp_path, monkeypatch, system, sides
):
    import icon

    icon.draw(16)  # What it draws with is imported by the name of the real system.
    monkeypatch.setattr(sys, "platform", system)
    path = icon.write_icon(tmp_path)
    monkeypatch.undo()
    assert path is not None
    content = io.BytesIO(Path(path).read_bytes())
    if system == "win32":
        ico = IcoImagePlugin.IcoFile(content)
        pictures = [ico.getimage(size).convert("RGBA") for size in ico.sizes()]
    else:
        icns = IcnsImagePlugin.IcnsFile(content)
        pictures = [icns.getimage(size).convert("RGBA") for size in icns.itersizes()]
    assert {picture.width for picture in pictures} == sides
    for picture in pictures:
        drawn = icon.draw(picture.width)
        assert picture.tobytes() == drawn.tobytes(), f"{picture.width} was not drawn for itself"


def test_windows_gets_the_version_of_the_project(packaging, tmp_path):
    import bundle
    import icon

    text = Path(icon.write_windows_version(tmp_path, bundle.project(), "onlooker")).read_text()
    assert f"'{bundle.project().version}'" in text
    assert "onlooker.exe" in text


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
def test_owners_of_libraries_are_distinguished_from_those_who_divert_them(packaging):
    import inventory

    # As Ubuntu 24.04 answers.
    answer = """\
diversion by libreadline8t64 from: /lib/x86_64-linux-gnu/libreadline.so.8
diversion by libreadline8t64 to: /lib/x86_64-linux-gnu/libreadline.so.8.usr-is-merged
local diversion from: /usr/lib/libz.so.1
libreadline8t64:amd64: /usr/lib/x86_64-linux-gnu/libreadline.so.8
libc6:amd64, libc6:i386: /usr/lib/os-release
tzdata: /usr/share/zoneinfo
"""
    assert inventory.owning_packages(answer) == ["libc6", "libreadline8t64", "tzdata"]


def test_debian_package_puts_program_menu_entry_and_icons_in_their_places(
    packaging, qapp, tmp_path
):
    import debian

    program = tmp_path / "onlooker"
    program.mkdir()
    (program / "onlooker").write_text("#!/bin/sh\n")
    (program / "onlooker").chmod(0o755)
    package = debian.make_package(program, tmp_path)
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    tree = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        inside = {member.name: member for member in archive.getmembers()}
    assert inside["./usr/bin/onlooker"].linkname == "/opt/onlooker/onlooker"
    assert inside["./opt/onlooker/onlooker"].mode == 0o755
    assert "./usr/share/applications/onlooker.desktop" in inside
    assert "./usr/share/icons/hicolor/256x256/apps/onlooker.png" in inside
    assert inside["./usr/share/man/man1/onlooker.1.gz"].mode == 0o644
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        changes = archive.extractfile("./usr/share/doc/onlooker/changelog.gz")
        assert changes
        assert gzip.decompress(changes.read()) == (ROOT / "CHANGELOG.md").read_bytes()
    assert {member.uname for member in inside.values()} == {"root"}
    fields = subprocess.run(["dpkg-deb", "--field", str(package)], capture_output=True, text=True)
    assert f"Version: {debian.project().version}" in fields.stdout
    assert "libc6 (>= 2." in fields.stdout


def test_menu_entry_opens_pictures_with_the_program():
    lines = (PACKAGING / "linux" / "onlooker.desktop").read_text(encoding="utf-8").splitlines()
    entry = dict(line.split("=", 1) for line in lines[1:] if line)
    assert lines[0] == "[Desktop Entry]"
    assert entry["Type"] == "Application"
    assert entry["Exec"] == "onlooker %F"
    assert entry["Icon"] == "onlooker"
    assert entry["Terminal"] == "false"
    kinds = entry["MimeType"].rstrip(";").split(";")
    assert {"image/jpeg", "image/png", "image/webp", "image/avif", "inode/directory"} <= set(kinds)
    assert all(kind.count("/") == 1 for kind in kinds)


# The names of shared-mime-info; it has none for PFM. The packages have no reader of JPEG XL.
MIME_TYPES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png",),
    "apng": (".apng",),
    "webp": (".webp",),
    "gif": (".gif",),
    "bmp": (".bmp", ".dib"),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "heic": (".heic",),
    "heif": (".heif", ".hif"),
    "vnd.microsoft.icon": (".ico",),
    "x-portable-pixmap": (".ppm",),
    "x-portable-graymap": (".pgm",),
    "x-portable-bitmap": (".pbm",),
    "x-portable-anymap": (".pnm",),
    "jp2": (".jp2",),
    "jpx": (".jpf", ".jpx"),
    "x-jp2-codestream": (".j2k", ".j2c"),
    "x-tga": (".tga",),
    "vnd.adobe.photoshop": (".psd",),
    "x-canon-cr2": (".cr2",),
    "x-canon-cr3": (".cr3",),
    "x-nikon-nef": (".nef",),
    "x-nikon-nrw": (".nrw",),
    "x-sony-arw": (".arw",),
    "x-adobe-dng": (".dng",),
    "x-pentax-pef": (".pef",),
    "x-olympus-orf": (".orf",),
    "x-panasonic-rw2": (".rw2",),
    "x-fuji-raf": (".raf",),
    "x-samsung-srw": (".srw",),
}


def test_each_kind_of_image_that_is_read_opens_with_the_program_on_each_system():
    named = {suffix for suffixes in MIME_TYPES.values() for suffix in suffixes}
    assert named == set(PICTURE_SUFFIXES) - {".pfm", ".jxl"}
    entry = (PACKAGING / "linux" / "onlooker.desktop").read_text(encoding="utf-8")
    [line] = re.findall("^MimeType=(.*);$", entry, re.MULTILINE)
    assert set(line.split(";")) == {*(f"image/{name}" for name in MIME_TYPES), "inode/directory"}
    installer = (PACKAGING / "windows" / "onlooker.iss").read_text(encoding="utf-8")
    offered = re.findall(r'SupportedTypes".* ValueName: "(.*?)"', installer)
    assert set(offered) == set(PICTURE_SUFFIXES) - {".jxl"}
    # On macOS all of them conform to this type.
    assert '"public.image"' in (PACKAGING / "onlooker.spec").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="needs desktop-file-utils")
def test_menu_entry_is_valid():
    command = ["desktop-file-validate", PACKAGING / "linux" / "onlooker.desktop"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_software_centre_knows_the_menu_entry():
    path = PACKAGING / "linux" / "app.onlooker.Onlooker.metainfo.xml"
    component = ElementTree.parse(path).getroot()
    assert component.findtext("launchable") == "onlooker.desktop"
    assert component.findtext("project_license") == "Apache-2.0"


def test_entitlements_are_a_property_list_of_switches():
    content = plistlib.loads((PACKAGING / "macos" / "entitlements.plist").read_bytes())
    assert content
    assert all(value is True for value in content.values())


# Stand-ins for Apple's tools: each prints how it was called, and a file contains its own type.
APPLE_TOOL = """#!/bin/sh
case $0 in
*/file) shift; cat "$1" ;;
*) echo "$(basename "$0") $*" >> "$CALLS" ;;
esac
"""


@pytest.mark.skipif(os.name != "posix", reason="the recipe is for macOS's shell")
def test_disk_image_is_signed_from_the_inside_out_and_then_shown_to_apple(tmp_path):
    app = tmp_path / "Onlooker.app"
    library = app / "Contents/Frameworks/torch/lib/libtorch.dylib"
    module = app / "Contents/Frameworks/PySide6/QtCore.abi3.so"
    framework = app / "Contents/Frameworks/PySide6/Qt/lib/QtCore.framework/Versions/A/QtCore"
    script = app / "Contents/Resources/tool.sh"
    for path in (app / "Contents/MacOS/onlooker", library, module, framework, script):
        path.parent.mkdir(parents=True)
        path.write_text("a shell script" if path == script else "Mach-O 64-bit arm64")
        path.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("codesign", "file", "hdiutil", "xcrun"):
        (tools / name).write_text(APPLE_TOOL)
        (tools / name).chmod(0o755)
    calls, image = tmp_path / "calls", tmp_path / "onlooker.dmg"
    subprocess.run(
        ["bash", PACKAGING / "macos" / "make_dmg.sh", app, image],
        env=os.environ
        | {"PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls)}
        | {"SIGNING_IDENTITY": "Us", "NOTARY_PROFILE": "us", "NOTARY_KEYCHAIN": "/a.keychain"},
        check=True,
    )
    said = calls.read_text().splitlines()
    sign = "codesign --force --options runtime --timestamp --sign Us"
    # Never the app's own program for itself: codesign would take the whole app for meant.
    assert sorted(said[:3]) == sorted(f"{sign} {path}" for path in (library, module, framework))
    entitlements = PACKAGING / "macos" / "entitlements.plist"
    assert said[3] == f"{sign} --entitlements {entitlements} {app}"
    assert said[4] == f"codesign --verify --deep --strict {app}"
    assert said[5].startswith("hdiutil create")
    assert said[5].endswith(str(image))
    assert said[6:] == [
        f"codesign --sign Us --timestamp {image}",
        f"xcrun notarytool submit {image} --keychain-profile us --keychain /a.keychain --wait",
        f"xcrun stapler staple {image}",
    ]


@pytest.mark.skipif(os.name != "posix", reason="stands in for Windows' PowerShell with a script")
def test_windows_signs_also_when_a_newer_powershell_started_the_build(
    packaging, tmp_path, monkeypatch
):
    """Its PSModulePath would make Windows' own PowerShell load commands that it cannot run."""
    import build

    tool, said = tmp_path / "powershell", tmp_path / "said"
    tool.write_text(f'#!/bin/sh\necho "$PSMODULEPATH|$*" >> "{said}"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PSMODULEPATH", "that of PowerShell 7")
    build.sign_for_windows([Path("onlooker.exe")])
    assert not said.exists(), "there was no certificate"
    monkeypatch.setenv("SIGNING_THUMBPRINT", "A1B2")
    build.sign_for_windows([Path("onlooker.exe"), Path("setup.exe")])
    first, second = said.read_text().splitlines()
    assert first.startswith("|-NoProfile -Command")
    assert "'onlooker.exe'" in first
    assert "A1B2" in first
    assert "'setup.exe'" in second


def test_installer_takes_version_and_files_from_the_build():
    text = (PACKAGING / "windows" / "onlooker.iss").read_text(encoding="utf-8")
    sections = [line.strip("[]") for line in text.splitlines() if line.startswith("[")]
    assert {"Setup", "Files", "Icons", "Registry", "Run"} <= set(sections)
    assert "AppVersion={#Version}" in text
    assert r"dist\onlooker\*" in text


def test_release_builds_on_a_tag_for_the_three_systems():
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github" / "workflows" / "release.yml"
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    matrix = flow["jobs"]["build"]["strategy"]["matrix"]
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "windows", "macos"]
    # There is no CUDA for macOS.
    assert matrix["engine"] == ["cpu", "cuda"]
    assert matrix["exclude"] == [{"os": matrix["os"][2], "engine": "cuda"}]
    # YAML reads the key "on" as true.
    assert flow[True]["push"]["tags"] == ["v*"]
    assert "dev.py build" in path.read_text(encoding="utf-8")


def test_release_tries_the_installed_program_with_the_files_that_it_checks_out(tmp_path):
    yaml = pytest.importorskip("yaml")
    path = ROOT / ".github" / "workflows" / "release.yml"
    flow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = flow["jobs"]["install"]["steps"]
    for name in steps[0]["with"]["sparse-checkout"].split():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    command = shlex.split(steps[-1]["run"])
    command[0] = sys.executable
    # -S: without the packages that are installed here.
    done = subprocess.run(
        [command[0], "-S", command[1], "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--models" in done.stdout


def test_what_the_trial_waits_for_is_what_the_program_says(packaging):
    import trial

    sources = [path for top in ("core", "gui") for path in (ROOT / top).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    for words in (
        trial.NO_HOME,
        trial.NO_DISPLAY,
        trial.NO_WORDS,
        trial.COPY_STARTED,
        trial.CRASHED,
    ):
        assert words in text


@pytest.fixture
def whole(tmp_path):
    """A download of 250,003 bytes, and its content."""
    content = os.urandom(250_003)
    path = tmp_path / "onlooker-1.0-cuda.tar.xz"
    path.write_bytes(content)
    return path, content


def test_download_that_is_small_enough_stays_whole(packaging, whole):
    from parts import split

    path, content = whole
    assert split(path, largest=len(content)) == [path]
    assert path.read_bytes() == content


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_large_download_comes_in_parts_that_its_script_joins(packaging, whole, tmp_path):
    from parts import split

    path, content = whole
    *parts, script = split(path, largest=100_000)
    assert [part.stat().st_size for part in parts] == [100_000, 100_000, 50_003]
    assert not path.exists()
    done = subprocess.run(["sh", script], cwd="/", capture_output=True, text=True, check=True)
    assert "is whole" in done.stdout
    assert path.read_bytes() == content
    path.unlink()

    parts[1].write_bytes(b"x" * 100_000)
    for _ in range(2):
        done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert not path.exists()
        assert sorted(tmp_path.iterdir()) == sorted([*(p for p in parts if p.exists()), script])
        parts[1].unlink(missing_ok=True)


def test_release_can_name_where_updates_are_announced(tmp_path):
    """The workflow appends a table to pyproject.toml; nothing of it may be there before."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    text += '\n[project.urls]\nChangelog = "https://localhost/CHANGELOG.md"\n'
    assert tomllib.loads(text)["project"]["urls"]["Changelog"].endswith("/CHANGELOG.md")


def test_checksums_are_what_sha256sum_checks(packaging, tmp_path, monkeypatch):
    import build

    monkeypatch.setattr(build, "DIST", tmp_path)
    archive = tmp_path / "onlooker.tar.xz"
    archive.write_bytes(b"content")
    sums = build.write_checksums([archive]).read_text()
    assert sums == (
        "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73  onlooker.tar.xz\n"
    )


def test_program_is_described_by_the_same_line_everywhere():
    line = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["description"]
    line = line.removesuffix(".")
    linux = PACKAGING / "linux"
    assert f"Comment={line}\n" in (linux / "onlooker.desktop").read_text("utf-8")
    about = ElementTree.parse(linux / "app.onlooker.Onlooker.metainfo.xml")
    assert about.findtext("summary") == line
    assert f"onlooker \\- {line.lower()}\n" in (linux / "onlooker.1").read_text("utf-8")
    assert f'"Description: {line.lower()}\\n"' in (PACKAGING / "debian.py").read_text("utf-8")
    assert f'description="{line}."' in (ROOT / "gui" / "__main__.py").read_text("utf-8")
    assert f"Onlooker {line[0].lower()}{line[1:]}." in (ROOT / "README.md").read_text("utf-8")
