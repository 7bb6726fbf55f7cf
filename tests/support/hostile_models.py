"""Models that somebody made to hang or fill the machine, or that are just broken.

Each entry of `HOSTILE` changes the folder of a tiny model. `python -m tests.support.hostile_models`
is a process that opens one after the other and asks each a question: it reads a folder a line, and
writes what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
import threading
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

MB = 1_000_000
_POWER = "{{ 10 ** (10 ** 9) }}"
Change = Callable[[Path], None]


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(change(content)))


def _merged(name: str, **changes: Any) -> Change:
    return lambda folder: _edit(folder / name, lambda content: content | changes)


def _inside(name: str, section: str, **changes: Any) -> Change:
    def change(content: Any) -> Any:
        return content | {section: content.get(section, {}) | changes}

    return lambda folder: _edit(folder / name, change)


def _processor(**changes: Any) -> Change:
    """In both files that an image processor's settings may be in."""

    def change(folder: Path) -> None:
        _merged("preprocessor_config.json", **changes)(folder)
        _inside("processor_config.json", "image_processor", **changes)(folder)

    return change


def _tokenizer(change: Callable[[Any], Any]) -> Change:
    return lambda folder: _edit(folder / "tokenizer.json", change)


def _template(text: str) -> Change:
    return _text("chat_template.jinja", text)


def _text(name: str, text: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def _sparse(name: str, size: int = 1_000 * MB) -> Change:
    """A file of a gigabyte that takes no room on the disk."""

    def change(folder: Path) -> None:
        with (folder / name).open("wb") as file:
            file.truncate(size)

    return change


def _pipe(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return change


def _more_vocabulary(count: int) -> Change:
    def change(content: Any) -> Any:
        vocabulary = content["model"]["vocab"]
        vocabulary |= {f"~{number}": len(vocabulary) + number for number in range(count)}
        return content

    return _tokenizer(change)


def _more_added(count: int) -> Change:
    def change(content: Any) -> Any:
        first = 2 * len(content["model"]["vocab"])
        content["added_tokens"] += [
            {
                "id": first + number,
                "content": f"<{number}>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number in range(count)
        ]
        return content

    return _tokenizer(change)


def _long_token(content: Any) -> Any:
    content["model"]["vocab"]["x" * 6 * MB] = len(content["model"]["vocab"])
    return content


def _part(name: str, value: Any) -> Change:
    return _tokenizer(lambda content: content | {name: value})


def _replace(pattern: dict[str, str], by: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": by}


def _split(regex: str) -> dict[str, Any]:
    return {
        "type": "Split",
        "pattern": {"Regex": regex},
        "behavior": "Isolated",
        "invert": False,
    }


def _header(length: int, begin: bytes = b"", blanks: int = 0) -> Change:
    def change(folder: Path) -> None:
        for path in folder.glob("*.safetensors"):
            path.write_bytes(struct.pack("<Q", length) + begin + b" " * blanks)

    return change


def _many_tensors(folder: Path) -> None:
    entries = {
        f"t{number}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
        for number in range(200_000)
    }
    header = json.dumps(entries).encode()
    _header(len(header), header)(folder)


def _template_in_settings(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    _merged("tokenizer_config.json", chat_template=_POWER)(folder)


def _random_bytes(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(os.urandom(100_000))

    return change


class _Reduced:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any):
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def _pickled(content: Any) -> Change:
    """In the place of the weights a `.bin` whose pickle holds this."""

    def change(folder: Path) -> None:
        for path in folder.glob("*.safetensors*"):
            path.unlink()
        with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(content, protocol=2))
            archive.writestr("archive/version", "3")

    return change


def _compressed(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as file:
            for _ in range(500):
                file.write(b"N0" * MB)
        archive.writestr("archive/version", "3")


def _strided(folder: Path) -> None:
    import torch

    for path in folder.glob("*.safetensors*"):
        path.unlink()
    torch.save({"a": torch.ones(1).expand(10**6, 10**5)}, folder / "pytorch_model.bin")


def _index(folder: Path) -> None:
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    names = ",".join(f'"t{number}":"{number}"' for number in range(1_500_000))
    (folder / "model.safetensors.index.json").write_text(f'{{"weight_map":{{{names}}}}}')


def _templates(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    for number in range(2_000):
        (folder / "additional_chat_templates" / f"{number}.jinja").write_text("x" * 1_000)


_LOOPS = "".join(f"{{% for a{n} in range(9999) %}}" for n in range(4)) + "{% endfor %}" * 4
_DOUBLING = (
    "{% set ns = namespace(x='aaaaaaaa') %}"
    "{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
)
_GROWING = {"type": "Sequence", "normalizers": [_replace({"String": "a"}, "aa")] * 40}
_AROUND = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}] * 300_000
    + [{"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
}
_DECODER = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * MB}

HOSTILE: dict[str, tuple[str, Change]] = {
    # Chat templates.
    "template: nested loops": ("gemma3", _template(_LOOPS)),
    "template: power": ("gemma3", _template(_POWER)),
    "template: power of powers": ("idefics3", _template("{{ 9 ** (9 ** 9) }}")),
    "template: padding by %": ("gemma3", _template("{{ '%0999999999d' % 1 }}")),
    "template: padding by format": ("gemma3", _template("{{ '{:>9999999999}'.format(1) }}")),
    "template: padding by ljust": ("gemma3", _template("{{ 'a'.ljust(10 ** 10) }}")),
    "template: padding by center": ("gemma3", _template("{{ 'a' | center(10 ** 10) }}")),
    "template: indent": ("gemma3", _template("{{ 'a\nb' | indent(10 ** 10) }}")),
    "template: repeated text": ("gemma3", _template("{{ 'a' * 10 ** 11 }}")),
    "template: repeated list": ("gemma3", _template("{{ [0] * 10 ** 10 }}")),
    "template: lipsum": ("gemma3", _template("{{ lipsum(n=10 ** 7) }}")),
    "template: doubling": ("gemma3", _template(_DOUBLING)),
    "template: recursion": (
        "gemma3",
        _template("{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}"),
    ),
    "template: nested conditions": (
        "gemma3",
        _template("{% if true %}" * 20_000 + "{% endif %}" * 20_000),
    ),
    "template: nested brackets": ("gemma3", _template("{{ " + "(" * 90_000 + "1" + ")" * 90_000)),
    "template: 20 MB": ("gemma3", _template("{{ messages[0].role }}" * MB)),
    "template: just below the bound": ("gemma3", _template("{{ messages[0].role }}\n" * 43_000)),
    "template: in JSON": ("gemma3", _merged("chat_template.json", chat_template="a" * 20 * MB)),
    "template: in the tokenizer's settings": ("gemma3", _template_in_settings),
    "template: only for what is asked": (
        "gemma3",
        _template(
            "{% if 'ASKED' in messages[0].content[1].text %}"
            "{{ (messages | length + 9) ** (10 ** 9) }}{% endif %}"
        ),
    ),
    "template: thousands": ("gemma3", _templates),
    "template: a pipe": ("gemma3", _pipe("chat_template.jinja")),
    # Tokenizers.
    "tokenizer: 5 million entries": ("gemma3", _more_vocabulary(5_000_000)),
    "tokenizer: 2.5 million entries": ("gemma3", _more_vocabulary(2_500_000)),
    "tokenizer: 300,000 added tokens": ("gemma3", _more_added(300_000)),
    "tokenizer: a token of 6 MB": ("gemma3", _tokenizer(_long_token)),
    "tokenizer: replaces by much": (
        "gemma3",
        _part("normalizer", _replace({"String": "€"}, "a" * 5 * MB)),
    ),
    "tokenizer: grows step by step": ("gemma3", _part("normalizer", _GROWING)),
    "tokenizer: grows everywhere": (
        "gemma3",
        _part("normalizer", _replace({"Regex": ""}, "a" * 900)),
    ),
    "tokenizer: prepends much": (
        "gemma3",
        _part("normalizer", {"type": "Prepend", "prepend": "a" * 5 * MB}),
    ),
    "tokenizer: slow pattern": ("gemma3", _part("pre_tokenizer", _split(r"((a+)+)+$"))),
    "tokenizer: slow words": ("gemma3", _part("pre_tokenizer", _split(r"(\w+\s?)+\w*\d\d\d\b$"))),
    "tokenizer: long pattern": ("gemma3", _part("pre_tokenizer", _split("(a|b)" * 200_000))),
    "tokenizer: repeated pattern": (
        "gemma3",
        _part("pre_tokenizer", _split("((((a{1,999}){1,999}){1,999}){1,999}){1,999}")),
    ),
    "tokenizer: many tokens around": ("gemma3", _part("post_processor", _AROUND)),
    "tokenizer: decodes to much": ("gemma3", _part("decoder", _DECODER)),
    "tokenizer: nested JSON": ("gemma3", _text("tokenizer.json", "[" * 5 * MB)),
    "tokenizer: broken": ("gemma3", _text("tokenizer.json", '{"version": "1.0", "model": {}}')),
    "tokenizer: a gigabyte": ("gemma3", _sparse("tokenizer.json")),
    "tokenizer: a pipe": ("gemma3", _pipe("tokenizer.json")),
    "tokenizer: settings of 300,000 tokens": (
        "gemma3",
        _merged(
            "tokenizer_config.json",
            added_tokens_decoder={
                str(1_000 + n): {"content": f"<{n}>", "special": True} for n in range(150_000)
            },
        ),
    ),
    "tokenizer: special tokens without end": (
        "gemma3",
        _merged("tokenizer_config.json", extra_special_tokens=[f"<{n}>" for n in range(200_000)]),
    ),
    "tokenizer: added tokens of a gigabyte": ("gemma3", _sparse("added_tokens.json")),
    "tokenizer: special tokens of a gigabyte": ("gemma3", _sparse("special_tokens_map.json")),
    "tokenizer of LLaVA: garbage": ("original", _random_bytes("tokenizer.model")),
    "tokenizer of LLaVA: a gigabyte": ("original", _sparse("tokenizer.model")),
    # Image processors.
    "processor: crop of 100,000": (
        "llava_next",
        _processor(crop_size={"height": 100_000, "width": 100_000}, do_center_crop=True),
    ),
    "processor: size of 100,000": (
        "gemma3",
        _processor(size={"height": 100_000, "width": 100_000}),
    ),
    "processor: huge pinpoints": (
        "llava_next",
        _processor(image_grid_pinpoints=[[100_000, 100_000], [28, 28]]),
    ),
    "processor: a million pinpoints": (
        "llava_next",
        _processor(image_grid_pinpoints=[[28, 56]] * 300_000),
    ),
    "processor: tiny tiles": (
        "llava_next",
        _processor(
            size={"shortest_edge": 1},
            crop_size={"height": 1, "width": 1},
            image_grid_pinpoints=[[4_096, 4_096]],
        ),
    ),
    "processor: enlarges all": (
        "qwen2_5_vl",
        _processor(size={"shortest_edge": 10**12, "longest_edge": 10**13}),
    ),
    "processor: patches of 100,000": ("qwen2_5_vl", _processor(patch_size=100_000)),
    "processor: a billion frames": ("qwen2_5_vl", _processor(temporal_patch_size=10**9)),
    "processor: tiles of a pixel": (
        "idefics3",
        _processor(max_image_size={"longest_edge": 1}, size={"longest_edge": 4_096}),
    ),
    "processor: a billion image tokens": (
        "gemma3",
        _merged("processor_config.json", image_seq_length=10**9),
    ),
    "processor: settings of a gigabyte": ("gemma3", _sparse("preprocessor_config.json")),
    # Settings and weights.
    "settings: a gigabyte": ("gemma3", _sparse("config.json")),
    "settings: millions of lists": ("gemma3", _text("config.json", f"[{'[],' * MB}[]]")),
    "settings: a number of 4,000 digits": (
        "original",
        _merged("config.json", rope_theta=10**4_000),
    ),
    "settings: a name of 3 MB": ("gemma3", _merged("config.json", architectures=["A\n" * MB])),
    "settings: layers without end": (
        "qwen3_vl",
        _inside("config.json", "vision_config", deepstack_visual_indexes=list(range(300_000))),
    ),
    "settings: tables of terabytes": (
        "gemma3",
        _inside("config.json", "vision_config", image_size=3_000_000, patch_size=1),
    ),
    "settings of LLaVA: patches of a pixel": (
        "transformers",
        _inside("config.json", "vision_config", image_size=4_000, patch_size=1),
    ),
    "settings: ends without end": (
        "gemma3",
        _merged("generation_config.json", eos_token_id=list(range(400_000))),
    ),
    "weights: header of 100 MB": ("gemma3", _header(100 * MB, b"{", 100 * MB)),
    "weights: lying header": ("original", _header(2**63)),
    "weights: 200,000 tensors": ("gemma3", _many_tensors),
    "weights: index of 1.5 million": ("original", _index),
    "weights: index of a gigabyte": ("original", _sparse("model.safetensors.index.json")),
    "weights: a pickle that counts": (
        "original",
        _pickled({"a": _Reduced(Counter, _Reduced(bytearray, 10**10))}),
    ),
    "weights: a pickle of code": ("original", _pickled({"a": _Reduced(os.system, "true")})),
    "weights: a compressed pickle": ("original", _compressed),
    "weights: a number as a terabyte": ("gemma3", _strided),
}
"""By name: the tiny model that is changed, and how."""


# ---- the process that opens them -----------------------------------------------------------------


def _main() -> None:
    import psutil
    from PIL import Image

    from core.errors import AppError
    from core.open_engine import open_engine
    from core.picture import Picture
    from core.transcript import ModelChoice, Precision, Request, Sampling, Turn

    picture = Picture(None, Image.new("RGB", (640, 480), (10, 80, 160)))
    request = Request(picture, (Turn("ASKED"),), Sampling(max_new_tokens=4))
    for module in ("core.chat.engine", "core.chat.model", "core.llava.engine"):
        __import__(module)

    def use(folder: str) -> str:
        choice = ModelChoice(folder, "cpu", Precision.FLOAT32)
        try:
            engine = open_engine(choice, lambda *_: None, threading.Event())
            try:
                engine.answer(request, lambda piece: None, threading.Event())
            finally:
                engine.close()
        except AppError as error:
            return str(error)
        except BaseException:
            return traceback.format_exc()
        return ""

    process = psutil.Process()
    for line in sys.stdin:
        peak, is_over = [0], threading.Event()

        def watch(peak: list[int] = peak, is_over: threading.Event = is_over) -> None:
            while not is_over.wait(0.05):
                sizes = []
                for one in (process, *process.children()):
                    try:
                        sizes.append(one.memory_info().rss)
                    except psutil.Error:
                        continue
                peak[0] = max(peak[0], sum(sizes))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        begin = time.monotonic()
        said = use(line.strip())
        seconds = time.monotonic() - begin
        is_over.set()
        watcher.join()
        sys.stdout.write(json.dumps({"said": said, "seconds": seconds, "peak": peak[0]}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
