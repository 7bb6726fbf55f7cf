"""Tables that a run continues: those of earlier runs in the same folder, known by their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from core.batch import export
from core.batch.export import TableFormat
from core.batch.find import export_folder
from core.batch.history import KeptRun, find_runs, read_begin
from core.batch.journal import is_in_use
from core.batch.options import BatchOptions
from core.batch.run_events import Begun
from core.batch.stored import StoredTable
from core.batch.tables import Tables
from core.captions.formats import CaptionFormat
from core.errors import StoreError
from core.files import read_bytes


def tables_of(
    roots: Sequence[Path],
    formats: Iterable[CaptionFormat],
    options: BatchOptions,
    journals: Path,
) -> tuple[dict[CaptionFormat, Path], dict[CaptionFormat, StoredTable]]:
    """Returns the tables of a run that begins, and what those of them hold that it continues.

    It continues what earlier runs over the same folders wrote in the same form, if nobody has
    changed it; beside other files it begins a table of its own. An empty table of theirs, which a
    run has left that was killed before its first row, is used as if it were not there.
    """
    folder = export_folder(roots)
    paths: dict[CaptionFormat, Path] = {}
    earlier: dict[CaptionFormat, StoredTable] = {}
    runs = find_runs(journals)
    for one in formats:
        in_folder = [run for run in runs if one in run.tables and run.tables[one].parent == folder]
        has_form = {
            run.tables[one] for run in in_folder if _have_same_form(run.options, options, one)
        }
        for path in dict.fromkeys(run.tables[one] for run in in_folder):
            content = _content_by_runs(path, TableFormat(one, options.csv_separator), roots, runs)
            if content is None or (content and path not in has_form):
                continue
            paths[one] = path
            if content:
                earlier[one] = StoredTable.of(content)
            break
        else:
            paths[one] = export.free_path(folder, one)
    return paths, earlier


def _have_same_form(one: BatchOptions, other: BatchOptions, kind: CaptionFormat) -> bool:
    return one.table_paths is other.table_paths and (
        kind is not CaptionFormat.CSV or one.csv_separator == other.csv_separator
    )


def continued_by_later(journal: Path, begun: Begun) -> dict[CaptionFormat, Path]:
    """Returns those tables of a run that a later run has continued, and not given back by being
    undone."""
    found: dict[CaptionFormat, Path] = {}
    for run in find_runs(journal.parent):  # The newest first.
        if run.journal == journal:
            break
        if not (run.is_undone and run.is_over):
            found |= {
                one: path for one, path in run.tables.items() if begun.tables.get(one) == path
            }
    return found


def _content_by_runs(
    path: Path, table_format: TableFormat, roots: Sequence[Path], runs: Iterable[KeptRun]
) -> bytes | None:
    """Returns what the table holds; None if it holds anything else than rows of these runs, if it
    does not exist, or if one of its runs is open or over other folders, which may still add to it.
    """
    writers = [run for run in runs if run.tables.get(table_format.kind) == path]
    try:
        if any(run.roots != tuple(roots) or is_in_use(run.journal) for run in writers):
            return None
        if path.is_symlink():
            return None
        of_writers = [_tables_by(run) for run in writers]
        content = read_bytes(
            path, most=sum(one.most_bytes(table_format.kind) for one in of_writers)
        )
        rows = chain.from_iterable(one.known_rows(table_format.kind) for one in of_writers)
        is_known = not content or export.holds_only(content, rows, table_format)
        return content if is_known else None
    except (OSError, StoreError):
        return None


def _tables_by(run: KeptRun) -> Tables:
    begun = read_begin(run.journal)
    earlier = begun.earlier if begun else {}
    is_early = begun is None or begun.number is None
    return Tables(
        run.tables,
        run.options,
        run.journal,
        lambda _: None,
        earlier,
        is_early=is_early,
        unwritten={},
    )
