"""A folder of images as a workspace: captions seen, searched, edited, reviewed and counted.

How the modules fit together, in the order in which to read them:

- `data` is what all modules share. `workspace` is the face: an open workspace.
- `changes` makes and undoes actions on its images, which `noting` notes; those of many captions
  are made part by part (`ongoing`). `counting` counts what images have in common, by `statistics`.
- `images` has all images in memory, by columns; `index` keeps them between two openings, with the
  columns in one piece by `packing`, `orders` are those of lists, and `listed_paths` the files.
  `scan` reads folders, captions and sizes into them. `query` is a line that finds images among
  them: `term`, `terms` and `measures` make tests of its words, `globs` are its wildcards,
  `matching` makes the tests, `query_error` says what is wrong, and `completion` what may follow.
  `search` goes through all images in parts, and `found_texts` is what the last ones found.
- `expressions` runs regular expressions that people write, and `literals` are the texts in them.
- `caption_file` reads a caption file, and writes another caption in the same form. `readers` find
  those beside images, `table_reader` reads captions in tables, and `sources` says which
  of them a folder has.
- `opening` opens the database, and `records` are the reviews, drafts and notes in it, with the
  `kept_options` of folders. `drafts` are what a person is writing. `actions` keeps what an edit
  changes before it is made, and `forgetting` removes what cannot be undone any more. `edits` makes,
  undoes and finishes edits by their `steps`, `writing` writes their files, and `syncing` brings
  these to the disk. `messages` keeps their names so that they can be translated.
- `tags` reads and changes the tags in a caption, `tag_index` finds images by their tags, and `bulk`
  has the edits of many captions at once, and `preview` shows what they would do. `answers` are what
  models wrote.
- `duplicates` finds equal and similar images, and `similar` groups them. `gone` are images that are
  not where they were, for those that look like them.
- `move` moves images with their sidecars, `trash` moves them to the system's trash: first a plan,
  which a journal can keep, then its steps, which can be finished or taken back after a crash.
  `removal` removes files that are of no use any more, while nobody waits for it.
- `presets` are the jobs that prompts and options are kept for. `vocabulary_file` reads tags.
- `export` hands captions over in other formats and reads them back.

Nothing here imports torch.
"""

from core.workspace.answers import recover_again
from core.workspace.bulk import (
    AddTags,
    Clear,
    DropDuplicates,
    Operation,
    PatternError,
    Prefix,
    RemoveTags,
    RenameTags,
    Replace,
    SetCaption,
    SortTags,
    Suffix,
)
from core.workspace.completion import Completion, completions, tag_completions
from core.workspace.data import (
    Bar,
    CaptionMode,
    CaptionSource,
    Conflict,
    Counts,
    Draft,
    EditProgress,
    EditReport,
    Failure,
    Frequency,
    ImageRow,
    ReviewState,
    ScanProgress,
    ScanStage,
    Sort,
    SortKey,
    Statistics,
    StatisticsKind,
    WorkspaceOptions,
)
from core.workspace.drafts import DraftOutside
from core.workspace.gone import gone_alike
from core.workspace.listed_paths import ListedPaths
from core.workspace.ongoing import OngoingEdit
from core.workspace.presets import (
    LONGEST_NAME,
    PRESET_KEYS,
    Preset,
    Presets,
    read_presets,
    write_presets,
)
from core.workspace.preview import Change, Preview
from core.workspace.query import Query, parse_query, query_term
from core.workspace.query_error import QueryError
from core.workspace.search import Search
from core.workspace.sources import USUAL_TABLES, PossibleSources, only_table
from core.workspace.tags import TagList, tags_of
from core.workspace.terms import QUERY_KEYS
from core.workspace.trash import HAS_WAY_BACK as TRASH_HAS_WAY_BACK
from core.workspace.vocabulary_file import read_vocabulary
from core.workspace.workspace import Workspace

__all__ = [
    "LONGEST_NAME",
    "PRESET_KEYS",
    "QUERY_KEYS",
    "TRASH_HAS_WAY_BACK",
    "USUAL_TABLES",
    "AddTags",
    "Bar",
    "CaptionMode",
    "CaptionSource",
    "Change",
    "Clear",
    "Completion",
    "Conflict",
    "Counts",
    "Draft",
    "DraftOutside",
    "DropDuplicates",
    "EditProgress",
    "EditReport",
    "Failure",
    "Frequency",
    "ImageRow",
    "ListedPaths",
    "OngoingEdit",
    "Operation",
    "PatternError",
    "PossibleSources",
    "Prefix",
    "Preset",
    "Presets",
    "Preview",
    "Query",
    "QueryError",
    "RemoveTags",
    "RenameTags",
    "Replace",
    "ReviewState",
    "ScanProgress",
    "ScanStage",
    "Search",
    "SetCaption",
    "Sort",
    "SortKey",
    "SortTags",
    "Statistics",
    "StatisticsKind",
    "Suffix",
    "TagList",
    "Workspace",
    "WorkspaceOptions",
    "completions",
    "gone_alike",
    "only_table",
    "parse_query",
    "query_term",
    "read_presets",
    "read_vocabulary",
    "recover_again",
    "tag_completions",
    "tags_of",
    "write_presets",
]
