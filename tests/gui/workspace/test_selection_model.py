"""The selection of the list: what Qt's own does, but scattered over many images."""

import random

import pytest
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QStringListModel
from PySide6.QtTest import QSignalSpy

from gui.workspace.selection_model import SelectionModel

COUNT = 30
FLAG = QItemSelectionModel.SelectionFlag
COMMANDS = (
    *(FLAG.Clear, FLAG.Select, FLAG.Deselect, FLAG.Toggle, FLAG.NoUpdate, FLAG.ClearAndSelect),
    *(FLAG.SelectCurrent, FLAG.ToggleCurrent, FLAG.ClearAndSelect | FLAG.Current),
)


@pytest.fixture
def rows(qapp):
    return QStringListModel([str(number) for number in range(COUNT)])


def selected_in(model):
    return sorted(index.row() for index in model.selectedIndexes())


def chosen_by(flags):
    return [row for row, flag in enumerate(flags) if flag]


@pytest.mark.parametrize("seed", range(3))
def test_commands_select_what_they_select_in_the_model_of_qt(rows, seed):
    chosen = random.Random(seed)
    ours, qts = SelectionModel(rows, rows), QItemSelectionModel(rows)
    changes, qts_changes = QSignalSpy(ours.selectionChanged), QSignalSpy(qts.selectionChanged)
    for _ in range(300):
        command = chosen.choice(COMMANDS)
        first = chosen.randrange(COUNT)
        last = min(COUNT - 1, first + chosen.choice((0, 0, 1, 7)))
        top, bottom = rows.index(first, 0), rows.index(last, 0)
        match chosen.randrange(4):
            case 0:
                what = QItemSelection()
            case 1:
                what = top
            case _:
                what = QItemSelection(top, bottom)
        if chosen.randrange(5) == 0:
            ours.setCurrentIndex(top, command)
            qts.setCurrentIndex(top, command)
        else:
            ours.select(what, command)
            qts.select(what, command)
        wanted = selected_in(qts)
        assert chosen_by(ours.flags) == selected_in(ours) == wanted
        assert changes.count() == qts_changes.count()


def test_nothing_is_selected_in_other_rows(rows):
    ours = SelectionModel(rows, rows)
    ours.set_flags(b"\1" * COUNT)
    rows.setStringList(["a", "b"])
    assert ours.flags == bytes(2)
    assert not ours.hasSelection()
    ours.select(rows.index(1, 0), FLAG.Select)
    assert chosen_by(ours.flags) == selected_in(ours) == [1]


def test_scattered_rows_are_few_ranges_for_qt(qapp):
    """Qt compares each range with each: 50,000 would take a minute."""
    count = 100_000
    rows = QStringListModel([""] * count)
    ours = SelectionModel(rows, rows)
    changes = QSignalSpy(ours.selectionChanged)
    flags = b"\1\0" * (count // 2)
    ours.set_flags(flags)
    assert 0 < ours.selection().count() < 1000
    ours.select(rows.index(count - 1, 0), FLAG.Toggle)
    assert chosen_by(ours.flags)[-2:] == [count - 2, count - 1]
    ours.select(QItemSelection(rows.index(0, 0), rows.index(count - 1, 0)), FLAG.Toggle)
    assert ours.flags[:-1] == (b"\0\1" * (count // 2))[:-1]
    assert changes.count() == 3
    ours.clearSelection()
    assert not any(ours.flags)
    assert changes.count() == 4
