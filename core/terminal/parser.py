"""The arguments of the command line and their help: what argparse accepts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from core.captions.formats import SEPARATORS, CaptionFormat, TablePaths
from core.captions.sidecar import Existing
from core.terminal import engines as engines_terminal
from core.terminal import exchange as exchange_terminal
from core.terminal import find as find_terminal
from core.terminal import models as models_terminal
from core.terminal import plan as plan_terminal
from core.terminal import presets as presets_terminal
from core.terminal import servers as servers_terminal
from core.terminal import values
from core.terminal.modes import NotingParser
from core.transcript import BUILT_IN, Precision, Sampling

PROMPT = "Please describe this image in detail."

_AddVerb = Callable[..., argparse.ArgumentParser]


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line, with a subparser for each verb."""
    parser = argparse.ArgumentParser(prog="onlooker")
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", parser_class=NotingParser
    )
    _add_caption(verbs.add_parser)
    models_terminal.add_verb(verbs.add_parser)
    servers_terminal.add_verb(verbs.add_parser)
    engines_terminal.add_verb(verbs.add_parser)
    find_terminal.add_verb(verbs.add_parser)
    _add_bench(verbs.add_parser)
    _add_verify(verbs.add_parser)
    _add_serve(verbs.add_parser)
    exchange_terminal.add_verbs(verbs.add_parser)
    plan_terminal.add_verb(verbs.add_parser)
    presets_terminal.add_verb(verbs.add_parser)
    return parser


def _add_caption(add_verb: _AddVerb) -> None:
    caption = add_verb(
        "caption",
        help="describe images",
        description="Print descriptions of images, word by word.",
        epilog="Exit status: 0 success, 1 some images failed, 2 wrong usage, 130 interrupted.",
    )
    add = caption.add_argument
    add(
        "paths",
        nargs="+",
        type=values.path,
        metavar="IMAGE",
        help="an image or a folder of images",
    )
    _add_prompts(add)
    _add_model(add)
    _add_servers(add)
    _add_sampling(add)
    add("--recursive", action="store_true", help="include subfolders")
    add(
        "--begin",
        default="",
        metavar="TEXT",
        help="start of every caption, which the model continues",
    )
    add(
        "--together",
        action="store_true",
        help="ask about all images at once, if the model takes several",
    )
    add("--format", default="text", choices=["text", "json"], help="json: one object per line")
    add("--trace", type=values.path, metavar="FILE", help="write a trace of the pipeline as JSON")
    add(
        "--evidence",
        type=values.path,
        metavar="FILE",
        help="write the evidence for each word and token as JSON; in a folder run, one object "
        "per line",
    )
    _add_folder_run(caption)


def _add_prompts(add: Callable[..., Any]) -> None:
    add(
        "--prompt",
        action="append",
        type=values.prompt,
        metavar="TEXT",
        help=f"the question (default: {PROMPT}); a folder run takes several. {{name}}, {{stem}}, "
        "{folder}, {index}, {caption}, {date}, {place}, {camera}, {description}, {keywords}, "
        "{people}, {folder_note} and {exif:…} are filled in; a part in brackets, as "
        "“[taken in {place}]”, is left out if the value is missing",
    )
    add("--note", default="", metavar="TEXT", help="what {folder_note} stands for")
    add("--send-metadata", action="store_true",
        help="let a server know what {place}, {people} and the like say")  # fmt: skip
    add("--preset", type=values.word, metavar="NAME",
        help="prompts and options for a job; see `onlooker presets`")  # fmt: skip
    add("--most-characters", type=values.count, default=0, metavar="N",
        help="ask again until the first answer is no longer than N, such as 125 for "
        "alt text")  # fmt: skip
    add("--vocabulary", type=values.path, metavar="FILE",
        help="keep only tags of this list, one on each line or in the first column of a CSV file; "
        "{vocabulary} stands for them")  # fmt: skip
    add("--only-tag", action="append", default=[], type=values.word, metavar="TAG",
        help="keep this tag, and no others but those of --vocabulary; repeatable")  # fmt: skip


def _add_sampling(add: Callable[..., Any]) -> None:
    add("--max-new-tokens", default=512, type=values.count, metavar="N")
    add(
        "--temperature",
        default=0.0,
        type=values.temperature,
        metavar="T",
        help="default: 0, no sampling",
    )
    add("--top-p", default=1.0, type=values.share, metavar="P")
    add(
        "--top-k",
        default=Sampling().top_k,
        type=values.top_k,
        metavar="K",
        help="choose among the K likeliest tokens; 0: among all (default: %(default)s)",
    )
    add(
        "--repetition-penalty",
        default=1.0,
        type=values.repetition_penalty,
        metavar="X",
        help="above 1, words that were said become less likely (default: %(default)s)",
    )
    add(
        "--beams",
        default=1,
        type=values.beams,
        metavar="N",
        help="of beam search (default: %(default)s, none)",
    )
    add("--seed", type=values.seed, metavar="N", help="makes sampling repeatable")
    add(
        "--ban",
        action="append",
        default=[],
        type=values.word,
        metavar="WORD",
        help="word to avoid; repeatable",
    )


def _add_folder_run(caption: argparse.ArgumentParser) -> None:
    group = caption.add_argument_group(
        "folder run",
        "These options save captions beside the images. An interrupted run can be resumed, even "
        "after a power cut.",
    )
    add = group.add_argument
    add(
        "--write",
        type=values.written,
        metavar="KIND,…",
        help=f"formats to write: {', '.join(CaptionFormat)}; or a table such as metadata.jsonl, in "
        "whose rows the captions of the folder are",
    )
    add(
        "--existing",
        type=values.existing,
        default=Existing.SKIP,
        metavar="|".join(Existing),
        help="what to do with existing captions (default: %(default)s); stale: replace only "
        "captions made with other settings; generated: replace only what a model wrote and nobody "
        "has changed",
    )
    add("--then-model", action="append", default=[], type=values.word, metavar="NAME_OR_FOLDER",
        help="caption the same images afterwards with this model too, as a run of its own, so that "
        "the window compares the answers; repeatable; --resume does those that are left. Needs "
        "--existing")  # fmt: skip
    add(
        "--keywords-last",
        action="store_true",
        help="the last prompt is answered by keywords, which are a paragraph of their own",
    )
    add("--replace-edited", action="append", default=[], metavar="IMAGE",
        help="overwrite this image's hand-edited caption")  # fmt: skip
    add("--name", default="{stem}", metavar="PATTERN",
        help="name of text and XMP files, with {stem} or {name} in it (default: %(default)s)",
    )  # fmt: skip
    _add_wording(add)
    _add_table_options(add)
    add("--slots", type=values.slots, metavar="N", help="images captioned at once, on each card")
    add("--cards", type=values.cards, default=(), metavar="all|N,N",
        help="graphics cards to use, by number (default: all that the model fits on)")  # fmt: skip
    _add_past_runs(add)


def _add_wording(add: Callable[..., Any]) -> None:
    add(
        "--prefix",
        default="",
        metavar="TEXT",
        help="text before each caption, such as a trigger word; the model does not see it",
    )
    add("--suffix", default="", metavar="TEXT", help="text after each caption")
    add(
        "--separator",
        default="\n",
        type=values.separator,
        metavar="line|comma|space|none|TEXT",
        help="between the existing caption and the added one (default: line)",
    )
    add("--one-line", action="store_true", help="write each caption on one line")
    add("--drop-duplicates", action="store_true", help="remove duplicate tags")
    add("--strip-openings", action="store_true", help="remove openings such as “The image shows”")
    add("--whole-sentences", action="store_true", help="end captions after a whole sentence")


def _add_past_runs(add: Callable[..., Any]) -> None:
    add(
        "--resume",
        action="store_true",
        help="resume the last run over these folders, with its model",
    )
    add("--retry-failed", action="store_true", help="resume, and retry the failed images")
    add("--undo", action="store_true", help="restore all files to their state before that run")


def _add_table_options(add: Callable[..., Any]) -> None:
    add(
        "--table-paths",
        type=TablePaths,
        choices=list(TablePaths),
        default=TablePaths.ABSOLUTE,
        help="how tables name images; relative: to the table's folder (default: %(default)s)",
    )
    add(
        "--csv-separator",
        choices=list(SEPARATORS),
        default="comma",
        help="between columns; use semicolon for spreadsheets with decimal commas "
        "(default: %(default)s)",
    )


def _add_bench(add_verb: _AddVerb) -> None:
    bench = add_verb(
        "bench",
        help="measure the speed of answers",
        description="Measure the speed of answers, compared with transformers' generate().",
    )
    add = bench.add_argument
    _add_model(add)
    add(
        "--random-weights",
        choices=[
            *("llava-1.5-7b", "llava-1.5-13b", "built-in"),
            *("joycaption", "llava-1.6-mistral-7b", "llava-1.6-vicuna-7b"),
            *("llava-onevision-7b", "qwen3-vl-8b", "bakllava"),
        ],
        help="use random weights of this size instead of a model",
    )
    add("--max-new-tokens", default=256, type=values.count, metavar="N")
    add(
        "--answers",
        default=10,
        type=values.count,
        metavar="N",
        help="number of answers (default: %(default)s)",
    )
    add(
        "--slots",
        type=values.counts,
        metavar="N,N",
        help="images captioned at once (default: 1,8,32,64 on a card, else 1,8)",
    )
    add("--cards", type=values.cards, default=(), metavar="all|N,N",
        help="graphics cards to caption on together (default: all)")  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of a table")


def _add_verify(add_verb: _AddVerb) -> None:
    verify = add_verb(
        "verify",
        help="try a model and write a report for the developers",
        description="Compare a model's files with the hub's, ask it about two images that come "
        "with Onlooker, compare the prompt that it is given, and write a report to attach to an "
        "issue. "
        "The report names versions, the device and the model, and no folder or file of yours.",
        epilog="Exit status: 0 all as expected, 1 something differs or fails, 130 interrupted.",
    )
    add = verify.add_argument
    add("model", metavar="MODEL", help="a folder, or a name in the Hugging Face cache")
    add("--output", type=values.path, metavar="FILE", help="where the report goes")
    add("--offline", action="store_true", help="do not compare the files with the hub's")
    _add_device(add)


def _add_serve(add_verb: _AddVerb) -> None:
    serve = add_verb(
        "serve",
        help="answer other programs and computers through OpenAI's API",
        description="Load a model and answer requests of OpenAI's chat completions at "
        "http://HOST:PORT/v1, several at once. Images come as data URLs; nothing is fetched. "
        "The key that clients send is read from the variable ONLOOKER_SERVE_KEY or from the "
        "keyring; other computers are let in with a key alone.",
        epilog="Exit status: 1 it could not start, 2 wrong usage, 130 interrupted.",
    )
    add = serve.add_argument
    _add_model(add)
    add(
        "--host",
        default="127.0.0.1",
        type=values.word,
        metavar="ADDRESS",
        help="where to listen (default: %(default)s, this computer alone; 0.0.0.0 for others)",
    )
    add("--port", default=8000, type=values.port, metavar="N", help="default: %(default)s")
    add("--slots", type=values.slots, metavar="N", help="requests answered at once, on each card")
    add("--cards", type=values.cards, default=(), metavar="all|N,N",
        help="graphics cards to use, by number (default: all); logprobs need one")  # fmt: skip
    add(
        "--queue",
        default=64,
        type=values.queue,
        metavar="N",
        help="requests that may wait; more get status 503 (default: %(default)s)",
    )
    add("--set-key", action="store_true", help="ask for a key, keep it in the keyring and exit")


def _add_model(add: Callable[..., Any]) -> None:
    add(
        "--model",
        default=BUILT_IN,
        metavar="NAME_OR_FOLDER",
        help="built-in (default), a folder, or a name in the Hugging Face cache",
    )
    _add_device(add)


def _add_servers(add: Callable[..., Any]) -> None:
    add(
        "--server",
        action="append",
        default=[],
        type=values.server,
        metavar="URL[,WEIGHT]",
        help="use the model NAME of a server with OpenAI's API; repeatable, to share the work; see "
        "onlooker servers",
    )
    add("--parallel", type=values.slots, metavar="N", help="most images at once per server")
    add(
        "--image-side",
        default=1024,
        type=values.image_side,
        metavar="PIXELS",
        help="longer side of images sent to a server (default: %(default)s)",
    )
    add(
        "--image-format",
        default="jpeg",
        choices=["jpeg", "png"],
        help="format of images sent to a server (default: %(default)s)",
    )


def _add_device(add: Callable[..., Any]) -> None:
    add("--device", default="auto", type=values.device, metavar="auto|cpu|cuda[:N]")
    add(
        "--dtype",
        default="auto",
        choices=[precision.value for precision in Precision],
        help="8-bit, 4-bit and fp8 need less memory; fp8 needs a newer NVIDIA card (compute "
        "capability 8.9)",
    )
    add(
        "--kv-cache",
        default="full",
        choices=["full", Precision.BITS_8.value],
        help="8-bit needs half the memory for each image at once, and is faster with many",
    )
