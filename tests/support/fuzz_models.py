"""Opens models whose files were spoiled at random; run by its test in a process of its own.

`python -m tests.support.fuzz_models FOLDER CASES SEED`, where FOLDER holds `original`,
`transformers` and `chat`, tiny models each. Prints what came of the cases as JSON. Whatever is no
AppError, takes longer than `CASE_SECONDS`, wants more memory than `MEMORY_BYTES`, or writes, ends
it with a trace.
"""

from __future__ import annotations

import collections
import faulthandler
import gc
import json
import math
import random
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASE_SECONDS = 20
MEMORY_BYTES = 4 << 30

# fmt: off
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 64, 1000, 10**6, 10**9, 2**31, 2**63, 10**30, -(2**63),
    0.5, -0.0, 1e-300, 1e308, math.nan, math.inf, -math.inf, "", "x", "..", "/", "/etc/passwd",
    "../../secret", "a\0b", "é" * 300, "\ud800", [], [[]], [None], [1, 2], ["x"], {}, {"a": 1},
    {"model_type": "llama"}, "float16", "llama", "clip_vision_model", "gelu", "siglip",
]
KEYS = [
    "auto_map", "quantization_config", "text_config", "vision_config", "architectures",
    "model_type", "hidden_size", "num_hidden_layers", "vocab_size", "rope_scaling", "dtype",
    "rope_parameters", "attn_implementation", "transformers_weights", "weight_map", "metadata",
]
# fmt: on
DTYPES = ["F32", "F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "F4", "X", "", None, 3]


def main(folder: Path, cases: int, seed: int) -> None:
    from core.errors import AppError
    from core.open_engine import open_engine
    from core.transcript import ModelChoice, Precision
    from core.vetting.vetting import untried

    models = [folder / name for name in ("original", "transformers", "chat")]

    def open_model(model: Path) -> str:
        choice = ModelChoice(str(model), "cpu", Precision.FLOAT32)
        try:
            # A child for each case would take hours; what it tries has tests of its own.
            open_engine(choice, lambda *_: None, threading.Event(), untried()).close()
        except AppError as error:
            if not str(error).endswith("."):
                raise ValueError(f"no sentence: {error}") from error
            return type(error).__name__
        return "opened"

    for model in models:
        assert open_model(model) == "opened", model
    # What is here stays; looking through all of it after each case would take the longest.
    gc.freeze()
    _limit_memory()
    written = _watched_writes(folder)
    outcomes: collections.Counter[str] = collections.Counter()
    failures: dict[str, str] = {}
    chance = random.Random(seed)
    for number in range(cases):
        faulthandler.dump_traceback_later(CASE_SECONDS, exit=True)
        # The chat model takes the longest to build.
        model = models[0] if number % 16 < 8 else models[1] if number % 16 < 15 else models[2]
        spoil = chance.choice([_settings, _settings, _bytes, _index, _header, _header])
        path, content = spoil(model, chance)
        before = path.read_bytes()
        try:
            path.write_bytes(content)
            outcome = open_model(model)
        except Exception as error:
            outcome = "failed"
            trace = "".join(traceback.format_exception(error))
            line = traceback.extract_tb(error.__traceback__)[-1]
            failures.setdefault(
                f"{type(error).__name__} {line.filename}:{line.lineno}",
                f"case {number} of seed {seed}, {path.relative_to(folder)}:\n{trace}",
            )
        finally:
            path.write_bytes(before)
        outcomes[outcome] += 1
    faulthandler.cancel_dump_traceback_later()
    sys.stderr.write("\n".join([*failures.values(), *written]))
    sys.stdout.write(json.dumps(outcomes))
    if failures or written:
        sys.exit(1)


# ---- each damages one file: returns which one, and its new content ---------------------------

Spoil = Callable[[Path, random.Random], tuple[Path, bytes]]


def _settings(model: Path, chance: random.Random) -> tuple[Path, bytes]:
    names = ["config.json"] * 4 + [
        "clip/config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer_config.json",
        "generation_config.json",
    ]
    path = chance.choice([model / name for name in names if (model / name).is_file()])
    content = json.loads(path.read_text())
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        content = _changed(content, chance)
    return path, _encoded(content)


def _bytes(model: Path, chance: random.Random) -> tuple[Path, bytes]:
    files = [path for path in sorted(model.rglob("*")) if path.is_file()]
    path = chance.choice([one for one in files if one.suffix in (".json", ".model", ".jinja")])
    content = bytearray(path.read_bytes())
    match chance.randrange(4):
        case 0:
            content = content[: chance.randrange(len(content) + 1)]
        case 1:
            at = chance.randrange(len(content) + 1)
            content[at:at] = chance.randbytes(chance.choice([1, 8, 100]))
        case 2:
            content = bytearray(b"[" * chance.choice([10, 5_000, 200_000]))
        case _:
            for _ in range(chance.choice([1, 4, 32])):
                content[chance.randrange(len(content))] = chance.randrange(256)
    return path, bytes(content)


def _index(model: Path, chance: random.Random) -> tuple[Path, bytes]:
    paths = sorted(model.glob("*.index.json"))
    if not paths:
        return _header(model, chance)
    content = json.loads(paths[0].read_text())
    places = content["weight_map"]
    for _ in range(chance.choice([1, 2, 5])):
        name = chance.choice(list(places))
        match chance.randrange(4):
            case 0:
                places[name] = chance.choice(VALUES)
            case 1:
                places[str(chance.choice(VALUES))] = places[name]
            case 2:
                places[name] = chance.choice(list(places.values()))
            case _:
                del places[name]
    if chance.random() < 0.1:
        content = _changed(content, chance)
    return paths[0], _encoded(content)


def _header(model: Path, chance: random.Random) -> tuple[Path, bytes]:
    path = chance.choice(sorted(model.rglob("*.safetensors")))
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, data = content[8 : 8 + length], content[8 + length :]
    match chance.randrange(6):
        case 0:
            lengths = [0, 1, length - 1, length + 1, len(content), 2**31, 2**63, 2**64 - 1]
            return path, struct.pack("<Q", chance.choice(lengths)) + content[8:]
        case 1:
            return path, content[: chance.choice([0, 4, 8, 9, length, chance.randrange(9999)])]
        case 2:
            return path, content[:-1] if chance.random() < 0.5 else content + b"more"
        case 3:
            spoiled = bytearray(header)
            for _ in range(chance.choice([1, 3, 20])):
                spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
            header = bytes(spoiled)
        case 4:
            header = _encoded(_changed(json.loads(header), chance))
        case _:
            tensors = json.loads(header)
            name = chance.choice([name for name in tensors if name != "__metadata__"])
            tensor = tensors[name]
            match chance.randrange(4):
                case 0:
                    tensor["dtype"] = chance.choice(DTYPES)
                case 1:
                    tensor["shape"] = chance.choice(
                        [[], [0], [-1, 4], [2**40, 2**40], [1], tensor["shape"][::-1], "x"]
                    )
                case 2:
                    begin, end = tensor["data_offsets"]
                    tensor["data_offsets"] = chance.choice(
                        [[end, begin], [0, 0], [begin, end + 4], [-4, end], [0, 2**62], [begin]]
                    )
                case _:
                    other = chance.choice(list(tensors))
                    tensors[name], tensors[other] = tensors[other], tensors[name]
            header = _encoded(tensors)
    return path, struct.pack("<Q", len(header)) + header + data


def _changed(content: Any, chance: random.Random) -> Any:
    """The same with one thing in it changed, taken away or put there, however deep."""
    if isinstance(content, dict) and content:
        key = chance.choice(list(content))
        if isinstance(content[key], dict | list) and chance.random() < 0.7:
            content[key] = _changed(content[key], chance)
            return content
        match chance.randrange(5):
            case 0:
                del content[key]
            case 1:
                content[chance.choice(KEYS)] = chance.choice(VALUES)
            case _:
                content[key] = chance.choice(VALUES)
        return content
    if isinstance(content, list) and content and chance.random() < 0.7:
        content[chance.randrange(len(content))] = chance.choice(VALUES)
        return content
    return chance.choice(VALUES)


def _encoded(content: Any) -> bytes:
    return json.dumps(content).encode("utf-8", "surrogatepass")


# ---- guards ------------------------------------------------------------------------------------


def _limit_memory() -> None:
    """So that an absurd size ends in an error and not in a machine that swaps."""
    if sys.platform != "linux":
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _watched_writes(folder: Path) -> list[str]:
    """What is opened for writing, made or taken away from now on, but in `folder` itself."""
    written: list[str] = []
    changing = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink")

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int):
                return  # The pipe to the process that renders chat templates.
            is_written = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & 3
            )
        elif event in changing:
            path, is_written = arguments[0], True
        elif event == "subprocess.Popen" and "core.chat.template_child" in str(arguments[1]):
            return
        elif event in ("socket.connect", "subprocess.Popen", "os.system", "os.exec"):
            path, is_written = event, True
        else:
            return
        if is_written and not str(path).startswith((str(folder), "/dev/null")):
            written.append(f"{event} {path}")

    sys.addaudithook(hear)
    return written


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
