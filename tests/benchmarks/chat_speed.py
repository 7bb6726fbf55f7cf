"""Measures models of other architectures, with random weights, beside `generate()`.

    python -m tests.benchmarks.chat_speed --sizes joycaption
    python -m tests.benchmarks.chat_speed --device cpu --layers 1 --images 4 --slots 2

Printed are tokens a second and the time to the first token of single answers, ours and those of
`generate()`, and captions a second with many images at once, prepared ahead in threads as a folder
run does. `--layers` cuts the language model, to
try the script without a card. `onlooker bench` measures more, and takes minutes with these sizes.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from PIL import Image

from core.batch import prepared_ahead
from core.picture import Picture
from core.terminal.random_chat import RANDOM_MODELS, RandomModel, random_chat_engine
from core.transcript import Answer, ModelChoice, Precision, Request, Sampling, Turn

PROMPT = Turn("Please describe this image in detail.")


def main() -> int:
    options = _options()
    made = _cut(RANDOM_MODELS[options.sizes], options.layers)
    choice = ModelChoice(options.sizes, options.device, Precision(options.dtype))
    engine = random_chat_engine(choice, made)
    print(f"{engine.facts.model}: {engine.facts.dtype}, {engine.facts.memory_bytes / 1e9:.1f} GB")
    pictures = [
        Picture(path=None, pixels=Image.effect_noise((800, 600), 80 + number).convert("RGB"))
        for number in range(options.images)
    ]

    def request(number: int, tokens: int) -> Request:
        return Request(pictures[number], (PROMPT,), Sampling(max_new_tokens=tokens))

    try:
        for name, one, count in (("ours", engine, 4), ("generate()", engine.by_generate(), 2)):
            for number in range(min(count, len(pictures))):
                answer = _answer(one, request(number, options.new_tokens * 3 // 2))
                print(
                    f"{name}: {answer.tokens_per_second:.1f} tokens/s, first token after "
                    f"{answer.seconds_to_first_token * 1000:.0f} ms, prompt of "
                    f"{answer.input_tokens} tokens"
                )
        everything = [request(number, options.new_tokens) for number in range(len(pictures))]
        for requests in (everything[: options.slots], everything):  # The first warms up.
            began = time.perf_counter()
            ready: Iterable[Request] = requests
            if not options.as_asked:
                ready = prepared_ahead(requests, engine, options.slots)
            for _ in engine.answer_all(ready, threading.Event(), slots=options.slots):
                pass
            seconds = time.perf_counter() - began
        print(f"{len(everything) / seconds:.1f} captions/s with {options.slots} at once")
    finally:
        engine.close()
    return 0


def _answer(engine: Any, request: Request) -> Answer:
    return engine.answer(request, lambda _: None, threading.Event())


def _cut(made: RandomModel, layers: int | None) -> RandomModel:
    def config() -> Any:
        whole: Any = made.config()
        whole.text_config.num_hidden_layers = layers
        return whole

    return made if layers is None else replace(made, config=config)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("--sizes", choices=list(RANDOM_MODELS), default="joycaption")
    add("--device", default="auto")
    add("--dtype", default="auto")
    add("--layers", type=int, help="of the language model")
    add("--images", type=int, default=192)
    add("--slots", type=int, default=64)
    add("--new-tokens", type=int, default=64)
    add("--as-asked", action="store_true", help="prepare images in the loop's own thread")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
