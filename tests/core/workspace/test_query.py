"""What a query line finds, and what it says is wrong with itself."""

import random
import time
from threading import Event

import pytest
from PIL import Image

from core.message import Message
from core.workspace.completion import completions
from core.workspace.data import ReviewState, ScanStage, WorkspaceOptions
from core.workspace.query import parse_query, query_term
from core.workspace.query_error import QueryError
from core.workspace.tags import tag_key, tags_of
from core.workspace.workspace import Workspace

CAPTIONS = {
    "beach/IMG_1.png": "A dog, on a beach, Saber_(Fate)",
    "beach/IMG_2.png": "a cat; Dog house, 50% off, ;)",
    "beach/IMG_10.png": "",
    "Town.png": "a very long caption about a town and its market (old)",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("query")
    for number, (name, caption) in enumerate(CAPTIONS.items(), 1):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (10 * number, 20), "blue").save(path)
        if caption:
            path.with_suffix(".txt").write_text(caption)
    workspace = Workspace.open([folder / "images"], folder / "data", WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    ids = {row.path.stem: row.id for row in workspace.rows(workspace.ids())}
    workspace.set_review([ids["Town"]], ReviewState.NEEDS_WORK)
    workspace.set_captions({ids["IMG_2"]: CAPTIONS["beach/IMG_2.png"] + "!"}, Message("Edit"))
    workspace.undo()
    workspace.set_captions({ids["Town"]: CAPTIONS["Town.png"] + "."}, Message("Edit"))
    yield workspace
    workspace.close()


def found(workspace, query):
    ids = workspace.ids(parse_query(query))
    return " ".join(row.path.stem.removeprefix("IMG_") for row in workspace.rows(ids))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "Town 1 2 10"),
        ("dog", "1 2"),
        ("DOG beach", "1"),
        ("img_", "1 2 10"),
        ("dog -house", "1"),
        ("dog not house", "1"),
        ("dog and not (house or zebra)", "1"),
        ("house or town", "Town 2"),
        ("house or dog beach", "1 2"),
        ('"a dog"', "1"),
        ('"a  dog"', ""),
        ("tag:dog", ""),
        ('tag:"a dog"', "1"),
        ('tag:"A   DOG"', "1"),
        ("tag:dog*", "2"),
        ("tag:*dog", "1"),
        ("tag:?*dog*", "1"),
        ("tag:*", "Town 1 2"),
        ("tag:saber_(fate)", "1"),
        ("(tag:saber_(fate))", "1"),
        ('tag:";)"', "2"),
        ('tag:"a cat"', "2"),
        ("tag:/^a d/", "1"),
        ("caption:d?g", "1 2"),
        ("caption:b*h", "1"),
        ("caption:img", ""),
        ("name:IMG_?", "1 2 10"),
        ("name:town", "Town"),
        ("path:beach", "1 2 10"),
        ("path:beach*10", "10"),
        ("/d.g, o/", "1"),
        (r"/\d%\s/", "2"),
        (r"name:/_\d\d/", "10"),
        ("50%", "2"),
        (r"\*", ""),
        ('"(old)"', "Town"),
        ("(old)", "Town"),
        ("chars:>40", "Town"),
        ("chars:0", "10"),
        ("chars:1..35", "1 2"),
        ("chars:<=0", "10"),
        ("chars:!=0", "Town 1 2"),
        ("chars:<1", "10"),
        ("words:<8", "1 2 10"),
        ("words:!=0", "Town 1 2"),
        ("tags:1..3", "Town 1"),
        ("bytes:!=0", "Town 1 2 10"),
        ("words:>=8", "Town"),
        ("clip:13", "1"),
        ("clip:>13", "Town 2"),
        ("clip:2", "10"),
        ("tags:3", "1"),
        ("tags:>3", "2"),
        ("state:needs-work", "Town"),
        ("state:unreviewed", "1 2 10"),
        ("is:needs-work", "Town"),
        ("is:edited", "Town"),
        ("is:failed", ""),
        ("is:unread", ""),
        ("has:caption", "Town 1 2"),
        ("not has:caption", "10"),
        ("-has:caption", "10"),
        ("has:doubt", ""),
        ("size:10x20", "1"),
        ("size:>=20x20", "Town 2 10"),
        ("size:<20x20", "1"),
        ("size:>0.0003mp", "Town 2 10"),
        ("width:>20", "Town 10"),
        ("height:20", "Town 1 2 10"),
        ("bytes:<1MB", "Town 1 2 10"),
        ("aspect:1:2", "1"),
        ("aspect:>1", "Town 10"),
        ("is:portrait", "1"),
        ("is:square", "2"),
        ("is:landscape", "Town 10"),
        (f"date:{time.strftime('%Y')}", "Town 1 2 10"),
        ("date:<2001-02-03", ""),
        ("date:1999..2001", ""),
        ("http://x", ""),
        ("- dog", ""),
    ],
)
def test_query_finds(workspace, query, names):
    assert found(workspace, query) == names


def test_texts_that_were_looked_for_are_found_anew_once_one_changes(tmp_path):
    folder, elsewhere = tmp_path / "images", tmp_path / "images" / "cats"
    elsewhere.mkdir(parents=True)
    for name in ("a", "b", "c"):
        Image.new("RGB", (4, 4)).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a dog {name}")
    workspace = Workspace.open([folder], tmp_path / "data", WorkspaceOptions())

    def scan(until=ScanStage.FINGERPRINTS):
        workspace.scan(Event(), lambda progress: None, until=until)

    def rename():
        (folder / "c.png").rename(folder / "cats.png")
        (folder / "c.txt").rename(folder / "cats.txt")
        scan()

    scan()
    ids = {row.path.stem: row.id for row in workspace.rows(workspace.ids())}
    changes = (
        lambda: workspace.set_captions({ids["a"]: "A CAT"}, Message("Edit")),
        lambda: (folder / "b.txt").write_text("two cats") and scan(),
        rename,
        lambda: Image.new("RGB", (5, 5)).save(folder / "a cat.png") or scan(),
        lambda: Image.new("RGB", (5, 5)).save(folder / "cats 2.png") or scan(ScanStage.FOLDERS),
        lambda: workspace.move_to([ids["b"]], elsewhere),
        workspace.undo,
        lambda: (folder / "a.png").unlink() or scan(),
    )
    for change in changes:
        for text in ("c", "ca", "cat", "cats", "ats", "dog", "path:cats"):
            workspace.ids(parse_query(text))
        change()
        for text in ("cats", "cat", "c", "ats", "dog", "path:cats"):
            rows = workspace.rows(workspace.ids())
            column = "path" if text.startswith("path:") else ""
            wanted = [
                row.id
                for row in rows
                if text.removeprefix("path:")
                in (str(row.path) if column else f"{row.path.name}\0{row.caption}").lower()
            ]
            assert list(workspace.ids(parse_query(text))) == wanted
    workspace.close()


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("(dog", "("),
        ("dog)", ")"),
        ('tag:"dog', '"dog'),
        ("dog or", "r"),
        ("or dog", "or"),
        ("/(/", "/(/"),
        ("chars:>many", ">many"),
        ("size:big", "big"),
        ("date:soon", "soon"),
        ("is:nothing", "nothing"),
        ("state:done", "done"),
        ("tag:", ""),
        ("chars:/1/", "/1/"),
        ("aspect:1:0", "1:0"),
        ("bytes:.", "."),
        ("not", "t"),
        ("/a{100000000}/", "/a{100000000}/"),
        ("/((a{999}){999}){999}/", "/((a{999}){999}){999}/"),
        ("/" + "(" * 900 + ")" * 900 + "/", "/" + "(" * 900 + ")" * 900 + "/"),
        ("/" + "a" * 9000 + "/", "/" + "a" * 9000 + "/"),
        ("(" * 60 + "dog" + ")" * 60, "("),
    ],
)
def test_query_error_says_where(query, part):
    with pytest.raises(QueryError) as error:
        parse_query(query)
    assert query[error.value.start : error.value.end] == part
    assert isinstance(error.value.message, Message)


def test_tokens_are_those_of_the_model_that_is_loaded(workspace):
    with pytest.raises(QueryError, match="Load a model"):
        found(workspace, "tokens:>1")
    workspace.set_token_counter(lambda caption: len(caption.split()))
    assert found(workspace, "tokens:>=7") == "Town 2"
    workspace.set_token_counter(len)
    assert found(workspace, "tokens:>40") == "Town"
    workspace.set_token_counter(None)
    with pytest.raises(QueryError):
        found(workspace, "tokens:>40")


def test_regular_expression_that_takes_hours_is_stopped(workspace):
    row = workspace.rows(workspace.ids(parse_query("town")))[0]
    workspace.set_captions({row.id: "a" * 40 + "b"}, Message("Edit"))
    with pytest.raises(QueryError, match="too long"):
        workspace.ids(parse_query("/(a|a)*$/"))
    workspace.undo()


def test_value_in_a_term_is_found_as_it_is(workspace):
    for caption in CAPTIONS.values():
        for tag in tags_of(caption):
            captions = [row.caption for row in workspace.rows(workspace.ids())]
            expected = sum(tag_key(tag) in map(tag_key, tags_of(one)) for one in captions)
            assert len(workspace.ids(parse_query(query_term("tag", tag)))) == expected
    for value in ('say "hi"', "back\\slash", "not", "a*b?", "(", "/x/", "-a", "a:b"):
        assert parse_query(query_term("tag", value)) is not None


@pytest.mark.parametrize("seed", range(3))
def test_tags_are_found_as_they_are_read(workspace, seed):
    """Whatever stands around it, a query finds a tag exactly where reading the caption finds it."""
    chosen = random.Random(seed)
    id = workspace.ids()[0]
    for _ in range(20):
        caption = "".join(
            chosen.choices(["dog", "a", "a dog", ",", ";", " ", "，", "\n", "x", ";)"], k=8)
        )
        workspace.set_captions({id: caption}, Message("Edit"))
        keys = [tag_key(one) for one in tags_of(workspace.rows([id])[0].caption)]
        for tag in ("dog", "a dog", ";)", "x;"):
            is_found = id in workspace.ids(parse_query(query_term("tag", tag)))
            assert is_found == (tag in keys), (caption, tag)
            begins = any(key.startswith(tag) for key in keys)
            assert begins == (id in workspace.ids(parse_query(f'tag:"{tag}*"'))), (caption, tag)
    workspace.set_captions({id: CAPTIONS["Town.png"]}, Message("Edit"))


TAGS = {"a dog": 3, "dog house": 1, "cat": 2, "hot dog": 2}


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", []),
        ("ca", ["caption:", "tag:cat"]),
        ("dog", ['tag:"dog house"', 'tag:"a dog"', 'tag:"hot dog"']),
        ("cat tag:do", ['tag:"dog house"', 'tag:"a dog"', 'tag:"hot dog"']),
        ('tag:"a d', ['tag:"a dog"']),
        ("(-tag:c", ["tag:cat"]),
        ("state:", ["state:unreviewed", "state:accepted", "state:rejected", "state:needs-work"]),
        ("is:f", ["is:failed"]),
        ("chars:", []),
        ("dog ", []),
    ],
)
def test_completions_of_a_query_line(line, offered):
    found = completions(line, len(line), TAGS)
    assert [one.text for one in found] == offered
    for one in found:
        whole = line[: one.start] + one.text + line[one.end :]
        assert parse_query(whole.replace("(", "")) if not whole.endswith(":") else whole
