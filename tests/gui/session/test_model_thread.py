import asyncio
import threading
import weakref

import pytest
from PySide6.QtCore import QThread

from core.engine import Absent, Failed, Loading, Ready
from core.errors import Cancelled, CheckpointError, EngineError
from core.transcript import Ending, ModelChoice
from gui.session.engine_jobs import FRAME_MS
from tests.gui.conftest import until


def watch(signal) -> list:
    seen = []
    signal.connect(seen.append)
    return seen


def test_pieces_make_up_the_answer_and_arrive_in_the_window_thread(run, ready, ask, qapp):
    pieces, threads = [], set()

    def on_piece(piece):
        pieces.append(piece)
        threads.add(QThread.currentThread() is qapp.thread())

    answer = run(ready.answer(ask("say 500 words"), on_piece))
    assert "".join(pieces).strip() == answer.text
    assert answer.text.split() == [f"word{i}" for i in range(500)]
    assert answer.ending is Ending.COMPLETE
    assert threads == {True}


def test_engine_lives_and_works_in_one_thread_that_is_not_the_windows(run, ready, checkpoint, ask):
    threads = []
    engine = checkpoint.engines[0]
    engine._pieces = lambda script, stop: threads.append(threading.get_ident()) or []
    run(ready.answer(ask("anything")))
    assert threads == [engine.thread.ident] != [threading.get_ident()]


def test_fast_pieces_are_joined_to_one_a_frame_and_the_first_comes_at_once(run, ready, ask):
    first = asyncio.Event()
    pieces = []

    def on_piece(piece):
        pieces.append(piece)
        first.set()

    async def story():
        answering = asyncio.create_task(ready.answer(ask("say 500 words at 1000"), on_piece))
        await first.wait()
        assert not answering.done()
        return await answering

    answer = run(story())
    assert pieces[0].startswith("word0 ")
    assert "".join(pieces).strip() == answer.text
    assert len(pieces) <= answer.seconds * 1000 / FRAME_MS + 2


def test_last_piece_does_not_wait_for_another(run, ready, ask):
    pieces = []

    async def story():
        answering = asyncio.create_task(ready.answer(ask("hold"), pieces.append))
        await until(lambda: pieces)
        ready.stop()
        return await answering

    assert run(story()).text == "Half an"


def test_answers_come_in_the_order_they_were_asked(run, ready, ask):
    ended = []

    async def one(prompt):
        await ready.answer(ask(prompt))
        ended.append(prompt)

    async def story():
        prompts = ["say 30 words", "say 3 words", "say 10 words"]
        await asyncio.gather(*map(one, prompts))
        return prompts

    assert run(story()) == ended


def test_stopped_answer_keeps_what_was_said_and_the_next_one_comes(run, ready, ask):
    pieces = []

    async def story():
        answering = asyncio.create_task(ready.answer(ask("hold"), pieces.append))
        await until(lambda: pieces)
        ready.stop()
        return await answering, await ready.answer(ask("say 3 words"))

    stopped, following = run(story())
    assert (stopped.text, stopped.ending) == ("Half an", Ending.STOPPED)
    assert (following.text, following.ending) == ("word0 word1 word2", Ending.COMPLETE)


def test_stop_reaches_answers_that_wait_behind_another(run, ready, checkpoint, ask):
    pieces = []

    async def story():
        first = asyncio.create_task(ready.answer(ask("hold"), pieces.append))
        second = asyncio.create_task(ready.answer(ask("say 3 words")))
        await until(lambda: pieces)
        ready.stop()
        return await first, await second

    first, second = run(story())
    assert (first.ending, second.ending) == (Ending.STOPPED, Ending.STOPPED)
    assert second.text == ""
    assert len(checkpoint.engines[0].requests) == 1


def test_answer_asked_while_a_model_loads_waits_for_it(run, model, checkpoint, ask):
    async def story():
        loading = asyncio.create_task(model.load(ModelChoice("slow")))
        answering = asyncio.create_task(model.answer(ask("say 2 words")))
        await until(lambda: isinstance(model.state, Loading) and model.state.fraction)
        assert model.is_busy
        checkpoint.release.set()
        await loading
        return await answering

    assert run(story()).text == "word0 word1"
    assert not model.is_busy


def test_stop_ends_an_answer_that_waits_for_a_model_at_once(run, model, ask):
    async def story():
        loading = asyncio.create_task(model.load(ModelChoice("slow")))
        answering = asyncio.create_task(model.answer(ask("say 2 words")))
        await until(lambda: model.is_busy)
        model.stop()
        answer = await answering
        assert not loading.done()
        model.cancel_load()
        with pytest.raises(Cancelled):
            await loading
        return answer

    answer = run(story())
    assert (answer.text, answer.ending) == ("", Ending.STOPPED)


def test_failure_reaches_the_asker_and_the_next_answer_still_comes(run, ready, ask):
    pieces = []
    with pytest.raises(EngineError, match="went away"):
        run(ready.answer(ask("fail"), pieces.append))
    with pytest.raises(ZeroDivisionError):
        run(ready.answer(ask("crash")))
    assert pieces == ["Half an "]
    assert run(ready.answer(ask("say 1 words"))).text == "word0"


def test_failure_does_not_keep_what_the_engine_had_in_hand(run, ready, checkpoint, ask):
    class Tensor:
        pass

    kept = []

    def fail(script, stop):
        tensor = Tensor()
        kept.append(weakref.ref(tensor))
        raise EngineError("The device went away. Ask again.")
        yield

    checkpoint.engines[0]._pieces = fail
    with pytest.raises(EngineError) as failure:
        run(ready.answer(ask("anything")))
    assert kept[0]() is None
    assert failure.value.__traceback__


def test_loading_reports_its_stages_and_then_the_facts(run, model):
    states = watch(model.state_changed)
    run(model.load(ModelChoice("some-model")))
    assert [type(state) for state in states] == [Loading, Loading, Ready]
    assert states[1] == Loading(0.5, "Reading weights")
    assert states[2].facts.model == "some-model"


def test_failed_load_leaves_no_model_and_says_why(run, ready, checkpoint, ask):
    with pytest.raises(CheckpointError, match="not a LLaVA"):
        run(ready.load(ModelChoice("broken")))
    assert isinstance(ready.state, Failed)
    assert checkpoint.engines[0].is_closed
    with pytest.raises(EngineError, match="No model is loaded"):
        run(ready.answer(ask("anything")))
    run(ready.load(ModelChoice()))
    assert run(ready.answer(ask("say 1 words"))).text == "word0"


def test_answer_that_waited_for_a_load_that_fails_says_why(run, model, ask):
    async def story():
        loading = asyncio.create_task(model.load(ModelChoice("broken")))
        answering = asyncio.create_task(model.answer(ask("anything")))
        return await asyncio.gather(loading, answering, return_exceptions=True)

    load_error, error = run(story())
    assert isinstance(error, EngineError)
    assert "not a LLaVA" in str(error)
    assert error.__cause__ is load_error


def test_unforeseen_failure_of_a_load_reaches_the_asker_and_the_thread_lives(run, model):
    with pytest.raises(ZeroDivisionError):
        run(model.load(ModelChoice("buggy")))
    run(model.load(ModelChoice()))
    assert isinstance(model.state, Ready)


def test_load_can_be_cancelled(run, model):
    async def story():
        loading = asyncio.create_task(model.load(ModelChoice("slow")))
        await until(lambda: isinstance(model.state, Loading) and model.state.fraction)
        model.cancel_load()
        with pytest.raises(Cancelled):
            await loading

    run(story())
    assert model.state == Absent()


def test_new_load_replaces_one_under_way_and_the_waiting_answer_comes_from_it(run, model, ask):
    async def story():
        first = asyncio.create_task(model.load(ModelChoice("slow")))
        answering = asyncio.create_task(model.answer(ask("say 1 words")))
        await until(lambda: isinstance(model.state, Loading) and model.state.fraction)
        await model.load(ModelChoice("other"))
        with pytest.raises(Cancelled):
            await first
        return await answering

    assert run(story()).text == "word0"
    assert model.state.facts.model == "other"


def test_new_model_frees_the_old_one(run, ready, checkpoint):
    run(ready.load(ModelChoice("other")))
    assert [engine.is_closed for engine in checkpoint.engines] == [True, False]


def test_unloading_frees_the_model_and_says_so(run, ready, checkpoint, ask):
    ready.unload()
    run(until(lambda: ready.state == Absent()))
    assert checkpoint.engines[0].is_closed
    with pytest.raises(EngineError, match="No model is loaded"):
        run(ready.answer(ask("anything")))


def test_asker_that_goes_away_ends_its_answer(run, ready, ask):
    pieces = []

    async def story():
        answering = asyncio.create_task(ready.answer(ask("hold"), pieces.append))
        await until(lambda: pieces)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        await until(lambda: not ready.is_busy)

    run(story())


def test_closing_ends_answers_and_loads_and_frees_the_model(run, ready, checkpoint, ask):
    pieces = []

    async def story():
        answering = asyncio.create_task(ready.answer(ask("hold"), pieces.append))
        await until(lambda: pieces)
        loading = asyncio.create_task(ready.load(ModelChoice("slow")))
        await until(lambda: isinstance(ready.state, Loading))
        assert await ready.close()
        with pytest.raises(Cancelled):
            await loading
        with pytest.raises(Cancelled, match="closing"):
            await ready.answer(ask("anything"))
        return await answering

    assert run(story()).text == "Half an"
    assert all(engine.is_closed for engine in checkpoint.engines)


def test_closing_gives_up_on_work_that_cannot_be_interrupted(run, ready, checkpoint, ask):
    release = threading.Event()
    checkpoint.engines[0]._pieces = lambda script, stop: release.wait() and []

    async def story():
        answering = asyncio.create_task(ready.answer(ask("anything")))
        await until(lambda: checkpoint.engines[0].requests)
        is_ended = await ready.close(0.05)
        release.set()
        await answering
        return is_ended

    assert run(story()) is False


def test_an_inquiry_runs_with_the_engine_in_its_thread(run, ready, checkpoint):
    def work(engine, stop):
        return engine, threading.current_thread(), stop.is_set()

    engine, thread, is_stopped = run(ready.run_read_only(work))
    assert engine is checkpoint.engines[-1]
    assert thread is engine.thread
    assert not is_stopped


def test_a_question_ends_the_inquiries_before_it(run, ready, ask):
    def work(engine, stop):
        assert stop.wait(10)
        raise Cancelled("Something else was wanted.")

    async def story():
        under_way = asyncio.ensure_future(ready.run_read_only(work))
        waiting = asyncio.ensure_future(ready.run_read_only(work))
        await asyncio.sleep(0)
        answer = await ready.answer(ask("anything"))
        assert answer.text == "A red square."
        for inquiry in (under_way, waiting):
            with pytest.raises(Cancelled):
                await inquiry

    run(story())


def test_an_inquiry_waits_for_the_model_under_way_and_fails_without_one(run, model):
    async def story():
        loading = asyncio.ensure_future(model.load(ModelChoice()))
        await asyncio.sleep(0)
        assert await model.run_read_only(lambda engine, stop: engine.facts.model) == "built-in"
        await loading
        model.unload()
        with pytest.raises(EngineError):
            await model.run_read_only(lambda engine, stop: engine.facts)

    run(story())
