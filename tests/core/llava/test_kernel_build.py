"""Kernels are compiled once; the next start finds the machine code in the cache folder."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from core.llava.kernels.build import KernelBuild, build_kernels, kernel_names
from core.llava.kernels.cubin_cache import CubinCache, cubin_key
from core.llava.kernels.gemv import gemv_tuning
from core.llava.kernels.launch import Kernels
from core.llava.kernels.nvrtc import CompileError, Nvrtc
from core.llava.kernels.shape import KernelShape
from core.locations import locations

AMPERE = (8, 0)
SHAPE = KernelShape(torch.float16, 4, 4096, 11008, 128, 1)


@dataclass
class ScriptedCompiler:
    """Machine code is the source's name and the options; `compiled` are the names, in any order."""

    version: str = "13.0"
    compiled: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def compile(
        self, name: str, source: bytes, headers: Mapping[str, bytes], options: Sequence[str]
    ) -> bytes:
        assert b'#include "' in source
        assert headers.keys() == {path.name for path in folder().glob("*.cuh")}
        with self.lock:
            self.compiled.append(name)
        return f"{name} {self.version} {' '.join(options)}".encode()


def built(
    cache: CubinCache | None,
    compiler: ScriptedCompiler | None = None,
    shape: KernelShape = SHAPE,
    capability: tuple[int, int] = AMPERE,
    driver_version: int = 13000,
) -> KernelBuild:
    return build_kernels(
        shape,
        capability,
        gemv_tuning(shape),
        compiler or ScriptedCompiler(),
        cache=cache,
        driver_version=driver_version,
    )


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def test_first_start_compiles_every_source_and_the_second_none(tmp_path):
    first, again = built(CubinCache(tmp_path)), ScriptedCompiler()

    second = built(CubinCache(tmp_path), again)

    assert first.compiled == set(kernel_names(SHAPE, AMPERE))
    assert (second.compiled, again.compiled) == (frozenset(), [])
    assert second.cubins == first.cubins


def folder() -> Path:
    import core.llava.kernels

    return Path(core.llava.kernels.__path__[0])


@pytest.mark.parametrize(
    ("bits", "is_float8", "cache_bits", "capability", "missing"),
    [
        (16, False, 16, (9, 0), {"attention_int8.cu", "skinny.cu", "dequantize.cu"}),
        (8, False, 16, (7, 5), {"attention_int8.cu", "skinny.cu"}),
        (8, False, 8, (7, 5), {"attention_int8.cu", "skinny.cu"}),
        (8, False, 8, (8, 0), {"attention.cu"}),
        (8, True, 16, (8, 9), {"attention_int8.cu", "dequantize.cu"}),
    ],
)
def test_only_the_sources_that_a_model_needs_are_compiled(
    bits, is_float8, cache_bits, capability, missing
):
    shape = replace(SHAPE, bits=bits, is_float8=is_float8, cache_bits=cache_bits)
    build = built(None, shape=shape, capability=capability)

    assert build.compiled == {path.name for path in folder().glob("*.cu")} - missing
    assert build.cubins.keys() == build.compiled


@pytest.mark.parametrize(
    "other",
    [
        {"driver_version": 12080},
        {"compiler": ScriptedCompiler(version="12.8")},
        {"capability": (9, 0)},
        {"shape": replace(SHAPE, dtype=torch.bfloat16)},
        {"shape": replace(SHAPE, head_dim=64)},
        {"shape": replace(SHAPE, group=4)},
        {"shape": replace(SHAPE, bits=8)},
        {"shape": replace(SHAPE, bits=8, is_float8=True), "capability": (9, 0)},
        {"shape": replace(SHAPE, cache_bits=8)},
        {"shape": replace(SHAPE, has_bias=True)},
    ],
    ids=["driver", "NVRTC", "GPU", "dtype", "head", "group", "bits", "FP8", "cache", "biases"],
)
def test_another_driver_compiler_gpu_or_model_compiles_anew(tmp_path, other):
    built(CubinCache(tmp_path))

    build = built(CubinCache(tmp_path), **other)

    assert build.compiled == build.cubins.keys()
    assert not built(CubinCache(tmp_path)).compiled


def test_another_text_of_a_source_or_header_has_another_key():
    keys = {
        cubin_key("gemv.cu", parts)
        for parts in ([b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"abc", b""], [b"abd"])
    }
    assert len({*keys, cubin_key("norms.cu", [b"abc"])}) == 6


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content + b"\0",
    ],
    ids=["empty", "digest cut", "code cut", "bit turned", "byte more"],
)
def test_damaged_file_is_compiled_and_written_anew(tmp_path, damage):
    first = built(CubinCache(tmp_path))
    (path,) = tmp_path.glob("gemv-*")
    path.write_bytes(damage(path.read_bytes()))

    second = built(CubinCache(tmp_path))

    assert second.compiled == {"gemv.cu"}
    assert second.cubins == first.cubins
    assert not built(CubinCache(tmp_path)).compiled


def test_file_that_cannot_be_read_is_compiled(tmp_path):
    built(CubinCache(tmp_path))
    (path,) = tmp_path.glob("gemv-*")
    path.unlink()
    path.mkdir()

    for _ in range(2):
        build = built(CubinCache(tmp_path))
        assert build.compiled == {"gemv.cu"}
        assert build.cubins.keys() == kernel_names(SHAPE, AMPERE).keys()


def test_folder_that_cannot_be_written_to_costs_the_cache_alone(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    for _ in range(2):
        build = built(CubinCache(tmp_path / "file" / "kernels"))
        assert build.compiled == build.cubins.keys()


def test_oldest_files_are_removed_and_those_in_use_stay(tmp_path):
    cache = CubinCache(tmp_path)
    built(cache)
    used = kept(tmp_path)
    for driver_version in range(12):
        built(cache, driver_version=driver_version)
        assert not built(cache).compiled

    assert len(kept(tmp_path)) == 64
    assert set(used) <= set(kept(tmp_path))


def test_nothing_but_whole_files_is_left(tmp_path):
    built(CubinCache(tmp_path))

    assert len(kept(tmp_path)) == len(kernel_names(SHAPE, AMPERE))
    assert {path.suffix for path in kept(tmp_path)} == {".cubin"}


def test_source_that_does_not_compile_is_reported(tmp_path):
    class Refusing(ScriptedCompiler):
        def compile(
            self, name: str, source: bytes, headers: Mapping[str, bytes], options: Sequence[str]
        ) -> bytes:
            raise CompileError(f"NVRTC on {name}: no")

    with pytest.raises(CompileError, match="no"):
        built(CubinCache(tmp_path), Refusing())
    assert not kept(tmp_path)


def test_compiled_kernels_are_in_the_programs_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path))
    assert locations().kernels == tmp_path / "kernels"


@pytest.fixture(scope="module")
def nvrtc() -> Nvrtc:
    try:
        return Nvrtc()
    except OSError:
        pytest.skip("no NVRTC is here")


@pytest.mark.parametrize("bits", [16, 8, 4, "fp8"])
@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)])
def test_nvrtc_compiles_every_source_once(nvrtc, tmp_path, capability, bits):
    is_float8 = bits == "fp8"
    if is_float8 and capability < (8, 9):
        pytest.skip("such cards multiply no FP8")
    bits = 8 if is_float8 else bits
    for dtype in (torch.float16, torch.bfloat16)[: 1 if capability < (8, 0) else 2]:
        shape = replace(SHAPE, dtype=dtype, bits=bits, is_float8=is_float8)
        for compiled in (kernel_names(shape, capability).keys(), set()):
            cache = CubinCache(tmp_path)
            build = build_kernels(shape, capability, gemv_tuning(shape), nvrtc, cache=cache)
            assert build.compiled == compiled
            assert all(cubin.startswith(b"\x7fELF") for cubin in build.cubins.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA graphics card is here")
def test_machine_code_from_the_cache_computes_what_compiled_code_does(nvrtc, tmp_path):
    device = torch.device("cuda")
    capability = torch.cuda.get_device_capability(device)
    results = []
    for _ in range(2):
        cache = CubinCache(tmp_path)
        build = build_kernels(SHAPE, capability, gemv_tuning(SHAPE), nvrtc, cache=cache)
        torch.manual_seed(0)
        hidden, gain = torch.randn(2, 3, 4096, device=device, dtype=torch.float16).unbind()
        results.append(Kernels(build, device).add_rms_norm(hidden, None, gain[0], 1e-5))
    assert not build.compiled
    assert torch.equal(*results)
