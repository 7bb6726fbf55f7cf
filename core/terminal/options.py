"""The command line's arguments, parsed into typed options; nothing here does what they ask for."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.batch import SEPARATORS, BatchOptions, CaptionFormat, Existing, TablePaths
from core.terminal import engines as engines_terminal
from core.terminal import models as models_terminal
from core.terminal.modes import Mode, NotingParser, mode_of, refusal
from core.transcript import BUILT_IN, ModelChoice, Precision, Sampling

PROMPT = "Please describe this image in detail."
_SEPARATORS = {"line": "\n", "comma": ", ", "space": " ", "none": ""}

_AddVerb = Callable[..., argparse.ArgumentParser]


@dataclass(frozen=True)
class FolderRunOptions:
    """A folder run. `asked` is what the command line says of it, with defaults for the rest;
    `given` names the options that are on the command line, by their `dest`."""

    asked: BatchOptions
    given: frozenset[str]
    slots: int | None
    resumes: bool
    retries_failed: bool
    undoes: bool
    evidence: Path | None

    @property
    def begun(self) -> BatchOptions | None:
        """Returns what a new run is to do; None if nothing is to be written anew."""
        return self.asked if self.asked.writes else None

    @property
    def continues(self) -> bool:
        """Returns whether an earlier run is asked for."""
        return self.resumes or self.retries_failed or self.undoes


@dataclass(frozen=True)
class CaptionOptions:
    """`onlooker caption`. `folder_run` is None if captions go to standard output."""

    paths: tuple[Path, ...]
    prompt: str
    choice: ModelChoice
    sampling: Sampling
    beginning: str
    is_recursive: bool
    asks_together: bool
    prints_json: bool
    trace: Path | None
    evidence: Path | None
    folder_run: FolderRunOptions | None


@dataclass(frozen=True)
class BenchOptions:
    """`onlooker bench`. `slots` are the numbers of slots to measure; None for the usual ones."""

    choice: ModelChoice
    random_weights: str | None
    new_tokens: int
    answers: int
    slots: tuple[int, ...] | None
    prints_json: bool


@dataclass(frozen=True)
class ModuleOptions:
    """A verb whose own module reads its arguments: `models` and `engines`."""

    verb: str
    arguments: argparse.Namespace


@dataclass(frozen=True)
class VerifyOptions:
    """`onlooker verify`. `output` None is a file named for the model, in the current folder."""

    choice: ModelChoice
    output: Path | None
    asks_hub: bool


Options = CaptionOptions | BenchOptions | ModuleOptions | VerifyOptions


def parse(argv: Sequence[str] | None) -> Options:
    """Parses the arguments, `sys.argv` for None. Raises SystemExit after help or a wrong use."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    match arguments.verb:
        case "caption":
            return _caption_options(parser, arguments)
        case "bench":
            return _bench_options(arguments)
        case "verify":
            return VerifyOptions(_choice(arguments), arguments.output, not arguments.offline)
        case verb:
            return ModuleOptions(verb, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="onlooker")
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=NotingParser
    )
    _add_caption(verbs.add_parser)
    models_terminal.add_verb(verbs.add_parser)
    engines_terminal.add_verb(verbs.add_parser)
    _add_bench(verbs.add_parser)
    _add_verify(verbs.add_parser)
    return parser


def _caption_options(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace
) -> CaptionOptions:
    if reason := refusal(arguments):
        parser.error(reason)
    prompts: list[str] = arguments.prompt or [PROMPT]
    sampling = Sampling(
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        max_new_tokens=arguments.max_new_tokens,
        seed=arguments.seed,
        banned_words=tuple(arguments.ban),
    )
    return CaptionOptions(
        paths=tuple(arguments.paths),
        prompt=prompts[0],
        choice=_choice(arguments),
        sampling=sampling,
        beginning=arguments.begin.strip(),
        is_recursive=arguments.recursive,
        asks_together=arguments.together,
        prints_json=arguments.format == "json",
        trace=arguments.trace,
        evidence=arguments.evidence,
        folder_run=_folder_run_options(arguments, prompts, sampling),
    )


def _folder_run_options(
    arguments: argparse.Namespace, prompts: Sequence[str], sampling: Sampling
) -> FolderRunOptions | None:
    if mode_of(arguments) is Mode.PRINT:
        return None
    asked = BatchOptions(
        prompts=tuple(prompts),
        writes=arguments.write or (),
        existing=arguments.existing,
        name=arguments.name,
        is_recursive=arguments.recursive,
        sampling=sampling,
        beginning=arguments.begin.strip(),
        strips_openings=arguments.strip_openings,
        ends_at_sentence=arguments.whole_sentences,
        replaces_edited=tuple(arguments.replace_edited),
        prefix=arguments.prefix,
        suffix=arguments.suffix,
        separator=arguments.separator,
        is_one_line=arguments.one_line,
        drops_duplicates=arguments.drop_duplicates,
        table_paths=arguments.table_paths,
        csv_separator=SEPARATORS[arguments.csv_separator],
    )
    return FolderRunOptions(
        asked=asked,
        given=arguments.given,
        slots=arguments.slots,
        resumes=arguments.resume,
        retries_failed=arguments.retry_failed,
        undoes=arguments.undo,
        evidence=arguments.evidence,
    )


def _bench_options(arguments: argparse.Namespace) -> BenchOptions:
    return BenchOptions(
        choice=_choice(arguments),
        random_weights=arguments.random_weights,
        new_tokens=arguments.max_new_tokens,
        answers=arguments.answers,
        slots=arguments.slots,
        prints_json=arguments.json,
    )


def _choice(arguments: argparse.Namespace) -> ModelChoice:
    return ModelChoice(arguments.model, arguments.device, Precision(arguments.dtype))


def _add_caption(add_verb: _AddVerb) -> None:
    caption = add_verb(
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
    add("--recursive", action="store_true", help="also the folders inside")
    add("--begin", default="", metavar="TEXT", help="every caption begins so, and goes on from it")
    add(
        "--together",
        action="store_true",
        help="ask once about all pictures, where the model looks at several",
    )
    add("--format", default="text", choices=["text", "json"], help="json: one object a line")
    add("--trace", type=Path, metavar="FILE", help="write what went through the pipeline as JSON")
    add(
        "--evidence",
        type=Path,
        metavar="FILE",
        help="write what each word and token rests on as JSON, one object a line in a folder run",
    )
    _add_folder_run(caption)


def _add_folder_run(caption: argparse.ArgumentParser) -> None:
    group = caption.add_argument_group(
        "folder run",
        "With one of these, captions are kept beside their pictures, and a run that was "
        "interrupted, by a power cut even, goes on where it was.",
    )
    add = group.add_argument
    add("--write", type=_formats, metavar="KIND,…", help=f"some of {', '.join(CaptionFormat)}")
    add(
        "--existing",
        type=_existing,
        default=Existing.SKIP,
        metavar="|".join(Existing),
        help="what becomes of captions that are there (default: %(default)s); stale: replace "
        "only what was made with another prompt, model or sampling",
    )
    add("--replace-edited", action="append", default=[], metavar="PICTURE",
        help="replace this picture's caption although it was edited by hand")  # fmt: skip
    add("--name", default="{stem}", metavar="PATTERN",
        help="of text and XMP files: {stem} or {name}, and more around it (default: %(default)s)",
    )  # fmt: skip
    add(
        "--prefix",
        default="",
        metavar="TEXT",
        help="put before each caption, as a trigger word; the model does not see it",
    )
    add("--suffix", default="", metavar="TEXT", help="the same behind each caption")
    add(
        "--separator",
        default="\n",
        type=_separator,
        metavar="line|comma|space|none|TEXT",
        help="between the caption that is there and the added one (default: line)",
    )
    add("--one-line", action="store_true", help="put each caption on one line")
    add("--drop-duplicates", action="store_true", help="keep each tag of a list once")
    add("--strip-openings", action="store_true", help="leave out “The image shows” and the like")
    add("--whole-sentences", action="store_true", help="end at a sentence when the length is used")
    _add_table_options(add)
    add("--slots", type=_slots, metavar="N", help="how many pictures are looked at at once")
    add("--resume", action="store_true", help="go on with the last run over these folders")
    add("--retry-failed", action="store_true", help="the same, with what failed")
    add("--undo", action="store_true", help="give all files of that run back what they held")


def _add_table_options(add: Callable[..., Any]) -> None:
    add(
        "--table-paths",
        type=TablePaths,
        choices=list(TablePaths),
        default=TablePaths.ABSOLUTE,
        help="how tables name pictures; relative: from the table's folder (default: %(default)s)",
    )
    add(
        "--csv-separator",
        choices=list(SEPARATORS),
        default="comma",
        help="between columns; spreadsheets want semicolons where the decimal sign is a comma "
        "(default: %(default)s)",
    )


def _add_bench(add_verb: _AddVerb) -> None:
    bench = add_verb(
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


def _add_verify(add_verb: _AddVerb) -> None:
    verify = add_verb(
        "verify",
        help="try a model and write a report for the developers",
        description="Compare a model's files with the hub's, ask it about two images that come "
        "with Onlooker, compare what the prompt became, and write a report to attach to an issue. "
        "The report names versions, the device and the model, and no folder or file of yours.",
        epilog="Exit status: 0 all as expected, 1 something differs or fails, 130 interrupted.",
    )
    add = verify.add_argument
    add("model", metavar="MODEL", help="a folder, or a name in the Hugging Face cache")
    add("--output", type=Path, metavar="FILE", help="where the report goes")
    add("--offline", action="store_true", help="do not compare the files with the hub's")
    _add_device(add)


def _add_model(add: Callable[..., Any]) -> None:
    add(
        "--model",
        default=BUILT_IN,
        metavar="NAME_OR_FOLDER",
        help="the built-in model, a folder with LLaVA-1.5, or its name in the Hugging Face cache",
    )
    _add_device(add)


def _add_device(add: Callable[..., Any]) -> None:
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


def _formats(text: str) -> tuple[CaptionFormat, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(CaptionFormat):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(CaptionFormat)}")
    return tuple(map(CaptionFormat, names))


def _existing(text: str) -> Existing:
    if text not in list(Existing):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(Existing)}")
    return Existing(text)


def _separator(text: str) -> str:
    return _SEPARATORS.get(text, text.replace("\\n", "\n").replace("\\t", "\t"))


def _slots(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)
