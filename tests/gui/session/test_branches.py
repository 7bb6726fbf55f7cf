"""What a session keeps of regenerated answers and edited questions, and takes back."""

import asyncio
from contextlib import closing

import pytest
from PIL import Image

from core.store import Store
from core.transcript import Ending, Variants
from gui.session.answer_inspection import AnswerInspection
from gui.session.answering import TRIES
from gui.session.picture_list import PictureList
from gui.session.session import Session
from tests.gui.conftest import until


@pytest.fixture
def session(run, session, pictures, tmp_path):
    """With a red square open."""
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    run(pictures.open_paths([path]))
    return session


@pytest.fixture
def heard(session):
    """The signals that say what became of an answer, as (name, its arguments)."""
    events = []
    names = (
        "answer_begun", "answer_retried", "answer_repeated", "answer_finished", "answer_failed",
        "branch_shown", "variants_changed", "noticed", "history_changed",
    )  # fmt: skip
    for name in names:
        getattr(session, name).connect(lambda *given, name=name: events.append((name, *given)))
    return events


def names(heard):
    return [name for name, *_ in heard if name != "history_changed"]


def shown(session):
    return [(one.prompt, one.text) for one in session.transcript.exchanges]


def asked(checkpoint):
    return checkpoint.engines[-1].requests


class TestRegenerating:
    def test_it_samples_until_the_answer_differs_from_all_before(
        self, run, session, heard, checkpoint
    ):
        run(session.ask("new every 3"))
        heard.clear()
        run(session.regenerate())
        assert shown(session) == [("new every 3", "Answer 1.")]
        assert names(heard) == [
            "answer_begun", "answer_retried", "answer_retried", "answer_finished",
            "variants_changed",
        ]  # fmt: skip
        assert ("variants_changed", 0, Variants(answer=2, answers=2)) in heard
        samplings = [request.sampling for request in asked(checkpoint)]
        temperatures = [sampling.temperature for sampling in samplings]
        assert temperatures[0] == 0 < temperatures[1] < temperatures[2] < temperatures[3] < 1.5
        assert {sampling.seed for sampling in samplings[1:]} == {None}

    def test_an_answer_that_is_like_an_earlier_one_than_the_last_is_no_new_one(
        self, run, session, checkpoint
    ):
        run(session.ask("new every 1"))
        run(session.regenerate())
        asked(checkpoint).clear()  # It begins with the first answer again.
        run(session.regenerate())
        assert shown(session) == [("new every 1", "Answer 2.")]
        assert len(asked(checkpoint)) == 3

    def test_a_model_with_nothing_else_to_say_is_asked_a_few_times_and_the_answer_stays(
        self, run, session, heard, checkpoint, store
    ):
        run(session.ask("say 2 words"))
        heard.clear()
        run(session.regenerate())
        assert len(asked(checkpoint)) == 1 + TRIES
        assert shown(session) == [("say 2 words", "word0 word1")]
        assert session.transcript.variants(0) == Variants()
        assert names(heard)[-2:] == ["branch_shown", "answer_repeated"]
        assert not session.is_answering
        assert not session.can_undo
        assert len(store.open(store.recent()[0].id).tree.nodes) == 1

    def test_the_conversation_goes_on_with_the_answer_that_is_shown(
        self, run, session, checkpoint, tmp_path
    ):
        run(session.ask("new every 1"))
        run(session.regenerate())
        run(session.ask("say 1 words"))
        assert asked(checkpoint)[-1].turns[0].answer == "Answer 1."
        session.step_answer(0, -1)
        assert shown(session) == [("new every 1", "Answer 0.")]
        run(session.write_transcript(tmp_path / "said.txt"))
        assert "Answer 0." in (tmp_path / "said.txt").read_text(encoding="utf-8")
        assert "Answer 1." not in (tmp_path / "said.txt").read_text(encoding="utf-8")
        run(session.ask("say 2 words"))
        assert asked(checkpoint)[-1].turns[0].answer == "Answer 0."
        session.step_answer(0, 1)
        assert shown(session) == [("new every 1", "Answer 1."), ("say 1 words", "word0")]

    def test_stepping_ends_at_the_first_and_the_last_answer(self, run, session, heard):
        run(session.ask("new every 1"))
        run(session.regenerate())
        heard.clear()
        session.step_answer(0, 1)
        session.step_question(0, 1)
        session.step_question(0, -1)
        assert heard == []

    def test_stopping_keeps_what_came(self, run, session, heard):
        async def story():
            await session.ask("then hold")
            again = asyncio.create_task(session.regenerate())
            await until(lambda: session.is_answering and session.conversation.pieces)
            session.stop()
            await again

        run(story())
        assert shown(session) == [("then hold", "Half an")]
        assert session.transcript.exchanges[0].answer.ending is Ending.STOPPED
        session.step_answer(0, -1)
        assert shown(session) == [("then hold", "First.")]

    def test_stopping_before_anything_came_leaves_the_answer_as_it_was(
        self, run, session, loaded, checkpoint, heard
    ):
        async def story():
            await session.ask("new every 1")
            session.answer_begun.connect(lambda prompt: session.stop())
            await session.regenerate()

        run(story())
        assert shown(session)[0][0] == "new every 1"
        assert len(asked(checkpoint)) <= 2
        assert "answer_repeated" not in names(heard)

    def test_stopping_between_two_tries_ends_them(self, run, session, checkpoint, heard):
        async def story():
            await session.ask("say 2 words")
            session.answer_retried.connect(session.stop)
            await session.regenerate()

        run(story())
        assert len(asked(checkpoint)) < TRIES
        assert shown(session) == [("say 2 words", "word0 word1")]
        assert "answer_repeated" not in names(heard)

    def test_failing_at_once_leaves_the_answer_and_says_why(self, run, session, heard):
        run(session.ask("then fail"))
        heard.clear()
        run(session.regenerate())
        assert shown(session) == [("then fail", "First.")]
        assert names(heard) == ["answer_begun", "branch_shown", "noticed"]

    def test_a_failed_question_is_tried_again_in_its_place(self, run, session, heard, checkpoint):
        run(session.ask("fail twice"))
        heard.clear()
        run(session.regenerate())
        assert names(heard) == ["answer_begun", "answer_failed", "variants_changed"]
        run(session.regenerate())
        assert shown(session) == [("fail twice", "At last.")]
        assert session.transcript.variants(0) == Variants()
        assert {request.sampling.temperature for request in asked(checkpoint)} == {0}

    def test_each_answer_has_its_own_strike_outs_and_evidence(
        self, run, session, inspection: AnswerInspection, checkpoint
    ):
        run(session.ask("new every 1"))
        session.strike(0, (0, 6), is_struck=True)
        first = run(inspection.evidence(0))
        run(session.regenerate())
        assert session.transcript.exchanges[0].struck == ()
        assert inspection.known_evidence(0) is None
        assert run(inspection.evidence(0)).words[1].text == "1"
        session.step_answer(0, -1)
        assert session.transcript.exchanges[0].struck == ((0, 6),)
        assert run(inspection.evidence(0)) is first
        assert checkpoint.engines[-1].examined == ["Answer 0.", "Answer 1."]


class TestEditing:
    def test_what_came_after_an_edited_question_is_a_branch_to_go_back_to(
        self, run, session, heard
    ):
        for prompt in ("say 1 words", "say 2 words", "say 3 words"):
            run(session.ask(prompt))
        before = shown(session)
        heard.clear()
        run(session.ask_again(1, "say 4 words"))
        after = [before[0], ("say 4 words", "word0 word1 word2 word3")]
        assert shown(session) == after
        assert ("variants_changed", 1, Variants(question=2, questions=2)) in heard
        session.step_question(1, -1)
        assert shown(session) == before
        assert heard[-2][:2] == ("branch_shown", 1)
        session.step_question(1, 1)
        assert shown(session) == after

    def test_a_question_comes_back_with_the_answer_that_was_shown_last(self, run, session):
        run(session.ask("new every 1"))
        run(session.regenerate())
        session.step_answer(0, -1)
        run(session.ask("say 1 words"))
        before = shown(session)
        run(session.ask_again(0, "say 2 words"))
        session.step_question(0, -1)
        assert shown(session) == before
        assert session.transcript.variants(0) == Variants(1, 2, 1, 2)

    def test_a_question_edited_back_to_what_it_was_shows_that_one_again(self, run, session):
        run(session.ask("say 1 words"))
        run(session.ask("say 3 words"))
        before = shown(session)
        run(session.ask_again(0, "say 2 words"))
        run(session.ask_again(0, "say 1 words"))
        assert shown(session) == before
        assert session.transcript.variants(0) == Variants(1, 2, 1, 1)

    def test_an_edit_that_changes_nothing_asks_for_another_answer(self, run, session):
        run(session.ask("new every 1"))
        run(session.ask_again(0, " new every 1 "))
        assert session.transcript.variants(0) == Variants(answer=2, answers=2)

    def test_an_edit_that_another_image_overtakes_is_given_back(
        self, run, session, pictures, heard, tmp_path
    ):
        refused = []
        session.ask_refused.connect(refused.append)
        Image.new("RGB", (40, 30), "blue").save(tmp_path / "blue.png")

        async def story():
            await session.ask("say 1 words")
            heard.clear()
            opening = asyncio.create_task(pictures.open_paths([tmp_path / "blue.png"]))
            await asyncio.sleep(0)
            await session.ask_again(0, "say 2 words")
            await opening

        run(story())
        assert refused == ["say 2 words"]
        assert names(heard)[-1] == "noticed"
        assert shown(session) == []

    def test_all_branches_are_there_after_a_restart(
        self, run, session, ready, loaded, tmp_path, settings_file, workspace
    ):
        run(session.ask("new every 1"))
        run(session.regenerate())
        run(session.ask("say 1 words"))
        run(session.ask_again(0, "say 2 words"))
        assert session.transcript
        tree = session.transcript.tree
        run(session.close())
        with closing(Store(tmp_path / "transcripts.sqlite")) as store:
            (row,) = store.recent()
            assert row.prompt == "say 2 words"
            assert [one.id for one in store.recent(search="Answer 0.")] == [row.id]
            again = Session(ready, loaded, PictureList(workspace), store, settings_file)
            run(again.reopen(row.id))
            assert again.transcript
            assert again.transcript.tree == tree
            assert shown(again) == [("say 2 words", "word0 word1")]
            again.step_question(0, -1)
            assert shown(again) == [("new every 1", "Answer 1."), ("say 1 words", "word0")]
            again.step_answer(0, -1)
            assert shown(again) == [("new every 1", "Answer 0.")]

    def test_what_is_asked_counts_only_once_it_is_answered(self, run, session, store):
        """A crash while an edited question is answered finds the conversation as it was."""

        async def story():
            await session.ask("say 1 words")
            await session.ask("say 2 words")
            editing = asyncio.create_task(session.ask_again(1, "hold"))
            await until(lambda: session.is_answering and session.conversation.pieces)
            assert shown(session) == [("say 1 words", "word0")]
            session.strike(0, (0, 5), is_struck=True)
            kept = store.open(store.recent()[0].id)
            assert [one.prompt for one in kept.exchanges] == ["say 1 words", "say 2 words"]
            session.stop()
            await editing

        run(story())
        assert shown(session)[1] == ("hold", "Half an")


class TestUndo:
    def test_strikes_edits_answers_and_choices_are_one_stack(self, run, session):
        run(session.ask("new every 1"))
        seen = [session.transcript]
        texts = []

        def note():
            seen.append(session.transcript)
            texts.append(session.undo_text)

        session.strike(0, (0, 6), is_struck=True)
        note()
        run(session.regenerate())
        note()
        session.step_answer(0, -1)
        note()
        session.strike(0, (0, 6), is_struck=False)
        note()
        run(session.ask_again(0, "say 1 words"))
        note()
        assert texts == [
            "Undo strike-out", "Undo regenerating", "Undo switching version",
            "Undo restoring words", "Undo editing question",
        ]  # fmt: skip
        assert not session.can_redo
        for before in reversed(seen[:-1]):
            session.undo()
            assert session.transcript.exchanges == before.exchanges
        assert not session.can_undo
        assert session.redo_text == "Redo strike-out"
        for after in seen[1:]:
            session.redo()
            assert session.transcript.exchanges == after.exchanges
        assert not session.can_redo

    def test_what_was_asked_after_an_edit_is_there_again_on_redo(self, run, session):
        run(session.ask("say 1 words"))
        run(session.ask_again(0, "say 2 words"))
        run(session.ask("say 3 words"))
        after = shown(session)
        session.undo()
        assert shown(session) == [("say 1 words", "word0")]
        session.redo()
        assert shown(session) == after

    def test_a_new_step_forgets_what_was_undone(self, run, session):
        run(session.ask("say 2 words"))
        session.strike(0, (0, 5), is_struck=True)
        session.undo()
        assert session.can_redo
        session.strike(0, (6, 11), is_struck=True)
        assert not session.can_redo

    def test_nothing_is_undone_while_an_answer_is_under_way(self, run, session, heard):
        async def story():
            await session.ask("say 2 words")
            session.strike(0, (0, 5), is_struck=True)
            heard.clear()
            answering = asyncio.create_task(session.ask("hold"))
            await until(lambda: session.is_answering and session.conversation.pieces)
            assert (session.can_undo, session.undo_text) == (False, "")
            assert ("history_changed",) in heard
            session.undo()
            session.step_answer(0, 1)
            assert session.transcript.exchanges[0].struck == ((0, 5),)
            session.stop()
            await answering
            assert session.can_undo

        run(story())

    def test_another_conversation_has_its_own_history(self, run, session, heard):
        run(session.ask("say 2 words"))
        session.strike(0, (0, 5), is_struck=True)
        heard.clear()
        session.new_conversation()
        assert ("history_changed",) in heard
        assert not session.can_undo
        session.undo()
        session.redo()
