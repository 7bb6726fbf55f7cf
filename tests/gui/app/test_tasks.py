"""Work that the program starts and nobody awaits."""

import asyncio
import inspect

from gui.app.tasks import BackgroundTasks


def test_nothing_starts_once_the_program_has_ended():
    loop = asyncio.new_event_loop()
    tasks = BackgroundTasks(loop)
    loop.close()

    async def work():
        raise AssertionError

    late = work()
    tasks.begin(late)
    assert inspect.getcoroutinestate(late) == inspect.CORO_CLOSED
