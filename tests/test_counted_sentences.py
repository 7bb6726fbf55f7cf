"""A sentence with a count in it is right for one thing too: "1 image", not "1 images"."""

import ast
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from gui.batch.head import places_text
from gui.batch.run_progress import rate_text
from tests.support.core_sentences import calls

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for name in ("core", "gui") for path in (ROOT / name).rglob("*.py"))
TRANSLATING = ("tr", "translate", "translatable")
# A count, and at most two words after it a plural: of a noun or of a verb.
PLURAL = re.compile(r"\{count\} (?:(?!\w+s\b)[a-z]+ ){0,2}?(?:\w*[a-rt-z]s|are|were|have)\b")
# How alike two sentences are that say the same of one thing and of several.
ALIKE = 0.4
# These are never about one: they name a limit, stand where there are several, or count to the end
# of what a model reads.
NEVER_ONE = {
    *("The model failed {count} times in a row. {error}", "{count} bits"),
    "The text has {count} characters, not at most {most}. Shorten it.",
    "“{name}” has several captions for {count} of its images. The last one of each is shown and "
    "changed; the others stay in the file.",
    "“{name}” in “{folder}” has a list of {count} entries, far too long for a model. Download it "
    "again.",
    *("more than {count} numbers", "{count} entries under {name}", "more than {count} chunks"),
    *("{count} scans", "more than {count} numbers as text", "it has more than {count} tokens"),
    *("it has a token of {count} letters", "it has {count} added tokens"),
    *("it makes a text {count} times as long", "it puts {count} tokens around each text"),
    *("it turns {letters} letters into {count} tokens", "it turns an image into {count} tokens"),
    *("{count} tags: {tags}, …", "{count} for other reasons."),
    "Downloading {count} files",
    "Compare both prompts on {count} random images. Nothing is written.",
    "{count} images could not be changed. The first: {reason}",
    "{left} of {count} runs are still to do.",
    "1 of {count} runs is still to do.",
    *("Input, {count} positions", "&Remove {count} tags"),
    "Image {number} of {count} with different answers ({total} compared)",
}


def sentences_of(scope: ast.AST) -> list[str]:
    """The sentences of a function that are translated."""
    constants = (call.args[-1] for call in calls(scope, *TRANSLATING) if call.args)
    return [str(one.value) for one in constants if isinstance(one, ast.Constant)]


def without_singular(tree: ast.AST) -> Iterator[str]:
    """The sentences in which a plural follows a field, where none says the same of one thing."""
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    for scope in functions:
        sentences = sentences_of(scope)
        singular = [one for one in sentences if "{count}" not in one]
        for text in filter(PLURAL.search, sentences):
            if not any(SequenceMatcher(None, text, one).ratio() >= ALIKE for one in singular):
                yield text


def test_counted_sentences_have_a_singular():
    found = {
        text: path.relative_to(ROOT).as_posix()
        for path in MODULES
        for text in without_singular(ast.parse(path.read_text(encoding="utf-8")))
    }
    unknown = [f"{path}: {text}" for text, path in found.items() if text not in NEVER_ONE]
    assert not unknown, "\n".join(unknown)
    assert not NEVER_ONE - found.keys(), "no such sentences any more"


@pytest.mark.parametrize(
    ("planted", "is_found"),
    [
        ('tr("{count} folders")', True),
        ('tr("{count} selected images")', True),
        ('tr("{count} are not read yet")', True),
        ('tr("1 folder"), tr("{count} folders")', False),
        ('tr("{name} is damaged")', False),
    ],
)
def test_sentence_without_a_singular_is_found(planted, is_found):
    tree = ast.parse(f"def text():\n    return {planted}\n")
    assert bool(list(without_singular(tree))) is is_found


def test_one_folder_and_one_image_a_minute_are_singular(tmp_path):
    (tmp_path / "a.png").touch()
    assert places_text([tmp_path, tmp_path / "a.png"]) == "1 folder"
    assert places_text([tmp_path, tmp_path.parent]) == "2 folders"
    assert rate_text(1 / 60) == "1 image/min"
    assert rate_text(0.5) == "30 images/min"
