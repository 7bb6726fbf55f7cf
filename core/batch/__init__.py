"""A folder captioned: options, run, journal, edits, undo and export.

How the modules fit together, in the order in which to read them:

- `options` and `items` are data: what a run does, and the state of each image.
- `batch` is the face of a run. `ledger` holds what its parts share: items, journal, tables.
- `run` is the work: open ahead (`opening`), answer in slots, write behind (`write_behind`).
  `recording` decides what an image is asked, and turns answers into journal lines and files.
- `events` and `run_events` have a class for each kind of journal line, `kinds` the kinds, `damage`
  what is left of one that cannot be read, `stored` the values inside, `checksum` tells a damaged
  line from a whole one, and `journal` is the file.
  `replay` derives a run's state from its events; `history` looks at earlier runs, `written` at what
  they wrote.
- `edits` writes captions by hand, undoes and redoes edits, and undoes runs; `conflicts` notices
  files that somebody else has changed, and `elsewhere` makes what a person wrote there the captions
  of the run. `writing` makes the changes to files that an event is about;
  `recovery` finishes, at every opening of a run, what was under way.
- `targets` are the files and rows of tables that captions go to (`core.captions` has their
  formats), and `changes` is what happens to those of one image. `tables` and `export` are the files
  with all captions of a run, `continued` those that earlier runs began.
- `series` is about several runs over the same images.
- `asking_again` is an engine that asks again until an answer will do.
- `find` finds the images, `beside` reads captions that they have already, `trial` captions a few
  of them first, `doubt` finds doubtful words, `summary` says what became of a run,
  `compared` what several answered about the same images.

Nothing here imports torch.
"""

from core.batch.asking_again import AskingAgain
from core.batch.batch import Batch
from core.batch.beside import CaptionsBeside
from core.batch.compared import AnsweredRun, answered_runs
from core.batch.conflicts import Conflict, EditOutcome
from core.batch.doubt import Doubt, find_doubt
from core.batch.find import expanded, found_pictures
from core.batch.history import KeptRun, find_runs, unreadable_journals
from core.batch.items import NO_WORDS, Item, ItemState, Phase, Progress, Tally
from core.batch.opening import openers_for, prepared_ahead, yield_to_model
from core.batch.options import BatchOptions
from core.batch.run import Control, usual_slots
from core.batch.series import Other, OtherKind, next_options, roots_of_next
from core.batch.summary import Summary, noted
from core.batch.trial import PICTURES, Tried, drawn, try_first
from core.batch.written import captions_written

__all__ = [
    "NO_WORDS",
    "PICTURES",
    "AnsweredRun",
    "AskingAgain",
    "Batch",
    "BatchOptions",
    "CaptionsBeside",
    "Conflict",
    "Control",
    "Doubt",
    "EditOutcome",
    "Item",
    "ItemState",
    "KeptRun",
    "Other",
    "OtherKind",
    "Phase",
    "Progress",
    "Summary",
    "Tally",
    "Tried",
    "answered_runs",
    "captions_written",
    "drawn",
    "expanded",
    "find_doubt",
    "find_runs",
    "found_pictures",
    "next_options",
    "noted",
    "openers_for",
    "prepared_ahead",
    "roots_of_next",
    "try_first",
    "unreadable_journals",
    "usual_slots",
    "yield_to_model",
]
