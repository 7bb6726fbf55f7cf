"""`onlooker caption`, `bench` and `models`: the terminal, the second client of the core."""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engine import Capability, Engine, inspectable
from core.errors import AppError, Cancelled, CheckpointError
from core.picture import Picture, find_pictures, open_picture
from core.terminal import batch as batch_terminal
from core.terminal import models as models_terminal
from core.trace import as_record
from core.transcript import BUILT_IN, Answer, ModelChoice, Precision, Request, Sampling, Turn

PROMPT = "Please describe this image in detail."

ALL_WELL, SOME_FAILED, INTERRUPTED, BROKEN_PIPE = 0, 1, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb of the terminal and give its exit status; 2 is a wrong use."""
    # Before torch: its threads spin for milliseconds while they wait, and where other programs
    # want the cores too each token then takes up to forty times as long. So short a spin costs
    # nothing on idle cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # Python's last look for rings of garbage goes through all of torch and transformers, and the
    # terminal would wait for it more than a second after the last word.
    atexit.register(gc.freeze)
    try:
        parser = _parser()
        options = parser.parse_args(argv)
        if options.verb == "caption":
            options.prompts = options.prompt or [PROMPT]
            if len(options.prompts) > 1 and not batch_terminal.is_wanted(options):
                parser.error("several prompts need --write")
            if options.evidence and batch_terminal.is_wanted(options):
                parser.error("--evidence is for a run without --write")
    except SystemExit as ended:
        return int(ended.code or 0)
    try:
        with _stop_on_interrupt() as stop:
            if options.verb == "bench":
                return _bench(options, stop)
            if options.verb == "models":
                return models_terminal.run(options, stop, _print)
            captions = _Captions(options, stop)
            if batch_terminal.is_wanted(options):
                return batch_terminal.run(options, captions.sampling, captions.open_engine)
            return captions.run()
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python would complain of it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED


# ---- what is asked -----------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="onlooker")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    caption = verbs.add_parser(
        "caption",
        help="describe pictures",
        description="Describe pictures, word by word, on standard output.",
        epilog="Exit status: 0 all well, 1 some pictures failed, 2 wrong use, 130 interrupted.",
    )
    add = caption.add_argument
    add("paths", nargs="+", type=Path, metavar="PICTURE", help="a picture or a folder of them")
    add(
        "--prompt",
        action="append",
        metavar="TEXT",
        help=f"what to ask (default: {PROMPT}); a folder run takes several, and fills in {{name}}, "
        "{stem}, {folder}, {index}, {caption} and {exif:…}",
    )
    _add_model(add)
    add("--max-new-tokens", default=512, type=_count, metavar="N")
    add("--temperature", default=0.0, type=_temperature, metavar="T", help="0, the default: greedy")
    add("--top-p", default=1.0, type=_share, metavar="P")
    add("--seed", type=_seed, metavar="N", help="makes a sampled caption come again")
    add(
        "--ban", action="append", default=[], metavar="WORD", help="never say this; may be repeated"
    )
    add(
        "--together",
        action="store_true",
        help="ask once about all pictures, where the model looks at several",
    )
    add("--format", default="text", choices=["text", "json"], help="json: one object a line")
    add("--trace", type=Path, metavar="FILE", help="write what went through the pipeline as JSON")
    add("--evidence", type=Path, metavar="FILE", help="write what each word rests on as JSON")
    batch_terminal.add_arguments(caption)
    models_terminal.add_arguments(
        verbs.add_parser(
            "models",
            help="what models are here; get, check and remove them",
            description="List the models on this computer and those to be had; get, check and "
            "remove them.",
        )
    )
    bench = verbs.add_parser(
        "bench",
        help="measure how fast answers come",
        description="Measure how fast answers come, with transformers' own generate() beside it.",
    )
    add = bench.add_argument
    _add_model(add)
    add(
        "--random-weights",
        choices=["llava-1.5-7b", "built-in"],
        help="a model of these sizes that talks nonsense, instead of a checkpoint",
    )
    add("--max-new-tokens", default=256, type=_count, metavar="N")
    add("--answers", default=10, type=_count, metavar="N", help="how many (default: %(default)s)")
    add(
        "--slots",
        type=_counts,
        metavar="N,N",
        help="how many pictures are looked at at once (default: 1,8,32,64 on a card, else 1,8)",
    )
    add("--json", action="store_true", help="one JSON object instead of the table")
    return parser


def _add_model(add: Callable[..., Any]) -> None:
    add(
        "--model",
        default=BUILT_IN,
        metavar="NAME_OR_FOLDER",
        help="the built-in model, a folder with LLaVA-1.5, or its name in the Hugging Face cache",
    )
    add("--device", default="auto", type=_device, metavar="auto|cpu|cuda[:N]")
    add(
        "--dtype",
        default="auto",
        choices=[precision.value for precision in Precision],
        help="8-bit and 4-bit take less memory",
    )


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("must be auto, cpu, cuda or cuda:N")
    return text


def _count(text: str) -> int:
    return int(_number(text, int, 1, 100_000))


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(number) for number in text.split(","))


def _seed(text: str) -> int:
    return int(_number(text, int, 0, 2**63 - 1))


def _temperature(text: str) -> float:
    return _number(text, float, 0, 100)


def _share(text: str) -> float:
    share = _number(text, float, 0, 1)
    if share == 0:
        raise argparse.ArgumentTypeError("must be over 0")
    return share


def _number(text: str, kind: Callable[[str], float], least: float, most: float) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be a number from {least} to {most}")
    return number


@contextmanager
def _stop_on_interrupt() -> Iterator[threading.Event]:
    """An event that the first Ctrl+C sets; the second one interrupts as ever."""
    stop = threading.Event()

    def on_interrupt(*_: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


# ---- what is done ------------------------------------------------------------------------------


def _bench(options: argparse.Namespace, stop: threading.Event) -> int:
    choice = ModelChoice(options.model, options.device, Precision(options.dtype))
    try:
        with _torch_wanted():
            from core.terminal.bench import Plan, measure
            from core.terminal.bench_table import table
        plan = Plan(
            choice,
            options.random_weights,
            new_tokens=options.max_new_tokens,
            answers=options.answers,
            slots=options.slots,
        )
        report = measure(plan, _show_progress, stop)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        _say(f"onlooker: {error}")
        return SOME_FAILED
    _print(
        json.dumps(report, ensure_ascii=_is_ascii(), indent=1) if options.json else table(report)
    )
    return ALL_WELL


@contextmanager
def _torch_wanted() -> Iterator[None]:
    """Around imports that take seconds: torch and transformers."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise CheckpointError(
            f"PyTorch and transformers cannot be started ({error}). Install Onlooker again."
        ) from error


class _Captions:
    """One run over pictures; a picture that fails is reported and the run goes on."""

    def __init__(self, options: argparse.Namespace, stop: threading.Event):
        self._options = options
        self._stop = stop
        self._has_failures = False
        self._traces: list[dict[str, Any]] = []
        self._evidence: list[dict[str, Any]] = []
        self.sampling = Sampling(
            temperature=options.temperature,
            top_p=options.top_p,
            max_new_tokens=options.max_new_tokens,
            seed=options.seed,
            banned_words=tuple(options.ban),
        )

    def run(self) -> int:
        pictures = self._find_pictures()
        try:
            # An error among the pictures' names is reported before seconds go into loading a model.
            engine = self.open_engine() if pictures else None
        except Cancelled:
            return INTERRUPTED
        except AppError as error:
            return self._fail("", error)
        if engine is not None:
            self._caption(pictures, engine)
            engine.close()
        if self._stop.is_set():
            return INTERRUPTED
        return SOME_FAILED if self._has_failures else ALL_WELL

    def _find_pictures(self) -> list[Path]:
        pictures: list[Path] = []
        for path in self._options.paths:
            if not path.is_dir():
                pictures.append(path)
            elif found := find_pictures([path]):
                pictures += found
            else:
                self._fail(str(path), "There are no pictures in this folder.")
        return pictures

    def open_engine(self) -> Engine:
        with _torch_wanted():
            from core.open_engine import open_engine

        options = self._options
        choice = ModelChoice(options.model, options.device, Precision(options.dtype))
        engine = open_engine(choice, _show_progress, self._stop)
        for note in engine.facts.notes:
            _say(note)
        if engine.facts.knows_only_drawings:
            _say(
                "The built-in model knows drawn pictures, not photographs. "
                "For those, give --model a folder with LLaVA-1.5-7b."
            )
        return engine

    def _caption(self, pictures: list[Path], engine: Engine) -> None:
        groups = [pictures] if self._options.together else [[path] for path in pictures]
        for paths in groups:
            if self._stop.is_set():
                break
            try:
                picture, *others = [self._open(path) for path in paths]
                turns = (Turn(self._options.prompts[0]),)
                request = Request(picture, turns, self.sampling, others=tuple(others))
                self._answer(paths[0], request, engine, is_one_of_many=len(groups) > 1)
            except Cancelled:
                break
            except AppError as error:
                self._fail(", ".join(map(str, paths)), error)
        self._write("trace", self._options.trace, self._traces)
        self._write("evidence", self._options.evidence, self._evidence)

    def _open(self, path: Path) -> Picture:
        picture = open_picture(path)
        for note in picture.notes:
            _say(f"{path}: {note}")
        return picture

    def _answer(
        self, path: Path, request: Request, engine: Engine, *, is_one_of_many: bool
    ) -> None:
        if self._options.format == "json":
            answer = engine.answer(request, lambda piece: None, self._stop)
            _print(json.dumps(_record(path, request, answer, engine), ensure_ascii=_is_ascii()))
        else:
            if is_one_of_many:
                _print(f"{path}:")
            try:
                answer = engine.answer(request, lambda piece: _print(piece, end=""), self._stop)
            finally:
                _print("\n" if is_one_of_many else "")
        if self._options.trace:
            tracer = inspectable(engine, Capability.TRACE)
            self._traces.append(as_record(tracer.trace(request, answer)))
        if self._options.evidence:
            record = self._evidence_record(request, answer, engine)
            self._evidence.append({"picture": str(path), **record})

    def _evidence_record(self, request: Request, answer: Answer, engine: Engine) -> dict[str, Any]:
        """Of each word what it rests on; of those with content also where."""
        examiner = inspectable(engine, Capability.EVIDENCE)
        evidence = examiner.evidence(request, answer, self._stop)
        content = [word for word in evidence.words if word.is_content]
        maps = dict(zip(content, examiner.word_maps(request, answer, content), strict=True))
        words = [
            {
                "text": word.text,
                "begin": word.begin,
                "end": word.end,
                "confidence": round(word.probability, 4),
                "candidates": {c.text: round(c.probability, 4) for c in word.candidates},
                "gain": round(word.gain, 3),
                "doubt": None if word.doubt is None else round(word.doubt, 4),
                "box": [round(edge, 1) for edge in maps[word].strongest_box]
                if word in maps
                else None,
            }
            for word in evidence.words
        ]
        return {"text": answer.text, "model": engine.facts.model, "words": words}

    def _write(self, name: str, path: Path | None, records: list[dict[str, Any]]) -> None:
        """One picture's record by itself, several in a list."""
        if path is None or not records:
            return
        try:
            content = records[0] if len(records) == 1 else records
            path.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
        except OSError as error:
            self._fail(str(path), f"The {name} cannot be written ({error.strerror}).")

    def _fail(self, name: str, error: AppError | str) -> int:
        self._has_failures = True
        _say(f"onlooker: {name}: {error}" if name else f"onlooker: {error}")
        return SOME_FAILED


def _record(path: Path, request: Request, answer: Answer, engine: Engine) -> dict[str, Any]:
    return {
        "picture": str(path),
        "prompt": request.turns[-1].prompt,
        "caption": answer.text,
        "ending": answer.ending.value,
        "model": engine.facts.model,
        "device": engine.facts.device,
        "dtype": engine.facts.dtype,
        "input_tokens": answer.input_tokens,
        "new_tokens": answer.tokens,
        "seconds_to_first_token": round(answer.seconds_to_first_token, 4),
        "tokens_per_second": round(answer.tokens_per_second, 2),
        "notes": list(request.picture.notes),
    }


def _print(text: str, end: str = "\n") -> None:
    try:
        print(text, end=end, flush=True)
    except UnicodeEncodeError:  # A terminal that cannot show every character.
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "replace").decode(encoding), end=end, flush=True)


def _is_ascii() -> bool:
    return "utf" not in (sys.stdout.encoding or "").lower()


def _show_progress(fraction: float, stage: str) -> None:
    """One line that grows, where a person looks; none in a log."""
    if sys.stderr.isatty():
        # Clears the line; the caption takes its place.
        line = "" if fraction == 1 else f"{stage} … {fraction:.0%}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
