"""What still wants to work in a thread once the program ends."""

import ast
import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gui
from core.hub import JobKind
from gui.session.in_thread import begin_in
from gui.session.model_jobs import JobThread, ModelJobs


def test_work_is_done_and_its_failure_raised(run):
    executor = ThreadPoolExecutor(1)

    async def story():
        name = await begin_in(executor, lambda: threading.current_thread().name)
        assert name != threading.main_thread().name
        with pytest.raises(ZeroDivisionError):
            await begin_in(executor, lambda: 1 / 0)

    run(story())
    executor.shutdown()


def test_work_after_the_end_is_cancelled(run):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    done = []

    async def story():
        with pytest.raises(asyncio.CancelledError):
            await begin_in(executor, lambda: done.append(1))

    run(story())
    assert done == []


def test_job_that_the_end_stops_ends_what_was_to_follow(run):
    jobs = ModelJobs()

    async def story():
        begun = threading.Event()

        def work(report, stop):
            begun.set()
            stop.wait()

        async def life():
            await jobs.run("a", JobKind.DOWNLOAD, JobThread.DOWNLOAD, work)
            await jobs.call(JobThread.DISK, lambda: None)

        living = asyncio.create_task(life())
        await asyncio.to_thread(begun.wait)
        assert await jobs.close(10)
        with pytest.raises(asyncio.CancelledError):
            await living

    run(story())


def test_threads_of_our_own_are_asked_in_this_way_alone():
    """The loop's own way fails with an unexpected error where a thread was ended."""
    found = [
        (path.name, ast.unparse(call))
        for path in Path(gui.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith("run_in_executor")
        and ast.unparse(call.args[0]) != "None"
    ]
    assert found == []
