"""What 8 and 4 bits and FP8 cost in quality: the built-in model's table, and logits at 7B sizes.

    python -m tests.benchmarks.precision_quality [--seeds 1 2] [--per-task 100] [--json]
    python -m tests.benchmarks.precision_quality --logits llava-1.5-7b [--json]

On cards that have it, FP8 is one more precision; “+kv8” is the KV cache in 8 bits beside each.

The first asks the built-in model in each precision the same questions about fresh scenes, as
packaging/train_built_in_model measures it (its `sprites` must have been rendered), through the
engine. The second compares the logits of random weights, of a prompt with a picture and of steps
after it, with those of transformers in float32. Asserts nothing.
"""

import argparse
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.checkpoint.llava_model import rebuild_buffers
from core.checkpoint.loading import allocate, assign_weights
from core.device.choice import choose_device, choose_dtype, device_name
from core.device.float8 import has_float8
from core.device.memory import PRECISIONS
from core.engine import Engine
from core.llava.forward import forward_pass
from core.llava.passes import Prompt
from core.llava.quantized import QuantizedMatrix, quantize
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.open_engine import open_engine
from core.picture import Picture
from core.terminal.random_weights import SIZES, fill_randomly, random_config
from core.transcript import (
    Answer,
    ModelChoice,
    Precision,
    Request,
    Sampling,
    Turn,
    WeightFormat,
)

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging" / "train_built_in_model"
_WITH_CACHE = "+kv8"
"""Behind a precision: with the KV cache in 8 bits."""
_CHUNK = {"cuda": 640, "cpu": 40}
_TEXT_BEFORE, _TEXT_AFTER, _STEPS = 36, 13, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--per-task", type=int, default=100)
    parser.add_argument("--tasks", nargs="+", help="these alone")
    parser.add_argument("--atlas", type=Path, default=ROOT / ".atlas")
    parser.add_argument("--precisions", nargs="+", help="the first is what others are compared to")
    parser.add_argument("--logits", choices=list(SIZES), help="compare logits of random weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    if options.logits:
        report = logits_report(options.logits, choose_device(options.device))
    else:
        report = table_report(options)
    report |= {"torch": torch.__version__, "seconds": time.perf_counter() - started}
    if options.json:
        text = json.dumps(report, indent=1) + "\n"
    else:
        text = logits_table(report) if options.logits else quality_table(report)
    sys.stdout.write(text)


# ---- the built-in model's table ----------------------------------------------------------------


def table_report(options: argparse.Namespace) -> dict[str, Any]:
    # The recipe imports its modules by name from its own folder. It forks, so it comes first.
    sys.path.append(str(RECIPE))
    measuring: Any = import_module("measuring")
    cases = [
        case
        for seed in options.seeds
        for case in measuring.draw_cases(seed, options.per_task, processes=os.cpu_count() or 1)
        if not options.tasks or case.task in options.tasks
    ]
    device = choose_device(options.device)
    on_card, chunk = device.type == "cuda", _CHUNK[device.type]
    usual = ["16-bit" if on_card else "float32", "8-bit", "4-bit", *["fp8"] * has_float8(device)]
    usual += [f"{precision}{_WITH_CACHE}" for precision in usual]
    precisions = options.precisions or usual
    sheet = import_module("sprites").load_sheet(options.atlas)
    renderer = import_module("pictures").Renderer(sheet, str(device))
    said: dict[str, list[str]] = {precision: [] for precision in precisions}
    engines = {
        precision: open_engine(
            _choice(precision, device),
            lambda *_: None,
            threading.Event(),
        )
        for precision in precisions
    }
    for begin in range(0, len(cases), chunk):
        requests = list(_requests(measuring, cases[begin : begin + chunk], renderer))
        for precision, engine in engines.items():
            said[precision] += _answers(engine, requests, 64 if on_card else 8)
            done = len(said[precision])
            sys.stderr.write(f"{precision}: {done} of {len(cases)} questions\n")
    tasks = {
        precision: measuring.judge(
            [replace(case, said=text) for case, text in zip(cases, texts, strict=True)]
        )
        for precision, texts in said.items()
    }
    return {
        "device": device_name(device),
        "seeds": options.seeds,
        "questions": len(cases),
        "precisions": {
            precision: {
                "whole": _share(t == c.answer for t, c in zip(said[precision], cases, strict=True)),
                "same": _share(
                    t == f for t, f in zip(said[precision], said[precisions[0]], strict=True)
                ),
                "tasks": tasks[precision],
            }
            for precision in precisions
        },
    }


def _choice(name: str, device: torch.device) -> ModelChoice:
    precision = Precision(name.removesuffix(_WITH_CACHE))
    quantizes_cache = name.endswith(_WITH_CACHE)
    return ModelChoice("built-in", str(device), precision, quantizes_cache=quantizes_cache)


def _requests(measuring: Any, cases: list[Any], renderer: Any) -> Iterator[Request]:
    for begin in range(0, len(cases), 40):
        part = cases[begin : begin + 40]
        pictures = measuring.pictures_of([case.scene for case in part], renderer)
        for number, (case, picture) in enumerate(zip(part, pictures, strict=True)):
            if number % 2:
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=60 + number * 7 % 36)
                picture = Image.open(file).convert("RGB")
            before = (Turn(each.question, each.answer) for each in case.before)
            turns = (*before, Turn(case.question))
            yield Request(
                Picture(None, picture), turns, Sampling(max_new_tokens=measuring.MOST_TOKENS)
            )


def _answers(engine: Engine, requests: list[Request], slots: int) -> list[str]:
    texts = {
        id(request): answer.text
        for request, answer in engine.answer_all(requests, threading.Event(), slots=slots)
        if isinstance(answer, Answer)
    }
    return [texts[id(request)] for request in requests]


def _share(rights: Iterator[bool]) -> float:
    values = list(rights)
    return sum(values) / len(values)


def quality_table(report: dict[str, Any]) -> str:
    precisions: dict[str, Any] = report["precisions"]
    first = next(iter(precisions))
    lines = [
        f"{report['device']}, {report['questions']} questions, seeds {report['seeds']}, "
        f"{report['seconds']:.0f} s; in %, and points above {first}",
        f"{'':34}" + "".join(f"{name:>16}" for name in precisions),
    ]

    def row(name: str, figures: list[float]) -> None:
        shown = (f"{100 * f:8.2f} {100 * (f - figures[0]):+7.2f}" for f in figures)
        lines.append(f"{name:34}" + "".join(shown))

    row("all, right to the letter", [each["whole"] for each in precisions.values()])
    row(f"the same as {first}", [each["same"] for each in precisions.values()])
    for task, figures in precisions[first]["tasks"].items():
        for figure in figures:
            if figure not in ("n", "exact"):
                row(
                    f"{task}: {figure} ({figures['n']})",
                    [each["tasks"][task][figure] for each in precisions.values()],
                )
    return "\n".join(lines) + "\n"


# ---- logits ------------------------------------------------------------------------------------


@torch.inference_mode()
def logits_report(sizes: str, device: torch.device) -> dict[str, Any]:
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = False
    dtype = choose_dtype(Precision.BITS_16, device, 0)
    config: Any = random_config(SIZES[sizes])
    whole = _model(config, device, dtype)
    source = whole.state_dict()
    size = config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size)
    image_tokens = (size // config.vision_config.patch_size) ** 2
    count = _TEXT_BEFORE + _TEXT_AFTER + _STEPS
    words = torch.randint(3, config.text_config.vocab_size, (count,)).tolist()
    ids = [*words[:_TEXT_BEFORE], *[IMAGE_TOKEN_INDEX] * image_tokens, *words[_TEXT_BEFORE:]]

    reference = _model(config, device, torch.float32, source=source)
    wanted = _theirs(reference, pixels, ids)
    del reference
    rows = []
    for precision in (*PRECISIONS, *[Precision.FP8] * has_float8(device)):
        kind = precision.weight_format
        model = _model(config, device, dtype, kind, source) if kind else whole
        rows.append(
            {"precision": precision}
            | {f"theirs_{k}": v for k, v in _compared(_theirs(model, pixels, ids), wanted).items()}
            | {f"ours_{k}": v for k, v in _compared(_ours(model, pixels, ids), wanted).items()}
        )
        del model
    on_card = device.type == "cuda"
    return {
        "device": device_name(device),
        "sizes": sizes,
        "dtype": str(dtype).removeprefix("torch."),
        "positions": len(wanted),
        "rows": rows,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device) if on_card else None,
    }


def _model(
    config: Any,
    device: torch.device,
    dtype: torch.dtype,
    kind: WeightFormat | None = None,
    source: Mapping[str, Tensor] | None = None,
) -> Any:
    """With random weights, or those of `source`."""
    from transformers import LlavaForConditionalGeneration

    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    buffers = allocate(model, device, dtype, kind)
    for name, buffer in buffers.items():
        if source is None:
            fill_randomly(name, buffer, dtype)
        elif isinstance(buffer, QuantizedMatrix):
            quantize(source[name], buffer.format, out=buffer)
        else:
            buffer.copy_(source[name])
    assign_weights(model, buffers)
    rebuild_buffers(model, device)
    return model.eval().requires_grad_(False)


def _theirs(model: Any, pixels: Tensor, ids: list[int]) -> Tensor:
    """By transformers' modules: the logits that follow the prompt and each step, float32."""
    inner = model.model
    seen = inner.vision_tower(pixels.to(model.device, model.dtype), output_hidden_states=True)
    features = inner.multi_modal_projector(
        seen.hidden_states[model.config.vision_feature_layer][:, 1:]
    )
    image = ids.index(IMAGE_TOKEN_INDEX)
    embed = model.get_input_embeddings()
    words = embed(torch.tensor([[id for id in ids if id >= 0]], device=model.device))
    embeddings = torch.cat([words[:, :image], features, words[:, image:]], 1)
    return model(inputs_embeds=embeddings).logits[0, -_STEPS - 1 :].float()


def _ours(model: Any, pixels: Tensor, ids: list[int]) -> Tensor:
    """By our own loop: the prompt at once, and then step by step."""
    forward = forward_pass(model)
    assert forward is not None
    forward.reserve(1, len(ids) + 1)
    prompt, steps = ids[:-_STEPS], ids[-_STEPS:]
    features = forward.image_features(pixels.numpy())
    logits = [forward.prefill(Prompt(0, 0, prompt, features)).logits.clone()]
    for token in steps:
        forward.set_token(0, token)
        logits.append(forward.step().logits.clone())
    return torch.cat(logits).float()


def _compared(given: Tensor, wanted: Tensor) -> dict[str, float]:
    return {
        "error": ((given - wanted).norm() / wanted.norm()).item(),
        "same_token": (given.argmax(-1) == wanted.argmax(-1)).float().mean().item(),
    }


def logits_table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['device']}, sizes of {report['sizes']}, {report['dtype']}, "
        f"{report['seconds']:.0f} s; relative error of logits against float32, likeliest the same",
        f"{'':12}{'our loop':>20}{'transformers':>20}",
    ]
    for row in report["rows"]:
        lines.append(
            f"{row['precision']:12}"
            + "".join(
                f"{row[f'{who}_error']:12.5f}{100 * row[f'{who}_same_token']:6.0f} %"
                for who in ("ours", "theirs")
            )
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
