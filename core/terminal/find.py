"""`onlooker find`: the images of folders that a query finds, by their captions."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from pathlib import Path

from core.captions.formats import CaptionFormat
from core.errors import AppError
from core.terminal import values
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    as_json,
    is_ascii,
    say,
)
from core.workspace import (
    QUERY_KEYS,
    ImageRow,
    QueryError,
    ScanProgress,
    ScanStage,
    Sort,
    SortKey,
    Workspace,
    WorkspaceOptions,
    parse_query,
)
from core.workspace.export import CAPTION_FORMATS

Print = Callable[[str], None]


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker find` and its options."""
    find = add_parser(
        "find",
        help="find images of a folder by their captions, tags, sizes and reviews",
        description="Print the paths of the images that a query finds, one per line or as JSON. "
        f"Terms: {', '.join(f'{key}:' for key in QUERY_KEYS)} or plain words; and, or, not, "
        'parentheses, "quotes", the wildcards * and ?, and /regular expressions/.',
        epilog="Example: onlooker find photos 'tag:dog -tag:cat chars:>200'",
    )
    find.add_argument("folder", type=values.path, metavar="FOLDER", help="where the images are")
    find.add_argument(
        "query", nargs="*", metavar="QUERY", help="what to find; all images without it"
    )
    find.add_argument(
        "--sort",
        type=SortKey,
        choices=list(SortKey),
        default=SortKey.NAME,
        help="the order (default: name)",
    )
    find.add_argument("--reverse", action="store_true", help="the opposite order")
    find.add_argument("--not-recursive", action="store_true", help="leave out subfolders")
    find.add_argument(
        "--captions",
        type=values.caption_source,
        metavar="KIND|TABLE",
        help=f"where captions are: {', '.join(CAPTION_FORMATS)} beside the images, or a table such "
        "as metadata.jsonl (default: as in the window; txt, or where the only captions are)",
    )
    find.add_argument(
        "--name", default="{stem}", metavar="PATTERN", help="their names (default: {stem})"
    )
    find.add_argument(
        "--json", action="store_true", help="one JSON object per line, with the caption"
    )


def run(arguments: argparse.Namespace, stop: threading.Event, print_result: Print) -> int:
    """Finds and prints; returns the exit status: 1 if nothing is found, as grep does."""
    text = " ".join(arguments.query)
    try:
        query = parse_query(text)
        options = _options(arguments)
        folder: Path = arguments.folder
        if not folder.is_dir():
            say(f"onlooker: “{folder}” is not a folder. Name the folder with the images.")
            return WRONG_USE
        from core.locations import locations  # A library of the window's.

        workspace = Workspace.open([folder], locations().data, options)
    except QueryError as error:
        return _refused(text, error)
    except (AppError, ValueError) as error:
        say(f"onlooker: {error}")
        return SOME_FAILED
    try:
        last = ScanStage.FINGERPRINTS if "duplicate" in text else ScanStage.SIZES
        workspace.scan(stop, _ignore, until=last)
        if stop.is_set():
            return INTERRUPTED
        rows = workspace.rows(
            workspace.ids(query, Sort(arguments.sort, is_descending=arguments.reverse))
        )
    except QueryError as error:
        return _refused(text, error)
    finally:
        workspace.close()
    for note in workspace.notes:
        say(note)
    for row in rows:
        print_result(_json(row) if arguments.json else str(row.path))
    return ALL_WELL if rows else SOME_FAILED


def _options(arguments: argparse.Namespace) -> WorkspaceOptions:
    options = WorkspaceOptions(
        is_recursive=not arguments.not_recursive,
        pattern=arguments.name,
        takes_kept_format=not {"captions", "name"} & arguments.given,
    )
    source: CaptionFormat | str = arguments.captions or CaptionFormat.TXT
    return options.reading(source)


def _json(row: ImageRow) -> str:
    content = {
        "picture": str(row.path),
        "caption": row.caption,
        "width": row.width,
        "height": row.height,
        "review": row.review.value,
    }
    return as_json(content, is_ascii=is_ascii())


def _refused(text: str, error: QueryError) -> int:
    say(f"onlooker: {error}\n  {text}\n  {' ' * error.start}^")
    return WRONG_USE


def _ignore(progress: ScanProgress) -> None:
    """The scan is too short for progress to be printed."""
