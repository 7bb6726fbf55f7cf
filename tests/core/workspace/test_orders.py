"""The orders of very many images, which are sorted in parts."""

import random
from pathlib import Path

import pytest

from core.picture import natural_key
from core.workspace.data import Sort, SortKey
from core.workspace.images import Images
from core.workspace.orders import ordered

COUNT = 20_500
SORTS = [Sort(key, is_descending=end, seed=1) for key in SortKey for end in (False, True)]


def test_parts_are_in_order_and_images_alike_in_that_of_their_names():
    images = Images()
    folder = images.folder_id("/photos")
    for number in range(COUNT):
        id = images.add(folder, f"image {number * 7_919 % COUNT}.png")
        images.set_file(id, 1, number * 31 % 97)
    by_name = [f"image {number}.png" for number in range(COUNT)]
    assert [images.names[id] for id in images.ordered(Sort())] == by_name
    by_date = images.ordered(Sort(SortKey.DATE))
    assert by_date == sorted(images.ordered(Sort()), key=images.modified.__getitem__)


def anew(images):
    """The same images in columns that know no order yet, with their ids."""
    same = Images(map(Path, images.roots))
    for id in range(len(images)):
        same.add(same.folder_id(images.folders[images.folder_of[id]]), images.names[id])
        same.set_file(id, images.bytes[id], images.modified[id])
        same.set_size(id, images.widths[id], images.heights[id])
        same.set_caption(id, images.captions[id], (0, 0))
        same.set_doubt(id, None if id % 3 else images.doubts[id])
    for id in set(range(len(images))) - set(images.ids):
        same.remove(id)
    return same


def change(images, chosen):
    """Adds, moves, removes or rewrites some images, at random."""
    for _ in range(chosen.choice((0, 1, 1, 5, 60))):
        folder = images.folder_id(f"/photos/{chosen.randrange(4)}")
        name = f"{chosen.randrange(10**6)} {len(images)}.png"
        there = list(images.ids)
        match chosen.randrange(5) if there else 0:
            case 0 | 1:
                id = images.add(folder, name)
                images.set_file(id, 1, chosen.randrange(9))
                images.set_doubt(id, None if id % 3 else chosen.random())
            case 2:
                images.place(chosen.choice(there), f"{images.folders[folder]}/{name}")
            case 3:
                images.remove(chosen.choice(there))
            case 4:
                id = chosen.choice(there)
                images.set_caption(id, "x" * chosen.randrange(9), (0, 0))
                images.set_size(id, chosen.randrange(1, 9), 2)


@pytest.mark.parametrize("seed", range(4))
def test_orders_that_follow_changes_are_those_that_are_found_out_anew(seed):
    images, chosen = Images([Path("/photos")]), random.Random(seed)
    for _ in range(40):
        change(images, chosen)
        sort = chosen.choice(SORTS)
        assert images.ordered(sort) == anew(images).ordered(sort)


class Interrupting:
    """The lock of columns that others change whenever it is free."""

    def __init__(self, change):
        self._change = change

    def __enter__(self):
        pass

    def __exit__(self, *raised):
        self._change()


@pytest.mark.parametrize("seed", range(4))
def test_what_changes_while_images_are_sorted_is_in_the_next_order(seed):
    images, chosen = Images([Path("/photos")]), random.Random(seed)
    guard = Interrupting(lambda: change(images, chosen))
    for _ in range(30):
        sort = chosen.choice(SORTS)
        ordered(images, guard, sort)
        assert images.ordered(sort) == anew(images).ordered(sort)


def test_few_names_are_looked_at_where_a_folder_comes_to_many(monkeypatch):
    images = Images([Path("/photos")])
    first, last = images.folder_id("/photos/1"), images.folder_id("/photos/2")
    for number in range(2_000):
        images.add(last, f"{number}.png")
    images.ordered(Sort())
    for number in range(200):
        images.add(first, f"{number}.png")
    looked_at = []

    def counting(name):
        looked_at.append(name)
        return natural_key(name)

    monkeypatch.setattr("core.workspace.orders.natural_key", counting)
    assert images.ordered(Sort()) == [*range(2_000, 2_200), *range(2_000)]
    assert len(looked_at) < 250
