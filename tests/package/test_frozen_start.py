"""How a frozen program starts: its streams, its environment, and where its PyTorch is."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import PACKAGING, ROOT, run
from tests.support.packs import write_pack


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
