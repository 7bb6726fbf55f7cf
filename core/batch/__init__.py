"""A folder captioned: options, run, journal, sidecar files, edits, undo and export.

Read `options` (what a run does, and the state of each item), `batch` (one run and its journal), and
`run` (the work: decode ahead, answer in slots, write behind). `recording` turns answers into
captions and files; `journal`, `ledger` and `history` keep what happened; `edits` changes and undoes
captions; `sidecar`, `xmp`, `files`, `tables` and `export` are the file formats. `find` finds the
images, `trial` tries a few of them first, `doubt` finds doubtful words, `wording` cleans captions
up, `summary` says what became of a run. Nothing here imports torch.
"""

from core.batch.batch import Batch, KeptRun, find_runs
from core.batch.doubt import Doubt, find_doubt
from core.batch.options import KINDS, BatchOptions, Item, ItemState, Phase, Progress, Tally
from core.batch.run import Control, usual_slots
from core.batch.sidecar import Existing, decoded, encoded, text_path
from core.batch.summary import Summary, summary_of
from core.batch.trial import PICTURES, Tried, drawn, try_first
from core.batch.wording import Replaced, Replacement, Span, differing_words

__all__ = [
    "KINDS",
    "PICTURES",
    "Batch",
    "BatchOptions",
    "Control",
    "Doubt",
    "Existing",
    "Item",
    "ItemState",
    "KeptRun",
    "Phase",
    "Progress",
    "Replaced",
    "Replacement",
    "Span",
    "Summary",
    "Tally",
    "Tried",
    "decoded",
    "differing_words",
    "drawn",
    "encoded",
    "find_doubt",
    "find_runs",
    "summary_of",
    "text_path",
    "try_first",
    "usual_slots",
]
