"""Garbage collected in the window's thread, and what is left out of it."""

import gc
import sys
import threading
import weakref

import pytest

from gui.app.garbage import GarbageCollector


class Thing:
    """One that can be watched, and is garbage at once."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def collector(qapp):
    # What the tests before have left would count as very many.
    gc.collect()
    gc.freeze()
    collector = GarbageCollector()
    yield collector
    collector.close()


def test_garbage_is_collected_after_a_while(collector, qtbot):
    thing, several = weakref.ref(Thing()), []

    def is_gone():
        # Windows that go at the same time are taken off the count.
        several.extend(Thing() for _ in range(20))
        return thing() is None

    qtbot.waitUntil(is_gone)


def test_very_many_new_things_are_never_looked_through_and_later_garbage_is(collector, qtbot):
    before = gc.get_freeze_count()
    rows = [[number] for number in range(200_000)]
    qtbot.waitUntil(lambda: gc.get_freeze_count() >= before + len(rows))
    thing = weakref.ref(Thing())
    several = [Thing() for _ in range(2000)]
    qtbot.waitUntil(lambda: thing() is None)
    assert len(several) == 2000
    rows.clear()
    assert gc.get_freeze_count() < before + 200_000


def test_very_many_are_noticed_although_as_many_older_ones_have_gone(collector, qtbot):
    older = [[number] for number in range(200_000)]
    gc.freeze()
    before = gc.get_freeze_count()
    rows = [[number] for number in range(200_000)]
    older.clear()
    several = [Thing() for _ in range(2000)]
    qtbot.waitUntil(lambda: gc.get_freeze_count() > before)
    assert len(rows) + len(several) == 202_000


def test_counting_disturbs_no_thread_that_makes_a_tuple(qtbot, monkeypatch):
    """A tuple that grows can be held by nobody else: CPython raises SystemError."""
    gc.collect()
    gc.freeze()
    monkeypatch.setattr("gui.app.garbage.EVERY_MS", 0)
    # Then it counts each time, as one stays due.
    monkeypatch.setattr(gc, "collect", lambda generation: 0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    collector = GarbageCollector()
    kept = [Thing() for _ in range(2_000)]
    failed = []

    def make():
        try:
            for _ in range(20_000):
                tuple(number for number in range(100))
        except SystemError as error:
            failed.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    try:
        qtbot.waitUntil(lambda: not thread.is_alive(), timeout=60_000)
    finally:
        sys.setswitchinterval(interval)
        collector.close()
    assert failed == []
    assert len(kept) == 2_000
