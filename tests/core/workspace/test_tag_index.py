"""Images are found by their tags, and tags counted, as if each caption were read each time."""

import random

import pytest

from core.workspace.images import Images
from core.workspace.query import parse_query
from core.workspace.tag_index import TagIndex
from core.workspace.tags import counted, tag_key, tags_of

PARTS = ("a dog", "A  Dog", "Dog", "cat 12", "cat 123", "Straße", "STRASSE", "ıi", "x12", ";)", "")
QUERIES = ("tag:*12", r"tag:/\d\d/", "tag:*", "tag:a*g", "tag:?ag", "tag:*straße", "not tag:*12")
STAMP = (1, 1)


def caption_by(chosen):
    return ", ".join(chosen.choices(PARTS, k=chosen.randint(0, 6)))


def filled(count, chosen):
    images = Images()
    for number in range(count):
        id = images.add(images.folder_id("/images"), f"{number}.png")
        images.set_caption(id, caption_by(chosen), STAMP)
    return images


def found(images, query):
    parsed = parse_query(query)
    assert parsed
    return parsed.test.among(images, list(images.ids))


def read_anew(images):
    """The same images, of which nothing is indexed yet."""
    others = Images()
    for id, caption in enumerate(images.captions):
        others.add(others.folder_id("/images"), f"{id}.png")
        others.set_caption(id, caption, STAMP)
        if id not in images:
            others.remove(id)
    return others


def indexed(images):
    while not images.tag_index.go_on(images.captions):
        continue
    return images.tag_index.counts(images.captions)


def by_key(counts):
    totals = {}
    for tag, count in counts.items():
        assert tag_key(tag) not in totals
        totals[tag_key(tag)] = count
    return totals


@pytest.mark.parametrize("seed", range(20))
def test_index_follows_what_changes(seed):
    chosen = random.Random(seed)
    images = filled(40, chosen)
    for _ in range(10):
        what = chosen.random()
        if what < 0.2:
            indexed(images)
        elif what < 0.4:
            id = images.add(images.folder_id("/images"), f"{len(images)}.png")
            images.set_caption(id, caption_by(chosen), STAMP)
        elif what < 0.5:
            images.remove(chosen.choice(list(images.ids)))
        else:
            images.set_caption(chosen.choice(list(images.ids)), caption_by(chosen), STAMP)
        query = chosen.choice(QUERIES)
        assert found(images, query) == found(read_anew(images), query), query
    captions = [images.captions[id] for id in images.ids]
    assert by_key(indexed(images)) == by_key(counted(captions))


def test_index_is_made_anew_once_most_captions_are_others():
    images = filled(12_000, random.Random(1))
    assert indexed(images)
    for id in images.ids:
        images.set_caption(id, f"new {id % 2}, again", STAMP)
    assert found(images, "tag:*1") == list(range(1, 12_000, 2))
    assert indexed(images) == {"new 0": 6_000, "new 1": 6_000, "again": 12_000}
    assert images.count_tags(0) == 2


def test_tag_is_named_as_most_write_it():
    captions = ["Dog, cat", "dog", "dog, DOG"]
    index = TagIndex()
    while not index.go_on(captions):
        continue
    assert index.counts(captions) == {"dog": 3, "cat": 1}


def test_number_of_tags_is_that_of_the_caption_now():
    images = filled(1, random.Random(1))
    for caption in ("a, b, c", "a", ""):
        images.set_caption(0, caption, STAMP)
        assert images.count_tags(0) == len(tags_of(caption))
        assert bool(found(images, "has:tags")) is bool(caption)
