"""Regular expressions of people: found through texts, and none holds the program up."""

import random
from threading import Event

import pytest
import regex
from PIL import Image

from core.captions.folding import findable
from core.workspace.data import ScanStage, WorkspaceOptions
from core.workspace.expressions import ExpressionError, Patience, compiled, is_quick
from core.workspace.literals import literals_of
from core.workspace.query import parse_query
from core.workspace.workspace import Workspace

PARTS = [
    *("a", "b", "i", "I", "İ", "ı", "ſ", "ß", " ", "dog", "(", "(", ")", ")", "|", "*", "+", "?"),
    *("{1}", "{2}", "{0,2}", "{1,}", "[ab]", "[^a]", "[]a]", ".", "^", "$", "|"),
    *(
        r"\b",
        r"\w",
        r"\.",
        r"\p{L}",
        r"\x61",
        "(?:",
        "(?=",
        "(?!",
        "(?<=",
        "(?<!",
        "(?P<n>",
        "(?i)",
    ),
]


@pytest.mark.parametrize("seed", range(2))
def test_matches_contain_the_texts_of_their_expression(seed):
    chosen = random.Random(seed)
    texts = ["".join(chosen.choices("abidogkI .ıİſßﬁ", k=8)) for _ in range(60)]
    texts += ["".join(chosen.choices("abidogSs .", k=8)) for _ in range(20)]
    understood = 0
    for _ in range(2000):
        expression = "".join(chosen.choices(PARTS, k=chosen.randint(1, 8)))
        try:
            search = compiled(expression, regex.IGNORECASE | regex.FULLCASE).search
        except ExpressionError:
            continue
        if (literals := literals_of(expression)) is None:
            continue
        understood += 1
        for text in texts:
            contains = any(one in findable(text) for one in literals.texts)
            matches = search(text, timeout=10) is not None
            assert contains or not matches, (expression, text, literals)
            is_sure = contains and literals.are_all and text.isascii()
            assert matches or not is_sure, (expression, text, literals)
    assert understood > 100


@pytest.mark.parametrize(
    ("expression", "texts", "are_all"),
    [
        ("Dog", ("dog",), True),
        ("(dog|cat)", ("dog", "cat"), True),
        (r"\bdogs?\b", ("dog",), False),
        (r"a (red|blue) car", (" car",), False),
        (r"IMG_\d{4}", ("img_",), False),
        (r"no\. 7", ("no. 7",), True),
        (r"[aeiou]{4}", None, False),
        (r"(?x) d o g", None, False),
        (r"dog|", None, False),
    ],
)
def test_texts_of_an_expression(expression, texts, are_all):
    found = literals_of(expression)
    assert (found and found.texts, bool(found and found.are_all)) == (texts, are_all)


def test_other_threads_run_while_a_text_takes_long():
    """What a match that is slow is asked for: first a moment, then to let others run."""
    asked = []

    def match(text, *, timeout, concurrent):
        asked.append((text, concurrent))
        if not concurrent:
            assert timeout < 0.01
            raise TimeoutError
        return "found"

    assert Patience().run(match, "slow") == "found"
    assert Patience().run(match, "x" * 20_000) == "found"
    assert asked == [("slow", False), ("slow", True), ("x" * 20_000, True)]


def test_search_goes_on_part_by_part(tmp_path):
    """Its parts together find what a whole search finds, and edits between them are possible."""
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    for number in range(1, 5000):
        (folder / f"{number}.png").hardlink_to(folder / "0.png")
    workspace = Workspace.open([folder], tmp_path / "data", WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None, until=ScanStage.FOLDERS)
    query = parse_query(r"name:/^\d*7\./")
    search = workspace.search(query)
    search.go_on()
    first = list(search.found)
    assert first
    assert not search.is_done
    while not search.is_done:
        search.go_on()
    assert list(search.found)[: len(first)] == first
    assert len(search.found) == 500
    assert search.found == workspace.ids(query)
    workspace.close()


@pytest.mark.parametrize(
    "expression",
    [
        *("(a|a)b", "a+b+", "(a+)+", "a*.*x", "(?R)", r"(a)\1", r"(?>a)", "a?b", r"\X"),
        *(r"\g<1>", "(?=a)", "(?i)a", "a{1,9}", "a{99}", "(a){9}", "a*{9}", "a{9}*", "a{9}{9}"),
    ],
)
def test_only_what_repeats_one_thing_at_most_is_searched_without_a_watch(expression):
    assert not is_quick(expression)
    assert is_quick(r"/no[0-9]+ \d (a) ^.b$")
    assert is_quick(r"\d{3} [a-z]{2}a{9}.*")
