"""The part of llama.cpp that its benchmarks need, as an archive small and quick to build.

llama.cpp compiles a kernel for every head size and quantisation, which takes 16 cores over seven
minutes. Here it keeps those that models with heads of 128 need in F16, Q8_0, Q4_0 and Q4_K_M; none
of them is changed. A kernel that is left out ends the program with a message.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from pathlib import Path

# What stays, as paths in llama.cpp's folder.
_KEPT = (
    *("CMakeLists.txt", "LICENSE", "AUTHORS", "cmake", "include", "src", "common"),
    *("ggml/CMakeLists.txt", "ggml/cmake", "ggml/include", "ggml/ggml.pc.in"),
    *("ggml/src/CMakeLists.txt", "ggml/src/ggml-cpu", "ggml/src/ggml-cuda"),
    *("vendor/CMakeLists.txt", "vendor/cpp-httplib", "vendor/hash", "vendor/nlohmann"),
    *("vendor/sheredom", "vendor/miniaudio", "vendor/stb", "licenses"),
    *("tools/llama-bench", "tools/batched-bench"),
)
_CUDA = "ggml/src/ggml-cuda"
_QUANTISED = ("q4_0", "q8_0", "q4_k", "q6_k")
_HEAD = 128
# Nothing that is timed runs in these libraries.
_UNOPTIMISED = {"common/CMakeLists.txt": "llama-common", "vendor/cpp-httplib/CMakeLists.txt": None}


def pack(sdist: Path, archive: Path) -> None:
    """Writes the part of llama.cpp in an sdist of llama-cpp-python to a `.tar.xz`.

    Raises ValueError if its sources are not as expected.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "llama.cpp"
        _unpack(sdist, folder)
        _trim_cuda(folder)
        _trim_build(folder)
        with tarfile.open(archive, "w:xz") as packed:
            packed.add(folder, folder.name)


def _unpack(sdist: Path, folder: Path) -> None:
    kept = tuple(f"vendor/llama.cpp/{path}" for path in _KEPT)
    with tarfile.open(sdist) as sources:
        for member in sources:
            path = member.name.partition("/")[2]
            loose = re.fullmatch(r"vendor/llama\.cpp/ggml/src/[^/]+", path)
            if member.isfile() and (
                loose or any(path == k or path.startswith(f"{k}/") for k in kept)
            ):
                target = folder / path.removeprefix("vendor/llama.cpp/")
                target.parent.mkdir(parents=True, exist_ok=True)
                content = sources.extractfile(member)
                assert content is not None
                target.write_bytes(content.read())


def _trim_cuda(folder: Path) -> None:
    cuda = folder / _CUDA
    for instance in list((cuda / "template-instances").glob("*.cu")):
        kind, _, rest = instance.stem.partition("-instance-")
        if (kind == "mmq" and rest not in _QUANTISED) or (
            kind == "fattn-vec" and rest != "f16-f16"
        ):
            instance.unlink()
        elif kind.startswith("fattn-"):
            _keep_head_size(instance)
    _drop_cases(cuda / "fattn.cu", "ggml_cuda_flash_attn_ext_mma_f16(", f"{_HEAD}")
    _drop_cases(cuda / "fattn-tile.cu", "ggml_cuda_flash_attn_ext_tile(", f"{_HEAD}")
    types = "|".join(f"GGML_TYPE_{one.upper()}" for one in _QUANTISED)
    _drop_cases(cuda / "mmq.cu", "ggml_cuda_mul_mat_q_switch_type(", types)
    _drop_cases(cuda / "mmf.cu", "void ggml_cuda_mul_mat_f(", "GGML_TYPE_F32|GGML_TYPE_F16")
    _drop_cases(cuda / "mmf.cuh", "void mul_mat_f_switch_rows_per_block(", "MMF_ROWS_PER_BLOCK")
    _replace(cuda / "fattn.cu", r"    FATTN_VEC_CASE\( *(64|256), type_K_case[^\n]*\n", "", 2)
    unused = r"    DECL_MMF_CASE_HELPER\((nv_bfloat162|\w+, MMF_ROWS_PER_BLOCK_CDNA)[^\n]*\n"
    text = (cuda / "mmf.cuh").read_text()
    begin = text.index("#define DECL_MMF_CASE(ncols_dst)")
    end = text.index("DECL_MMF_CASE_EXTERN(1)")
    helpers = re.sub(unused, "", text[begin:end]).rstrip().rstrip("\\") + "\n\n"
    (cuda / "mmf.cuh").write_text(text[:begin] + helpers + text[end:])


def _keep_head_size(instance: Path) -> None:
    lines = instance.read_text().splitlines(keepends=True)
    is_kept = re.compile(rf"DECL_\w+\( *{_HEAD}\b").match
    kept = [line for line in lines if not line.startswith("DECL_") or is_kept(line)]
    if any(line.startswith("DECL_") for line in kept):
        instance.write_text("".join(kept))
    else:
        instance.unlink()


def _drop_cases(source: Path, function: str, kept: str) -> None:
    """Drops all cases but those that match `kept` from the first switch of a function."""
    text = source.read_text()
    begin = text.index("switch (", text.index(function))
    end = text.index("\n    }\n", begin)
    case = re.compile(r"^        case +([\w]+):.*?(?=^        (?:case|default)|\Z)", re.M | re.S)
    wanted = re.compile(kept).fullmatch
    body, count = case.subn(lambda m: m[0] if wanted(m[1]) else "", text[begin:end])
    if not count or not case.search(body):
        raise ValueError(f"{source.name} has no such cases as were expected.")
    source.write_text(text[:begin] + body + text[end:])


def _trim_build(folder: Path) -> None:
    tools = folder / "tools" / "CMakeLists.txt"
    tools.write_text("llama_add_compile_flags()\nadd_subdirectory(llama-bench)\n")
    with tools.open("a") as file:
        file.write("add_subdirectory(batched-bench)\n")
    for name, target in _UNOPTIMISED.items():
        with (folder / name).open("a") as file:
            file.write(f"target_compile_options({target or '${TARGET}'} PRIVATE -O0)\n")


def _replace(source: Path, pattern: str, new: str, count: int) -> None:
    text, done = re.subn(pattern, new, source.read_text())
    if done != count:
        raise ValueError(f"{source.name}: {done} places instead of {count}.")
    source.write_text(text)
