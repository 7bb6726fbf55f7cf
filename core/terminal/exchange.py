"""`onlooker export` hands captions over to other programs, `onlooker import` takes theirs."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.batch import expanded
from core.captions.formats import SEPARATORS, CaptionFormat
from core.captions.sidecar import text_path
from core.errors import AppError, Cancelled
from core.files import exists
from core.message import translatable
from core.picture import look_for_pictures
from core.terminal import values
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    WRONG_USE,
    number_of,
    say,
    show_progress,
)
from core.workspace import (
    ImageRow,
    ReviewState,
    ScanStage,
    Workspace,
    WorkspaceOptions,
    only_table,
)
from core.workspace.export import (
    CAPTION_FORMATS,
    Contents,
    ExportFormat,
    ExportItem,
    ExportOptions,
    FoundInFile,
    ImageFiles,
    common_root,
    compared,
    export,
    gathered,
    matched,
    read_captions,
    until_stopped,
    with_reviews,
)

Print = Callable[[str], None]
_AddVerb = Callable[..., argparse.ArgumentParser]

_REVIEWS = {state.value: state for state in ReviewState}
# Of names that have something in common, so many are printed.
_NAMED = 20


def add_verbs(add_parser: _AddVerb) -> None:
    """Adds `onlooker export` and `onlooker import`, and their options."""
    _add_export(add_parser)
    _add_import(add_parser)


def _add_export(add_parser: _AddVerb) -> None:
    parser = add_parser(
        "export",
        help="hand captions over to other programs",
        description="Write the captions of images in another format. Images without a caption "
        "are left out, and no file is replaced that an export did not write.",
        epilog="Exit status: 0 success, 1 some images failed, 2 wrong usage, 130 interrupted.",
    )
    add = parser.add_argument
    add("paths", nargs="+", type=values.path, metavar="FOLDER", help="a folder or an image")
    add("--to", required=True, type=ExportFormat, choices=list(ExportFormat), metavar="FORMAT",
        help=", ".join(ExportFormat))  # fmt: skip
    add("--output", required=True, type=values.path, metavar="PATH",
        help="the new file; a folder for text, imagefolder, webdataset and xmp")  # fmt: skip
    add("--recursive", action="store_true", help="include subfolders")
    _add_beside(parser)
    add("--only", type=_reviews, metavar="REVIEW,…",
        help=f"captions with these reviews: {', '.join(_REVIEWS)}")  # fmt: skip
    add("--reviews", action="store_true",
        help="add the reviews: in columns, or for text and xmp as reviews.csv")  # fmt: skip
    add("--images", type=ImageFiles, choices=list(ImageFiles), default=ImageFiles.COPY,
        help="what becomes of the image files in a folder (default: %(default)s)")  # fmt: skip
    add("--suffix", choices=["txt", "caption"], default="txt",
        help="of text files (default: %(default)s)")  # fmt: skip
    add("--one-line", action="store_true", help="write each text file on one line")
    add("--column", default="text", type=values.word, metavar="NAME",
        help="of captions in metadata.jsonl (default: %(default)s)")  # fmt: skip
    add("--csv-separator", choices=list(SEPARATORS), default="comma",
        help="between columns (default: %(default)s)")  # fmt: skip
    add("--embed-images", action="store_true", help="put the images into the Parquet file")
    add("--shard-size", type=values.count, default=1000, metavar="MB",
        help="of WebDataset's tar files (default: %(default)s)")  # fmt: skip
    add(
        "--title",
        type=values.word,
        metavar="TEXT",
        help="of a page, or of COCO's description",
    )


def _add_import(add_parser: _AddVerb) -> None:
    parser = add_parser(
        "import",
        help="take captions that other programs wrote",
        description="Read captions from a CSV, JSON lines, JSON (COCO's or kohya's) or Parquet "
        "file, or from a folder of text files, XMP files or with a metadata.jsonl, and write them "
        "beside the images, or into a table of the folder. Reviews in them are taken over too. The "
        "window's Undo takes it back.",
        epilog="Exit status: 0 success, 1 some captions were not written, 2 wrong usage, "
        "130 interrupted.",
    )
    add = parser.add_argument
    add("paths", nargs="+", type=values.path, metavar="FOLDER", help="the folder of the images")
    add("--from", required=True, dest="source", type=values.path, metavar="PATH",
        help="the file or folder with captions")  # fmt: skip
    add("--recursive", action="store_true", help="include subfolders")
    add("--write", type=values.caption_source, default=CaptionFormat.TXT, metavar="KIND|TABLE",
        help=f"format of the caption files, {', '.join(CAPTION_FORMATS)}, or a table such as "
        "metadata.jsonl (default: %(default)s)")  # fmt: skip
    _add_name(parser)
    add("--replace", action="store_true",
        help="also where an image has another caption or review")  # fmt: skip


def _reviews(text: str) -> frozenset[ReviewState]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(_REVIEWS):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(_REVIEWS)}")
    return frozenset(_REVIEWS[name] for name in names)


def _add_beside(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--captions",
        type=values.caption_sources,
        metavar="KIND,…|TABLE",
        help="where captions are: the first of these that an image has, or a table such as "
        f"metadata.jsonl (default: {','.join(CAPTION_FORMATS)}, or the only table with captions)",
    )
    _add_name(parser)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name",
        default="{stem}",
        metavar="PATTERN",
        help="name of caption files, with {stem} or {name} in it (default: %(default)s)",
    )


def run(options: argparse.Namespace, stop: threading.Event, print_line: Print) -> int:
    """Runs the verb and returns the exit status."""
    try:
        for suffix in CAPTION_FORMATS:
            text_path(Path("picture.png"), f"{options.name}.{suffix}")
        pictures = _pictures(options.paths, is_recursive=options.recursive)
    except ValueError as error:
        say(f"onlooker: {error}")
        return WRONG_USE
    if not pictures:
        say("onlooker: There are no images in these folders.")
        return SOME_FAILED
    try:
        if options.verb == "export":
            return _export(pictures, options, stop, print_line)
        return _Import(pictures, options, stop, print_line).run()
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED


def _pictures(paths: Sequence[Path], *, is_recursive: bool) -> list[Path]:
    """Returns the images in folders, files and patterns. Raises ValueError for what is missing."""
    found = expanded(paths)
    for path in found:
        if not exists(path):
            raise ValueError(f"{path}: no such file or folder.")
    return look_for_pictures(found, is_recursive, trusts_suffix=True).pictures


def _export(
    pictures: list[Path], options: argparse.Namespace, stop: threading.Event, print_line: Print
) -> int:
    table = _table(options)
    formats: tuple[CaptionFormat, ...] = CAPTION_FORMATS
    if not table:
        formats = options.captions or formats
    # Only what keeps files of ours needs platformdirs.
    from core.locations import locations

    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if stop.is_set():
            raise Cancelled("")
        show_progress(min(0.999, done / len(pictures)), "Reading captions")

    known = _captions_in(pictures, table, options, stop) if table else None
    is_damaged = known is not None and len(known) < len(pictures)
    pictures = pictures if known is None else list(known)
    root = common_root(options.paths)
    found = gathered(pictures, root, formats, options.name, step, known)
    items = found.items
    if options.only or options.reviews:
        items = _reviewed(items, options, table or formats[0], stop)
    show_progress(0.0, "Writing")
    report = export(items, _export_options(options), locations().data / "exports.sqlite", stop)
    show_progress(1.0, "")
    for failure in (*found.failures, *report.failures):
        say(f"{failure.path}: {failure.reason}")
    if report.without_caption:
        count = report.without_caption
        was = "was" if count == 1 else "were"
        say(f"{number_of(count, 'image')} without a caption {was} left out.")
    reviews = f" and {number_of(report.reviews, 'review')}" if options.reviews else ""
    print_line(f"Exported {number_of(report.images, 'caption')}{reviews} to {report.output}.")
    is_damaged |= bool(found.failures or report.failures)
    is_empty = not report.images and not report.reviews
    return SOME_FAILED if is_damaged or is_empty else ALL_WELL


def _table(options: argparse.Namespace) -> str:
    """Returns the table with the captions; "" where they are beside the images."""
    if options.captions is None and "name" not in options.given:
        return only_table(_roots(options))
    return options.captions if isinstance(options.captions, str) else ""


def _captions_in(
    pictures: Sequence[Path], table: str, options: argparse.Namespace, stop: threading.Event
) -> dict[Path, str]:
    """Returns the captions in a table, without those that cannot be read, which it names. Raises
    Cancelled, and StoreError."""
    with closing(_workspace(options, table)) as workspace:
        workspace.scan(stop, lambda _: None, until=ScanStage.CAPTIONS)
        if stop.is_set():
            raise Cancelled("")
        rows = workspace.rows(workspace.ids())
    for problem, names in _by_problem(rows).items():
        _say_names(names, problem)
    known = {row.path: row.caption for row in rows if not row.problem}
    return {path: known[path.absolute()] for path in pictures if path.absolute() in known}


def _by_problem(rows: Sequence[ImageRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.problem:
            found.setdefault(row.problem, []).append(str(row.path))
    return found


def _reviewed(
    items: Sequence[ExportItem],
    options: argparse.Namespace,
    source: CaptionFormat | str,
    stop: threading.Event,
) -> list[ExportItem]:
    """Returns the items with the wanted reviews. Raises Cancelled, and StoreError."""
    with closing(_workspace(options, source)) as workspace:
        workspace.scan(stop, lambda _: None)
        if stop.is_set():
            raise Cancelled("")
        rows = workspace.rows(workspace.ids())
    if options.only:
        states = {row.path: row.review for row in rows}
        unknown = ReviewState.UNREVIEWED
        items = [
            item for item in items if states.get(item.path.absolute(), unknown) in options.only
        ]
    return with_reviews(items, rows) if options.reviews else list(items)


def _roots(options: argparse.Namespace) -> list[Path]:
    return [path.absolute() for path in expanded(options.paths)]


def _workspace(options: argparse.Namespace, source: CaptionFormat | str) -> Workspace:
    from core.locations import locations

    wanted = WorkspaceOptions(is_recursive=options.recursive, pattern=options.name)
    return Workspace.open(_roots(options), locations().data, wanted.reading(source))


def _export_options(options: argparse.Namespace) -> ExportOptions:
    return ExportOptions(
        options.to,
        options.output,
        images=options.images,
        suffix=options.suffix,
        pattern=options.name,
        is_one_line=options.one_line,
        column=options.column,
        csv_separator=SEPARATORS[options.csv_separator],
        embeds_images=options.embed_images,
        shard_bytes=options.shard_size * 1_000_000,
        title=options.title or "",
    )


@dataclass(frozen=True)
class _Import:
    """Writes the captions in a file beside the images, as one edit of their workspace."""

    pictures: list[Path]
    options: argparse.Namespace
    stop: threading.Event
    print_line: Print

    def run(self) -> int:
        options = self.options
        if not exists(options.source):
            say(f"onlooker: {options.source}: no such file or folder.")
            return WRONG_USE
        pictures = [path.absolute() for path in self.pictures]
        root = common_root(_roots(options))
        found = read_captions(options.source, self.stop)
        with closing(_workspace(options, options.write)) as workspace:
            workspace.scan(self.stop, lambda _: None)
            if self.stop.is_set():
                return INTERRUPTED
            rows = workspace.rows(workspace.ids())
            found = until_stopped(found, self.stop)
            matches = matched(found, pictures, root, Contents(rows, self.stop))
            return self._write(workspace, compared(rows, matches))

    def _write(self, workspace: Workspace, found: FoundInFile) -> int:
        kept, kept_reviews = found.differing, found.differing_reviews
        captions, reviews = found.new, found.new_reviews
        if self.options.replace:
            captions, reviews = (*captions, *kept), (*reviews, *kept_reviews)
            kept, kept_reviews = (), ()
        report = workspace.set_captions(
            {one.id: one.found for one in captions},
            translatable("core", "Import captions"),
            seen={one.id: one.own for one in captions},
            reviews={one.id: one.found for one in reviews},
        )
        for failure in report.failures:
            say(f"{failure.path}: {failure.reason}")
        for conflict in report.conflicts:
            say(f"{conflict.path}: changed meanwhile, not written")
        hint = "Use --replace to overwrite it."
        _say_names([str(one.path) for one in kept], f"has another caption. {hint}")
        _say_names([str(one.path) for one in kept_reviews], f"has another review. {hint}")
        _say_names(found.unknown, "there is no such image.")
        _say_names(found.unclear, "several images have this name.")
        failed = len(report.failures) + len(report.conflicts)
        self.print_line(_imported(len(captions) - failed, "caption", found.same))
        if reviews or found.same_reviews:
            self.print_line(_imported(len(reviews), "review", found.same_reviews))
        left = (failed, kept, kept_reviews, found.unknown, found.unclear)
        return SOME_FAILED if any(left) else ALL_WELL


def _imported(count: int, one: str, same: int) -> str:
    were = "was" if same == 1 else "were"
    return f"Imported {number_of(count, one)}; {same:,} {were} there already."


def _say_names(names: Sequence[str], what: str) -> None:
    for name in names[:_NAMED]:
        say(f"{name}: {what}")
    if (more := len(names) - _NAMED) > 0:
        say(f"{more:,} more: {what}")
