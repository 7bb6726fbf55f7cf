"""A folder captioned: options, run, journal, caption files, edits, undo and export.

How the modules fit together, in the order in which to read them:

- `options` and `items` are data: what a run does, and the state of each image. `formats` names the
  file formats.
- `batch` is the face of a run. `ledger` holds what its parts share: items, journal, tables.
- `run` is the work: decode ahead, answer in slots, write behind. `recording` decides what an image
  is asked, and turns answers into journal lines and files.
- `events` and `run_events` have a class for each kind of journal line, `kinds` the kinds, `damage`
  what is left of one that cannot be read, `stored` the values inside, `checksum` tells a damaged
  line from a whole one, and `journal` is the file.
  `replay` derives a run's state from its events; `history` looks at earlier runs, `written` at what
  they wrote.
- `edits` writes captions by hand, undoes and redoes edits, and undoes runs; `conflicts` notices
  files that somebody else has changed. `writing` makes the changes to files that an event is about;
  `recovery` finishes, at every opening of a run, what was under way.
- `changes` is what happens to the files of one image, and `naming` finds and names them; `sidecar`,
  `encoding`, `xmp`, `xmp_tree` and `xmp_packet` are their formats, `tables` and `export` the files
  with all captions, `continued` those that earlier runs began.
- `find` finds the images, `beside` reads captions that they have already, `trial` captions a few
  of them first, `doubt` finds doubtful words, `wording` fills prompts in and cleans captions up,
  `summary` says what became of a run.

Nothing here imports torch.
"""

from core.batch.batch import Batch
from core.batch.beside import CaptionsBeside
from core.batch.conflicts import Conflict, EditOutcome
from core.batch.doubt import Doubt, find_doubt
from core.batch.encoding import decoded
from core.batch.find import expanded, found_pictures
from core.batch.formats import SEPARATORS, TABLE_FORMATS, TEXT_FORMATS, CaptionFormat, TablePaths
from core.batch.history import KeptRun, find_runs, unreadable_journals
from core.batch.items import NO_WORDS, Item, ItemState, Phase, Progress, Tally
from core.batch.options import BatchOptions
from core.batch.run import Control, usual_slots
from core.batch.sidecar import Existing, encoded, text_path
from core.batch.summary import Summary, noted
from core.batch.trial import PICTURES, Tried, drawn, try_first
from core.batch.wording import Replaced, Replacement, Span, differing_words, joined

__all__ = [
    "NO_WORDS",
    "PICTURES",
    "SEPARATORS",
    "TABLE_FORMATS",
    "TEXT_FORMATS",
    "Batch",
    "BatchOptions",
    "CaptionFormat",
    "CaptionsBeside",
    "Conflict",
    "Control",
    "Doubt",
    "EditOutcome",
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
    "TablePaths",
    "Tally",
    "Tried",
    "decoded",
    "differing_words",
    "drawn",
    "encoded",
    "expanded",
    "find_doubt",
    "find_runs",
    "found_pictures",
    "joined",
    "noted",
    "text_path",
    "try_first",
    "unreadable_journals",
    "usual_slots",
]
