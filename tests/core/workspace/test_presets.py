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
