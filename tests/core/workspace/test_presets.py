"""Presets: those that come with the program, own ones, and files with them."""

import json
from dataclasses import replace

import pytest

from core.captions.variables import variables_in
from core.errors import StoreError
from core.workspace.data import CaptionMode
from core.workspace.presets import Preset, Presets, read_presets, write_presets
from core.workspace.vocabulary_file import read_vocabulary

OWN = Preset("Mine", ("What is {stem}?", "And?"), CaptionMode.TAGS, prefix="ohwx", temperature=0.5,
             vocabulary=("a", "b"), asks_for=("prefix",))  # fmt: skip


def the(presets, name):
    preset = presets.named(name)
    assert preset is not None
    return preset


def names(presets):
    return [one.name for one in presets.all]


def test_program_comes_with_the_jobs_that_people_come_for():
    presets = Presets.built_in()
    assert names(presets) == [
        *("Describe", "Dataset caption", "Tags", "Tags from a vocabulary", "Alt text"),
        *("Archive description", "Text in the image"),
    ]
    assert the(presets, "alt TEXT").most_characters == 125
    assert the(presets, "4").asks_for == ("vocabulary",)
    assert presets.named("0") is presets.named("99") is presets.named("none") is None
    prompts = " ".join(prompt for one in presets.all for prompt in one.prompts)
    assert {"vocabulary", "people", "date"} <= set(variables_in(prompts))


def test_own_presets_and_their_order_are_kept(tmp_path):
    path = tmp_path / "folder" / "presets.json"
    changed = replace(the(Presets.built_in(), "Tags"), prompts=("Tags?",))
    presets = Presets.load(path).with_saved(OWN, changed).moved("Mine", 1)
    presets.save(path)
    loaded = Presets.load(path)
    assert loaded == presets
    assert names(loaded)[:3] == ["Describe", "Mine", "Dataset caption"]
    assert loaded.own == {"Mine", "Tags"}
    assert loaded.named("2") == OWN
    assert loaded.without("Tags").named("Tags") == Presets.built_in().named("Tags")
    assert "Mine" not in names(loaded.without("Mine"))
    assert loaded.without("Mine").without("Tags").own == frozenset()


def test_presets_are_handed_over_and_equal_ones_taken_once(tmp_path):
    write_presets([OWN, replace(OWN, name="Other")], tmp_path / "x.json")
    presets = Presets.built_in().with_imported(read_presets(tmp_path / "x.json"))
    assert names(presets)[-2:] == ["Mine", "Other"]
    assert presets.with_imported(read_presets(tmp_path / "x.json")) == presets
    write_presets([replace(OWN, prefix="new")], tmp_path / "y.json")
    presets = presets.with_imported(read_presets(tmp_path / "y.json"))
    assert presets.named("Mine") == OWN
    assert the(presets, "Mine (2)").prefix == "new"
    assert presets.with_imported(read_presets(tmp_path / "y.json")) == presets


def test_file_of_a_newer_version_is_read_as_far_as_it_is_known(tmp_path):
    content = {"presets": [OWN.to_json() | {"later": 1}], "version": 9}
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert read_presets(tmp_path / "x.json") == (OWN,)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"presets": 3}', '{"presets": [3]}', '{"presets": [{"name": "x"}]}'),
        *('{"presets": [{"name": "", "prompts": ["x"]}]}', "[" * 100_000),
        '{"presets": [{"name": "x", "prompts": "x"}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "most_characters": -1}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "is_one_line": 1}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "max_new_tokens": true}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "mode": "y"}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "mode": []}]}',
        '{"presets": [{"name": "\\u0007\\n", "prompts": ["x"]}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "temperature": NaN}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "temperature": -1}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "temperature": 1e999}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "max_new_tokens": 0}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "max_new_tokens": 999999999999}]}',
        '{"presets": [{"name": "x", "prompts": ["x"], "most_characters": 999999999999}]}',
    ],
)
def test_damaged_file_is_kept_and_said_and_is_no_file_to_import(tmp_path, content):
    path = tmp_path / "presets.json"
    path.write_text(content)
    with pytest.raises(StoreError, match="has no presets"):
        read_presets(path)
    presets = Presets.load(path)
    assert presets.all == Presets.built_in().all
    assert presets.notes == ("Your presets are damaged. They were kept in “presets.bak”.",)
    assert (tmp_path / "presets.bak").read_text() == content


def test_names_and_texts_are_ones_that_can_be_shown_and_kept(tmp_path):
    content = {
        "presets": [
            {"name": " a\nb\x07\ud83d ", "prompts": ["\ud83d?"], "vocabulary": ["\udc00"]},
            {"name": "x" * 150, "prompts": ["?"]},
        ]
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    presets = Presets.built_in().with_imported(read_presets(tmp_path / "x.json"))
    assert names(presets)[-2:] == ["a b \ufffd", "x" * 100]
    presets.save(tmp_path / "own.json")
    assert Presets.load(tmp_path / "own.json") == presets
    # What a clipboard holds.
    presets = presets.with_saved(Preset("Half", ("\ud83d",)))
    presets.save(tmp_path / "own.json")
    assert the(Presets.load(tmp_path / "own.json"), "Half").prompts == ("\ufffd",)


def test_presets_with_long_names_are_all_there_again(tmp_path):
    long = "x" * 100
    presets = Presets.built_in()
    for prompt in ("a", "b", "c", "a"):
        presets = presets.with_imported([Preset(long, (prompt,))])
    presets = presets.with_saved(Preset(presets.free_name(long), ("d",)))
    assert len(presets.own) == 4
    presets.save(tmp_path / "own.json")
    assert Presets.load(tmp_path / "own.json") == presets


def test_two_of_one_name_in_a_file_are_both_there(tmp_path):
    content = {"presets": [Preset(name, (name,)).to_json() for name in ("a", "A", "a", "Tags")]}
    (tmp_path / "own.json").write_text(json.dumps(content))
    presets = Presets.load(tmp_path / "own.json")
    assert {one.prompts[0] for one in presets.all if one.name in presets.own} == {"a", "A", "Tags"}
    assert len(presets.own) == 4


def test_a_great_many_presets_are_kept_but_not_imported(tmp_path):
    presets = Presets.built_in().with_saved(*(Preset(f"p{n}", ("?",)) for n in range(600)))
    presets.save(tmp_path / "own.json")
    assert Presets.load(tmp_path / "own.json") == presets
    with pytest.raises(StoreError, match="600"):
        read_presets(tmp_path / "own.json")


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    path = tmp_path / "own.json"
    presets = Presets.built_in().with_saved(OWN)
    presets.save(path)
    tags = tuple(f"tag {number} {'x' * 1000}" for number in range(110_000))
    with pytest.raises(StoreError, match="Use shorter lists"):
        presets.with_saved(replace(OWN, vocabulary=tags)).save(path)
    assert Presets.load(path) == presets


def test_changes_of_two_programs_are_merged():
    before = Presets.built_in().with_saved(OWN, Preset("Old", ("o",)), Preset("Gone", ("g",)))
    ours = before.with_saved(replace(OWN, prefix="ours"), Preset("New", ("n",))).without("Gone")
    theirs = before.with_saved(
        replace(OWN, prefix="theirs"), Preset("Old", ("changed",)), Preset("Later", ("l",))
    )
    both = ours.merged(before, theirs)
    assert the(both, "Mine").prefix == "ours"
    assert the(both, "Mine (2)").prefix == "theirs"
    assert the(both, "Old").prompts == ("changed",)
    assert the(both, "Later")
    assert the(both, "New")
    assert both.named("Gone") is None
    assert both.merged(before, theirs) == both


@pytest.mark.parametrize(
    ("name", "content", "tags"),
    [
        ("a.txt", "# mine\ncat\n\n red  car \nCat\n", ("cat", "red car")),
        ("a.txt", "cat, dog,sea", ("cat", "dog", "sea")),
        ("a.csv", 'tag,category,count,aliases\ncat,0,5,"neko,kitty"\n;),0,1,\n', ("cat", ";)")),
        ("a.csv", "1girl;0\nsolo;0\n", ("1girl", "solo")),
    ],
)
def test_vocabulary_is_a_list_or_a_table(tmp_path, name, content, tags):
    (tmp_path / name).write_text(content)
    assert read_vocabulary(tmp_path / name) == tags


def test_vocabulary_without_tags_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("\n# x\n")
    for name, reason in (("a.txt", "has no tags"), ("b.txt", "no longer there")):
        with pytest.raises(StoreError, match=reason):
            read_vocabulary(tmp_path / name)
