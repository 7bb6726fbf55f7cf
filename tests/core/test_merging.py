"""What two programs made of the same values is put together."""

import json
from concurrent.futures import ProcessPoolExecutor

import pytest

from core.merged_file import MergedFile
from core.merging import merged_items, merged_values


@pytest.mark.parametrize(
    ("known", "mine", "theirs", "both"),
    [
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": 1}, {"a": 1}, {}, {}),
        ({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": None}, {"a": None}, {"a": 0}, {"a": 0}),
        ({"k": {"x": 1}}, {"k": {"x": 1, "y": 2}}, {"k": {"z": 3}}, {"k": {"y": 2, "z": 3}}),
        ({"k": [1]}, {"k": [1, 2]}, {"k": [1, 3]}, {"k": [1, 3, 2]}),
        ({"k": (1,)}, {"k": (1, 2)}, {"k": (1, 3)}, {"k": (1, 2)}),
    ],
)
def test_values(known, mine, theirs, both):
    assert merged_values(known, mine, theirs) == both


@pytest.mark.parametrize(
    ("known", "mine", "theirs", "both"),
    [
        ("ab", "ab", "abc", "abc"),
        ("ab", "abc", "ab", "abc"),
        ("ab", "abc", "abd", "abdc"),
        ("ab", "b", "abd", "bd"),
        ("ab", "ab", "b", "b"),
        # One that is used again is the newest.
        ("abc", "bca", "abcd", "bcda"),
        ("abc", "abc", "bcad", "bcad"),
        ("ab", "abc", "abc", "abc"),
        ("", "a", "b", "ba"),
    ],
)
def test_items(known, mine, theirs, both):
    assert "".join(merged_items(known, mine, theirs)) == both


def write_many(path, name):
    file = MergedFile(path, {})
    for number in range(50):
        file.write({f"{name} {one}": one for one in range(number + 1)})


def test_programs_that_write_at_the_same_moment_lose_nothing(tmp_path):
    path = tmp_path / "own.json"
    with ProcessPoolExecutor(3) as pool:
        for done in [pool.submit(write_many, path, name) for name in "abc"]:
            done.result()
    found = json.loads(path.read_bytes())
    assert found == {f"{name} {number}": number for name in "abc" for number in range(50)}


def test_what_was_removed_is_removed_from_what_another_one_has_added(tmp_path):
    path = tmp_path / "own.json"
    ours, theirs = MergedFile(path, {}), MergedFile(path, {})
    ours.write({"a": 1, "b": 2})
    theirs.write({"c": 3})
    ours.write({"b": 2})
    assert json.loads(path.read_bytes()) == {"b": 2, "c": 3}
    path.write_text("{")
    ours.write({"b": 2, "d": 4})
    assert json.loads(path.read_bytes()) == {"b": 2, "d": 4}
