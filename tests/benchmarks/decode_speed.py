"""The decode loop beside plain `generate()` on this processor, in each precision and thread count.

    python tests/benchmarks/decode_speed.py [--random-weights built-in]

Takes minutes and prints ratios measured in one run; nothing is asserted. The sizes are the
built-in model's. Each setting runs in a process of its own, because torch counts its threads once.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOTS = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--random-weights", choices=["built-in", "llava-1.5-7b"])
    parser.add_argument("--max-new-tokens", default=128, type=int)
    parser.add_argument("--answers", default=5, type=int)
    options = parser.parse_args()
    print(f"{'':20}{'tokens/s':>22}{'ms to first token':>22}{'follow-up':>16}  captions/s at")
    print(f"{'':20}{'loop generate ratio':>22}{'loop generate':>22}{'loop gen.':>16}", end="  ")
    print("".join(f"{slots:>7}" for slots in SLOTS))
    for threads in (1, 2):
        for dtype in ("float32", "bfloat16"):
            print_row(f"{threads} threads, {dtype}", report(threads, dtype, options))


def report(threads: int, dtype: str, options: argparse.Namespace) -> dict:
    arguments = ["bench", "--json", "--device", "cpu", "--dtype", dtype]
    arguments += ["--slots", ",".join(map(str, SLOTS))]
    arguments += ["--max-new-tokens", str(options.max_new_tokens)]
    arguments += ["--answers", str(options.answers)]
    if options.random_weights:
        arguments += ["--random-weights", options.random_weights]
    run = subprocess.run(
        [sys.executable, "-m", "core.terminal", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(run.stdout)


def print_row(name: str, measured: dict) -> None:
    loop, plain = measured["loop"], measured["generate"]
    ratio = loop["tokens_per_second"] / plain["tokens_per_second"]
    first = [1e3 * way["seconds_to_first_token"] for way in (loop, plain)]
    follow_up = [1e3 * way["follow_up_seconds_to_first_token"] for way in (loop, plain)]
    print(f"{name:20}{loop['tokens_per_second']:8.0f}{plain['tokens_per_second']:8.0f}", end="")
    print(f"{ratio:6.2f}{first[0]:12.0f}{first[1]:10.0f}", end="")
    print(f"{follow_up[0]:9.0f}{follow_up[1]:7.0f}", end="  ")
    print("".join(f"{loop['captions_per_second'][str(slots)]:7.2f}" for slots in SLOTS))


if __name__ == "__main__":
    main()
