import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QAbstractItemView

from gui.workspace.cell_layout import CellLayout

Action = QAbstractItemView.CursorAction


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("width", [90, 101, 350, 1000])
@pytest.mark.parametrize("is_grid", [False, True])
def test_what_is_painted_clicked_and_banded_is_the_same_cell(is_grid, width, is_mirrored):
    layout = CellLayout(23, width, QSize(100, 60), is_grid, is_mirrored)
    for row in range(layout.count):
        place = layout.rect(row)
        assert place.left() >= 0
        assert place.right() < width
        assert layout.row_at(place.topLeft()) == row
        assert layout.row_at(place.bottomRight()) == row
        assert list(layout.parts_in(place.adjusted(2, 2, -2, -2))) == [(row, row)]


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_lines_begin_and_arrows_lead_where_people_read_from(is_mirrored):
    layout = CellLayout(9, 300, QSize(100, 60), True, is_mirrored)
    first, second = layout.rect(0), layout.rect(1)
    assert first.left() == (200 if is_mirrored else 0)
    assert second.left() == 100
    onward = Action.MoveLeft if is_mirrored else Action.MoveRight
    assert layout.moved(0, onward, 200) == 1
    assert layout.moved(0, Action.MoveNext, 200) == 1
    assert layout.moved(0, Action.MoveDown, 200) == 3


BACK = (Action.MovePrevious, Action.MoveLeft, Action.MoveUp, Action.MovePageUp)
ONWARD = (Action.MoveNext, Action.MoveRight, Action.MoveDown, Action.MovePageDown)


@pytest.mark.parametrize(
    ("top", "first", "last"), [(0, 0, 8), (10, 3, 8), (60, 3, 11), (540, 27, 28)]
)
def test_keys_begin_with_what_is_wholly_in_view_where_no_image_is_current(top, first, last):
    layout = CellLayout(29, 300, QSize(100, 60), True)
    assert {layout.moved(-1, action, 200, top) for action in ONWARD} == {first}
    assert {layout.moved(-1, action, 200, top) for action in BACK} == {last}
    assert layout.moved(-1, Action.MoveHome, 200, top) == 0
    assert layout.moved(-1, Action.MoveEnd, 200, top) == 28
