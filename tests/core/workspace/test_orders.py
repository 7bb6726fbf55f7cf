"""The orders of very many images, which are sorted in parts."""

from core.workspace.data import Sort, SortKey
from core.workspace.images import Images

COUNT = 20_500


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
