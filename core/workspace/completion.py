"""What may follow in a query line: keys, their values, and the tags of the folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from core.captions.folding import comparable
from core.workspace.query import query_term
from core.workspace.tags import tag_key
from core.workspace.terms import QUERY_KEYS, VALUES

_START = re.compile(r'(?:^|[\s(])-?((?:[A-Za-z-]+:)?(?:"(?:[^"\\]|\\.)*|[^\s("][^\s"]*)?)\Z')


@dataclass(frozen=True)
class Completion:
    """A text that may take the place of the query line's from `start` to `end`. `count` says how
    many captions have a tag."""

    text: str
    start: int
    end: int
    count: int | None = None


def completions(
    line: str,
    cursor: int,
    tags: Mapping[str, int],
    *,
    most: int = 20,
    offers_keys: bool = False,
) -> list[Completion]:
    """Returns what may be meant by the word before the cursor, the likeliest first. `tags` are the
    folder's, with how many captions have each. Where no word is begun, nothing is offered, or all
    keys with `offers_keys`."""
    found = _START.search(line[:cursor])
    if found is None:
        return []
    if not found[1]:
        return _of_word("", found.start(1), cursor, {}) if offers_keys else []
    start = found.start(1)
    key, colon, value = found[1].partition(":")
    if not colon:
        return _of_word(found[1], start, cursor, tags)[:most]
    value = comparable(value.removeprefix('"'))
    if key.lower() in VALUES:
        known = [one for one in VALUES[key.lower()] if one.startswith(value)]
        return [Completion(f"{key}:{one}", start, cursor) for one in known][:most]
    if key.lower() == "tag":
        return _tags(value, start, cursor, tags, most)
    return []


def tag_completions(
    part: str,
    tags: Mapping[str, int],
    vocabulary: Sequence[str] = (),
    *,
    without: Collection[str] = (),
    most: int = 20,
) -> list[Completion]:
    """Returns the tags that may be meant by the beginning of one: the folder's, with how many
    captions have each, then those of a vocabulary in its order. `without` has those that are there
    already."""
    key = tag_key(part)
    if not key:
        return []
    seen = set(map(tag_key, without))
    found: list[Completion] = []
    for tag, count in _ranked(key, tags):
        if tag_key(tag) not in seen:
            seen.add(tag_key(tag))
            found.append(Completion(tag, 0, len(part), count))
            if len(found) == most:
                return found
    # Vocabularies have up to 100,000 tags, and some write an underscore for each blank.
    folded = key.replace(" ", "_")
    for tag in vocabulary:
        name = comparable(tag)
        if (name.startswith((key, folded))) and tag_key(tag) not in seen:
            seen.add(tag_key(tag))
            found.append(Completion(tag, 0, len(part)))
            if len(found) == most:
                break
    return found


def _of_word(word: str, start: int, cursor: int, tags: Mapping[str, int]) -> list[Completion]:
    word = comparable(word)
    keys = [Completion(f"{key}:", start, cursor) for key in QUERY_KEYS if key.startswith(word)]
    return keys + _tags(word.removeprefix('"'), start, cursor, tags, len(tags))


def _tags(
    part: str, start: int, cursor: int, tags: Mapping[str, int], most: int
) -> list[Completion]:
    ranked = _ranked(tag_key(part), tags)[:most]
    return [Completion(query_term("tag", tag), start, cursor, count) for tag, count in ranked]


def _ranked(part: str, tags: Mapping[str, int]) -> list[tuple[str, int]]:
    """Those that begin so come first, then those with a word that does; the frequent ones before
    the others."""
    ranked: list[tuple[int, int, str]] = []
    for tag, count in tags.items():
        key = tag_key(tag)
        if key.startswith(part):
            ranked.append((0, -count, tag))
        elif f" {part}" in key:
            ranked.append((1, -count, tag))
    ranked.sort()
    return [(tag, -count) for _, count, tag in ranked]
