"""Full batches and FP8 on a graphics card: python -m tests.benchmarks.full_batches

    [--stages check,scaled,products,bench] [--precisions 16-bit,fp8,8-bit,4-bit] [--json FILE]
    [--caches 16 8] [--slots 32 64] [--fillings 8] [--dequantized]

With random weights in LLaVA-1.5-7b's sizes. `check` compares the kernels with float64, `scaled`
times torch's scaled product in each way of adding up and writing, `products` times all matrices of
a model for so many rows in each way there is, `layers` the layers without attention,
`bench` captions and tokens a second, with the KV cache
in full and in 8 bits. There each slot is filled `--fillings` times: the first and the last images
have no others beside them, which counts less the more there are. `--dequantized` measures 8 and 4
bits by 16-bit rows too. Asserts nothing but in `check`; a stage that fails says why, and the next
one runs. Without a card it does as much as a processor can in the built-in model's sizes, which
shows that it runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.device.float8 import float8_product, has_float8
from core.llava import float8, linear
from core.llava.cuda_graphs import try_capture
from core.llava.float8 import Float8Rows
from core.llava.forward import ForwardPass
from core.llava.language_model import LanguageModel
from core.terminal.bench import Plan, measure_alone
from core.terminal.random_weights import random_engine
from core.transcript import ModelChoice, Precision, WeightFormat

ON_CARD = torch.cuda.is_available()
DEVICE = torch.device("cuda", 0) if ON_CARD else torch.device("cpu")
SIZES = "llava-1.5-7b" if ON_CARD else "built-in"
ROWS = (2, 8, 16, 32, 64, 128, 688) if ON_CARD else (2, 64, 70)
PRECISIONS = ("16-bit", "fp8", "8-bit", "4-bit") if ON_CARD else ("16-bit", "8-bit", "4-bit")
NEVER = 1 << 30
SLOTS = (32, 64) if ON_CARD else (2,)
_TIMES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stages", default="check,scaled,products,bench")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--caches", type=int, nargs="+", choices=(16, 8), default=(16, 8))
    parser.add_argument("--slots", type=int, nargs="+", default=SLOTS)
    parser.add_argument("--fillings", type=int, default=8 if ON_CARD else 1)
    parser.add_argument("--dequantized", action="store_true")
    options = parser.parse_args()
    precisions = [Precision(name) for name in options.precisions.split(",")]
    benched = partial(
        bench,
        caches=options.caches,
        slots=tuple(options.slots),
        fillings=options.fillings,
        measures_dequantized=options.dequantized,
    )
    report: dict[str, Any] = {"torch": torch.__version__, "device": str(DEVICE)}
    for stage in options.stages.split(","):
        started = time.perf_counter()
        try:
            report[stage] = (STAGES | {"bench": benched})[stage](precisions)
        except Exception:
            say(traceback.format_exc())
        gc.collect()
        if ON_CARD:
            torch.cuda.empty_cache()
        say(f"-- {stage}: {time.perf_counter() - started:.0f} s")
        if options.json:
            options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---- are the kernels right? ---------------------------------------------------------------------


def check(_: list[Precision]) -> dict[str, str]:
    """Those of tests/core/llava/test_kernels, each by itself; attention is the same in all."""
    from tests.core.llava import test_kernels

    for dtype in (torch.float16, torch.bfloat16):
        say(f"the product in FP8 with results in {dtype}: {float8_product(DEVICE, dtype)}")
    results = {}
    for name, test in vars(test_kernels).items():
        if not name.startswith("test_") or not ON_CARD:
            continue
        if any(word in name for word in ("attends", "rest", "prefill")):
            continue
        torch.manual_seed(0)
        try:
            test()
            results[name] = "ok"
        except Exception as error:
            results[name] = f"{type(error).__name__}: {str(error)[:300]}"
            traceback.print_exc(limit=-3)
        say(f"{name}: {results[name]}")
    return results


# ---- torch's product ----------------------------------------------------------------------------


@torch.inference_mode()
def scaled(_: list[Precision]) -> dict[str, Any]:
    """Microseconds and relative error of the four products of LLaVA-1.5-7b and of Llama 3."""
    found: dict[str, Any] = {}
    shapes = [(12288, 4096), (4096, 4096), (22016, 4096), (4096, 11008)]
    shapes += [(6144, 4096), (4096, 14336)]
    for out, inside in shapes if ON_CARD else [(96, 64)]:
        weight = Float8Rows.rounded(torch.randn(out, inside, device=DEVICE))
        for rows in (32, 64, 128, 688):
            states = Float8Rows.rounded(torch.randn(rows, inside, device=DEVICE))
            exact = states.dequantized(torch.float64) @ weight.dequantized(torch.float64).t()
            of_weight = weight.scales.t().contiguous()
            line = f"{out:6} × {inside:6}, {rows:4} rows:"
            for dtype in (torch.float16, torch.bfloat16):
                for is_fast in (True, False):
                    name = f"{str(dtype).removeprefix('torch.')}{' fast' if is_fast else ''}"

                    act = partial(_scaled, states, weight.values, of_weight, dtype, is_fast)
                    try:
                        error = float((act().double() - exact).norm() / exact.norm())
                        time_taken = 1e3 * _milliseconds(act) / 8
                    except (RuntimeError, ValueError) as failure:
                        say(f"{line} {name}: {str(failure).splitlines()[0]}")
                        continue
                    found[f"{out} {inside} {rows} {name}"] = [time_taken, error]
                    line += f"  {name} {time_taken:.1f} µs {error:.1e}"
            plain = torch.randn(out, inside, device=DEVICE, dtype=torch.float16)
            given = torch.randn(rows, inside, device=DEVICE, dtype=torch.float16)

            def multiply(given: Tensor = given, plain: Tensor = plain) -> Tensor:
                for _ in range(8):
                    product = given @ plain.t()
                return product

            say(f"{line}  16 bits {1e3 * _milliseconds(multiply) / 8:.1f} µs")
    return found


def _scaled(
    rows: Float8Rows, values: Tensor, scales: Tensor, dtype: torch.dtype, is_fast: bool
) -> Tensor:
    # torch's public function is not in all versions that are measured.
    scaled_mm: Any = vars(torch)["_scaled_mm"]
    for _ in range(8):
        product = scaled_mm(
            rows.values,
            values.t(),
            scale_a=rows.scales,
            scale_b=scales,
            out_dtype=dtype,
            use_fast_accum=is_fast,
        )
    return product


# ---- all matrices -------------------------------------------------------------------------------


@torch.inference_mode()
def products(precisions: list[Precision]) -> dict[str, Any]:
    """Milliseconds of all matrices of the layers, and of the layers without attention."""
    found: dict[str, Any] = {}
    for precision in precisions:
        with opened(precision) as forward:
            model = forward.language_model
            say(f"{precision}: {forward.description}")
            for rows in ROWS:
                ways = dict(_ways(model, rows))
                times = {name: _milliseconds(act) for name, act in ways.items()}
                found[f"{precision} {rows}"] = times
                shown = "  ".join(f"{name} {time:.2f}" for name, time in times.items())
                say(f"{precision:8}{rows:4} rows: {shown}")
    return found


def _ways(model: LanguageModel, rows: int) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    layer = model.layers[0]
    drawn = {
        size: torch.randn(rows, size, device=DEVICE, dtype=model.dtype)
        for size in {matrix.weight.shape[1] for matrix in layer.matrices}
    }

    def multiply(states: dict[int, Any]) -> Tensor:
        for each in model.layers:
            for matrix in each.matrices:
                last = matrix(states[matrix.weight.shape[1]])
        return last

    kind = model.format
    if kind is not WeightFormat.FP8 or rows <= 64:
        yield "16-bit rows", lambda: multiply(drawn)
    if kind in (WeightFormat.INT8, WeightFormat.INT4) and rows > 64:
        for megabytes in (96, 200):
            other: Any = linear.Dequantizer(model.kernels)
            other._BUFFER_BYTES = megabytes << 20

            def with_buffer(other: Any = other) -> Tensor:
                for each in model.layers:
                    for matrix in each.matrices:
                        last = other.multiply(
                            drawn[matrix.weight.shape[1]], matrix.weight, matrix.bias
                        )
                return last

            yield f"buffer of {megabytes} MB", with_buffer
    if kind is not None and model.multiplies_float8:
        rounded = {size: Float8Rows.rounded(states) for size, states in drawn.items()}
        yield "rows in FP8", lambda: multiply(rounded)
        yield "layers in FP8", lambda: _layers(model, rows, 1)
    if kind is not WeightFormat.FP8 or rows <= 64:
        yield "layers", lambda: _layers(model, rows, NEVER)


def _layers(model: LanguageModel, rows: int, float8_rows: int) -> Tensor:
    width = model.heads * model.head_dim
    hidden = torch.ones(rows, model.embedding.shape[1], device=DEVICE, dtype=model.dtype)
    with all_in_float8(model.format, float8_rows):
        return model.run_layers(
            hidden, lambda _, states, __: float8.scaled(states)[:, :width].contiguous()
        )


@contextmanager
def all_in_float8(kind: WeightFormat | None, rows: int) -> Iterator[None]:
    """Within, so many rows and more are multiplied in FP8."""
    before = dict(linear.FLOAT8_ROWS)
    if kind is not None:
        linear.FLOAT8_ROWS[kind] = rows
    try:
        yield
    finally:
        linear.FLOAT8_ROWS.clear()
        linear.FLOAT8_ROWS.update(before)


def _milliseconds(act: Callable[[], Tensor]) -> float:
    """The median of a few replays."""
    run: Callable[[], Tensor] = act
    if ON_CARD:
        run = try_capture(act, [], DEVICE) or act
    run()
    times = []
    for _ in range(_TIMES):
        if ON_CARD:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end))
        else:
            started = time.perf_counter()
            run()
            times.append(1e3 * (time.perf_counter() - started))
    return sorted(times)[_TIMES // 2]


# ---- captions -----------------------------------------------------------------------------------


def bench(
    precisions: list[Precision],
    *,
    caches: Sequence[int],
    fillings: int,
    measures_dequantized: bool,
    slots: tuple[int, ...],
) -> dict[str, Any]:
    """As `onlooker bench`."""
    found: dict[str, Any] = {}
    for precision in precisions:
        kind = precision.weight_format
        ways = {"": linear.FLOAT8_ROWS.get(kind, NEVER) if kind else NEVER}
        is_integer = kind in (WeightFormat.INT8, WeightFormat.INT4)
        if is_integer and measures_dequantized and has_float8(DEVICE):
            ways[" dequantized"] = NEVER
        for (way, rows), cache in product(ways.items(), caches):
            quantizes_cache = cache == 8
            name = precision + way + (", 8-bit cache" if quantizes_cache else "")
            with all_in_float8(kind, rows):
                figures = _measure(precision, fillings, slots, quantizes_cache=quantizes_cache)
            found[name] = figures
            captions = figures["captions_per_second"]
            say(
                f"{name:34} {figures['tokens_per_second']:7.1f} tokens/s, "
                f"first token {1e3 * figures['seconds_to_first_token']:5.1f} ms, follow-up "
                f"{1e3 * figures['follow_up_seconds_to_first_token']:5.1f} ms, "
                + ", ".join(f"{rate:.1f} captions/s at {slots}" for slots, rate in captions.items())
                + f", {figures['peak_memory_bytes'] / 1e9:.1f} GB"
            )
    return found


def _measure(
    precision: Precision, fillings: int, slots: tuple[int, ...], *, quantizes_cache: bool
) -> dict[str, Any]:
    plan = Plan(
        ModelChoice("built-in", str(DEVICE), precision, quantizes_cache=quantizes_cache),
        SIZES,
        new_tokens=256 if ON_CARD else 8,
        answers=4 if ON_CARD else 1,
        slots=slots,
        fillings=fillings,
    )
    return measure_alone(plan, lambda *_: None, threading.Event())


@contextmanager
def opened(precision: Precision) -> Iterator[ForwardPass]:
    choice = ModelChoice("built-in", str(DEVICE), precision)
    engine = random_engine(choice, SIZES)
    assert engine._loop is not None
    try:
        yield engine._loop.forward
    finally:
        engine.close()
        gc.collect()
        if ON_CARD:
            torch.cuda.empty_cache()


STAGES: dict[str, Callable[[list[Precision]], Any]] = {
    "check": check,
    "scaled": scaled,
    "products": products,
}

if __name__ == "__main__":
    main()
