"""What a session finds out about the words of its answers, and what is struck out of them."""

import asyncio

import pytest
from PIL import Image

from core.engine import Capability, Missing, Ready
from core.errors import Cancelled, EngineError
from core.transcript import ModelChoice
from tests.gui.conftest import until


@pytest.fixture
def session(run, session, pictures, tmp_path):
    """With a red square open."""
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    run(pictures.open_paths([path]))
    return session


def test_evidence_is_found_once_and_kept(run, session, checkpoint, inspection):
    run(session.ask("What is it?"))
    evidence = run(inspection.evidence(0))
    assert [word.text for word in evidence.words] == ["A", "red", "square"]
    assert run(inspection.evidence(0)) is evidence
    assert checkpoint.engines[-1].examined == ["A red square."]


def test_the_next_question_ends_the_evidence_under_way(run, session, checkpoint, inspection):
    async def story():
        await session.ask("ponder")
        finding = asyncio.ensure_future(inspection.evidence(0))
        await until(lambda: checkpoint.engines[-1].examined)
        await session.ask("And now?")
        with pytest.raises(Cancelled):
            await finding
        assert session.transcript.exchanges[1].answer.text == "A red square."
        assert (await inspection.evidence(1)).words

    run(story())


def test_evidence_for_a_conversation_that_was_left_goes_nowhere(
    run, session, checkpoint, inspection
):
    async def story():
        await session.ask("What is it?")
        finding = asyncio.ensure_future(inspection.evidence(0))
        await asyncio.sleep(0)
        session.new_conversation()
        with pytest.raises(Cancelled):
            await finding

    run(story())


def test_evidence_is_that_of_the_model_that_spoke(run, session, ready, inspection):
    run(session.ask("What is it?"))
    run(ready.load(ModelChoice("another")))
    with pytest.raises(EngineError, match="Load “Built-in model”"):
        run(inspection.evidence(0))
    with pytest.raises(EngineError, match="Load “Built-in model”"):
        run(inspection.trace(0))


def test_model_without_evidence_says_why(run, session, ready, checkpoint, inspection):
    reason = "Its words cannot be looked into."
    checkpoint.missing = {name: Missing(reason) for name in (Capability.EVIDENCE, Capability.TRACE)}

    async def story():
        await ready.load(ready.choice)
        await session.ask("What is it?")
        with pytest.raises(EngineError, match=reason):
            await inspection.evidence(0)
        with pytest.raises(EngineError, match=reason):
            await inspection.trace(0)

    run(story())


def test_a_model_that_rests_is_woken_for_its_own_answer(
    run, session, ready, checkpoint, inspection
):
    async def story():
        await session.ask("What is it?")
        ready.unload_idle()
        await until(lambda: not isinstance(ready.state, Ready))
        assert (await inspection.evidence(0)).words
        assert len(checkpoint.engines) == 2

    run(story())


def test_without_a_model_there_is_no_evidence(run, session, ready, inspection):
    async def story():
        await session.ask("What is it?")
        ready.unload()
        await until(lambda: not isinstance(ready.state, Ready))
        with pytest.raises(EngineError, match="Load the one that gave this answer"):
            await inspection.evidence(0)

    run(story())


def test_evidence_of_an_answer_that_is_not_there_says_what_to_do(run, session, inspection):
    with pytest.raises(EngineError, match="Ask a question first"):
        run(inspection.evidence(0))


def test_a_map_covers_the_picture(run, session, inspection):
    run(session.ask("What is it?"))
    word = run(inspection.evidence(0)).words[1]
    assert run(inspection.word_map(0, word)).square == (0, 0, 40, 30)


def test_looking_again_is_kept_with_the_word(run, session, inspection):
    run(session.ask("What is it?"))
    word = run(inspection.evidence(0)).words[1]
    evidence = run(inspection.look_again(0, word))
    assert evidence.words[1].presence.question == "Is there a red in the image?"
    assert evidence.words[2].presence is None
    assert run(inspection.evidence(0)) is evidence


def test_struck_out_words_are_kept_sent_to_the_model_and_undone(run, session, store, checkpoint):
    struck = []
    session.answer_struck.connect(lambda *now: struck.append(now))
    run(session.ask("What is it?"))
    session.strike(0, (2, 5), is_struck=True)
    assert session.transcript.exchanges[0].text == "A square."
    assert session.transcript.exchanges[0].answer.text == "A red square."
    kept = store.open(store.recent()[0].id)
    assert kept.exchanges[0].struck == ((2, 5),)
    run(session.ask("And now?"))
    assert checkpoint.engines[-1].requests[-1].turns[0].answer == "A square."
    session.undo()
    assert session.transcript.exchanges[0].text == "A red square."
    assert store.open(store.recent()[0].id).exchanges[0].struck == ()
    session.undo()
    assert struck == [(0, ((2, 5),), True), (0, (), False)]


def test_putting_back_can_be_undone_too(run, session):
    run(session.ask("What is it?"))
    session.strike(0, (2, 5), is_struck=True)
    session.strike(0, (2, 5), is_struck=False)
    assert session.transcript.exchanges[0].struck == ()
    session.undo()
    assert session.transcript.exchanges[0].struck == ((2, 5),)


def test_an_answer_asked_again_forgets_the_evidence_of_the_old_one(run, session, inspection):
    run(session.ask("What is it?"))
    run(inspection.evidence(0))
    run(session.ask_again(0, "say 2 words"))
    assert [word.text for word in run(inspection.evidence(0)).words] == ["word0", "word1"]
