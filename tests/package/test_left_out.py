"""What the package leaves out is not needed, and what goes in is all there."""

import json
import subprocess
from pathlib import Path

import pytest

from core.spelling import dictionary_folders
from tests.support.packages import PACKAGING, ROOT, make_wheel, run

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


def test_libraries_of_cuda_go_where_pytorch_looks_for_them(packaging, tmp_path, monkeypatch):
    import bundle

    inside = "nvidia/cu13/lib/libnvrtc.so.13"
    others = ("nvidia/cu13/include/nvrtc.h", "nvidia/cu13/lib/libcudadevrt.a")
    make_wheel(tmp_path, "nvidia-cuda-nvrtc", inside, *others)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [place for place in bundle.cuda_libraries() if place[0].is_relative_to(tmp_path)]
    assert found == [(tmp_path / inside, "nvidia/cu13/lib")]
