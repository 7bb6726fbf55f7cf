"""llama.cpp on a CUDA card, in sizes that `onlooker bench` measures too, with random weights.

    python -m tests.benchmarks.llama_cpp pack SDIST ARCHIVE      on a computer with a network
    python -m tests.benchmarks.llama_cpp run ARCHIVE [--seconds 560] [--log FILE]

`pack` takes what is needed from an sdist of llama-cpp-python (`pip download --no-binary :all:
--no-deps llama-cpp-python`). `run` builds that with CMake, Ninja and nvcc for compute capability
9.0, writes a model at a time, into memory where it fits (17 GB at most), and measures it with
llama.cpp's own programs: `llama-bench` for one stream with an empty context and with 600 tokens
before, and `llama-batched-bench` for many sequences that begin and end together. There is no vision
tower.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.benchmarks.llama_cpp_gguf import KINDS, SIZES, write_random
from tests.benchmarks.llama_cpp_source import pack

_MODELS = tuple(f"{sizes}:{kind}" for sizes in ("vicuna-7b", "llama-3.1-8b") for kind in KINDS)
_STREAM = ("-fa", "on", "-p", "600", "-n", "128", "-d", "0,600")
_SEQUENCES = "1,8,32,64"
# 64 times 620 + 100 tokens, each sequence rounded up to 256.
_BATCH = ("-fa", "on", "-npp", "620", "-ntg", "100", "-npl", _SEQUENCES, "-c", "49152")
_PROGRAMS = ("llama-bench", "llama-batched-bench")
_LONGEST_STEP = 60
_LARGEST = 18_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("sdist", type=Path)
    packing.add_argument("archive", type=Path)
    running = commands.add_parser("run")
    running.add_argument("archive", type=Path)
    running.add_argument("--models", nargs="*", default=_MODELS, help="SIZES:KIND, in this order")
    running.add_argument("--seconds", type=float, default=560, help="begin no model after that")
    running.add_argument("--folder", type=Path, help="keeps the build, for another run")
    running.add_argument("--log", type=Path)
    running.add_argument("--gpu-layers", default="99")
    running.add_argument("--without-cuda", action="store_true")
    running.add_argument("--cublas", type=Path, help="a folder with lib, and perhaps include")
    running.add_argument("--cublas-headers", type=Path, help="used where there are no others")
    options = parser.parse_args()
    if options.command == "pack":
        pack(options.sdist, options.archive)
    else:
        run(options)


def run(options: argparse.Namespace) -> None:
    """Builds and measures what the command line asks for."""
    began = time.monotonic()
    with ExitStack() as stack:
        log = stack.enter_context(_Log(options.log))
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build, sources = folder / "build", folder / "llama.cpp"
        if not (build / "build.ninja").exists():
            shutil.rmtree(build, ignore_errors=True)
            with tarfile.open(options.archive) as archive:
                archive.extractall(folder, filter="data")
            configure(sources, build, options)
        _call(["ninja", "-C", build, *_PROGRAMS], quiet=True)
        log.line(f"built after {time.monotonic() - began:.0f} s")
        for model in options.models:
            if time.monotonic() - began > options.seconds - _LONGEST_STEP:
                log.line(f"{model}: no time left")
                continue
            _measure(model, build / "bin", options.gpu_layers, log)
            log.line(f"{time.monotonic() - began:.0f} s")


def configure(sources: Path, build: Path, options: argparse.Namespace) -> None:
    """Has CMake prepare the build. Raises CalledProcessError if it cannot."""
    off = ("TESTS", "EXAMPLES", "APP", "SERVER", "MTMD")
    settings = [f"LLAMA_BUILD_{name}=OFF" for name in off]
    settings += ["CMAKE_BUILD_TYPE=Release", "LLAMA_OPENSSL=OFF", "LLAMA_ALL_WARNINGS=OFF"]
    if not options.without_cuda:
        settings += ["GGML_CUDA=ON", "GGML_CUDA_NCCL=OFF", "GGML_CUDA_FA_QUANTS=f16-f16"]
        settings += ["CMAKE_CUDA_ARCHITECTURES=90-real", *_cuda_libraries(options, build)]
    _call(["cmake", "-G", "Ninja", "-S", sources, "-B", build, *(f"-D{s}" for s in settings)])


def _cuda_libraries(options: argparse.Namespace, build: Path) -> Iterator[str]:
    """Yields settings for what the toolkit beside nvcc lacks: cuBLAS of the wheel that torch uses,
    and the driver's library."""
    nvcc = Path(shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc").resolve()
    if nvcc.stat().st_size < 1000:  # A script that calls the real one.
        nvcc = Path(re.findall(r"/\S+/nvcc", nvcc.read_text())[0])
    toolkit = nvcc.parent.parent
    libraries = [toolkit / "lib64", toolkit / "targets/x86_64-linux/lib"]
    includes = [toolkit / "include", toolkit / "targets/x86_64-linux/include"]
    if options.cublas or not any((one / "libcublas.so").exists() for one in libraries):
        wheel = options.cublas or _cublas_wheel()
        includes.append(wheel / "include")
        links = build / "cublas"
        links.mkdir(parents=True)
        for name in ("cublas", "cublasLt"):
            (library,) = (wheel / "lib").glob(f"lib{name}.so.[0-9]*")
            for link in (f"lib{name}.so", library.name):
                (links / link).symlink_to(library)
            yield f"CUDA_{name}_LIBRARY={links / f'lib{name}.so'}"
    with_headers = [one for one in includes if (one / "cublas_v2.h").exists()]
    if with_headers or options.cublas_headers:
        headers = [*with_headers, options.cublas_headers][0].absolute()
        yield f"CMAKE_CUDA_FLAGS=-I{headers}"
    places = [*(one / "stubs" for one in libraries), *_DRIVER]
    found = [place / name for place in places for name in ("libcuda.so", "libcuda.so.1")]
    driver = next((path for path in found if path.exists()), None)
    yield f"CUDA_cuda_driver_LIBRARY={driver}" if driver else "GGML_CUDA_NO_VMM=ON"


_DRIVER = (
    Path("/usr/local/nvidia/lib64"),
    Path("/usr/local/nvidia/lib"),
    Path("/usr/lib/x86_64-linux-gnu"),
)


def _cublas_wheel() -> Path:
    package = importlib.util.find_spec("nvidia")
    for folder in (package.submodule_search_locations if package else None) or ():
        for name in ("cu13", "cublas"):
            if list(Path(folder, name).glob("lib/libcublas.so.*")):
                return Path(folder, name)
    raise SystemExit("There is no cuBLAS: give its folder with --cublas.")


def _measure(model: str, programs: Path, gpu_layers: str, log: _Log) -> None:
    sizes, _, kind = model.partition(":")
    memory = Path("/dev/shm")
    fits = memory.exists() and shutil.disk_usage(memory).free > _LARGEST
    with tempfile.TemporaryDirectory(dir=memory if fits else None) as name:
        path = Path(name) / "model.gguf"
        write_random(path, SIZES[sizes], kind)
        log.line(f"\n{model}: {path.stat().st_size / 1e9:.2f} GB")
        common = ("-m", path, "-ngl", gpu_layers)
        lines = _table([programs / "llama-bench", *common, *_STREAM])
        log.line(*lines)
        batch = [programs / "llama-batched-bench", *common, *_BATCH, "-b", "2048", "-ub", "2048"]
        lines = _table(batch)
        log.line(*lines, *(row.text for row in map(_Batch.of, lines) if row))


@dataclass(frozen=True)
class _Batch:
    """A row of llama-batched-bench."""

    sequences: int
    seconds: float
    tokens_per_second: float

    @classmethod
    def of(cls, line: str) -> _Batch | None:
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) != 10 or not cells[0].isdigit():
            return None
        return cls(int(cells[2]), float(cells[8]), float(cells[7]))

    @property
    def text(self) -> str:
        rate = self.sequences / self.seconds
        return f"{self.sequences} sequences: {rate:.2f}/s with their prompts, without vision tower"


class _Log:
    """What is printed, and kept in a file."""

    def __init__(self, path: Path | None):
        self._file: TextIO | None = path.open("w") if path else None

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def line(self, *lines: str) -> None:
        print(*lines, sep="\n", flush=True)
        if self._file:
            print(*lines, sep="\n", file=self._file, flush=True)


def _table(command: Sequence[str | Path]) -> list[str]:
    """The rows of the Markdown table that a program prints; its last lines if there is none."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    rows = [line[line.index("|") :] for line in lines if line.count("|") > 5]
    return (
        rows if rows and not done.returncode else [f"exit status {done.returncode}", *lines[-20:]]
    )


def _call(command: Sequence[str | Path], quiet: bool = False) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines()
    if done.returncode:
        failed = [line for line in lines if "rror" in line or line.startswith("FAILED")]
        print(*lines[-25:], *failed[:25], sep="\n", flush=True)
        raise SystemExit(f"{command[0]} failed")
    if not quiet:
        print(*lines[-4:], sep="\n", flush=True)


if __name__ == "__main__":
    main()
