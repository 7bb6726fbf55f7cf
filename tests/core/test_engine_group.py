"""Several engines answer as one: none of a run's images is lost or captioned twice."""

import shutil
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.batch.events import Captioned
from core.batch.journal import read_events
from core.captions.formats import CaptionFormat
from core.engine import Capability
from core.engine_group.cards import devices_for, sources_on
from core.engine_group.group import EngineGroup, EngineSource
from core.engine_group.process import EngineProcess
from core.errors import CheckpointError, EngineError, EngineLost, OutOfMemory
from core.picture import Picture, open_picture
from core.resources import SAMPLES
from core.terminal import main as terminal
from core.transcript import Ending, ModelChoice, Request, Sampling, Turn
from tests.support.folder_run import FolderEngine
from tests.support.group_engines import OPENER, PreparingEngine

COUNT = 20
OPTIONS = BatchOptions(("What is it?",), writes=(CaptionFormat.JSONL,))


@pytest.fixture
def batch(tmp_path):
    """A run over twenty images."""
    (tmp_path / "pictures").mkdir()
    for number in range(COUNT):
        Image.new("RGB", (8, 6), "red").save(tmp_path / "pictures" / f"{number}.png")
    batch = Batch.begin([tmp_path / "pictures"], OPTIONS, tmp_path / "journals")
    yield batch
    batch.close()


def lent(name, engine):
    return EngineSource(name, lambda stop: engine, is_lent=True)


@contextmanager
def group_of(*sources):
    group = EngineGroup(sources, threading.Event())
    try:
        yield group
    finally:
        group.close()


def in_child(name, model="answers"):
    """An engine in a process of its own."""
    (source,) = sources_on(["cpu"], ModelChoice(model), opener=OPENER)
    return EngineSource(name, source.open)


def captions(batch):
    """How many captions each image got."""
    events = read_events(batch.journal_path)
    return Counter(event.picture for event in events if isinstance(event, Captioned))


def once_each(batch):
    return Counter(str(item.path) for item in batch.items)


def wait_until(is_so):
    while not is_so():
        time.sleep(0.005)


def until_set(event):
    event.wait()


def run(batch, engine, slots=3, control=None, **how):
    return batch.run(engine, control or Control(), slots=slots, **how)


def test_engines_share_the_images_of_a_run(batch):
    one, other = FolderEngine(), FolderEngine()
    one.on_answer = lambda request: until_set(other.has_begun)
    other.on_answer = lambda request: until_set(one.has_begun)
    with group_of(lent("cuda:0", one), lent("cuda:1", other)) as group:
        assert (group.facts.engines, group.facts.device) == (2, "cuda:0, cuda:1")
        assert group.facts.why_not(Capability.EVIDENCE)
        assert run(batch, group).done == COUNT
    assert captions(batch) == once_each(batch)
    assert len(one.asked) + len(other.asked) == COUNT
    assert one.asked
    assert other.asked
    assert batch.notes == []


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("has_lent", [False, True])
def test_engines_have_images_prepared_ahead(batch, slots, has_lent):
    """Each image gets what was made of itself, none is lost, and none is asked about twice."""
    mine = lent("cpu", PreparingEngine()) if has_lent else in_child("cpu", "prepares")
    with group_of(mine, in_child("cpu (2)", "prepares")) as group:
        assert run(batch, group, slots).done == COUNT
    assert captions(batch) == once_each(batch)
    for item in batch.items:
        assert item.caption == f"{item.path.name} prepared as (8, 6)"


class Gate:
    """Holds an engine at its first answer until so many images of the run are done."""

    def __init__(self, engine, done):
        engine.on_answer = self._wait
        self._left = done
        self._is_open = threading.Event()

    def _wait(self, request):
        self._is_open.wait()

    def on_item(self, number, item):
        self._left -= item.state is ItemState.DONE
        if self._left <= 0:
            self._is_open.set()


def test_slow_engine_holds_up_no_image_but_its_own(batch):
    slow, fast = FolderEngine(), FolderEngine()
    gate = Gate(slow, COUNT - 3)  # Three slots hold the others.
    with group_of(lent("slow", slow), lent("fast", fast)) as group:
        assert run(batch, group, on_item=gate.on_item).done == COUNT
    assert captions(batch) == once_each(batch)
    assert len(slow.asked) <= 3


def failing(error):
    """Answers twice, then fails for good."""
    engine, count = FolderEngine(), iter(range(100))

    def fail(request):
        if next(count) >= 2:
            raise error

    engine.on_answer = fail
    return lent("cuda:0", engine)


@pytest.mark.parametrize(
    "source",
    [
        in_child("cuda:0", "dies after 2"),
        failing(EngineError("CUDA error: an illegal memory access. Load the model again.")),
        failing(OutOfMemory("The card is full. Close other programs.")),
        failing(ZeroDivisionError("nobody foresaw this")),
    ],
    ids=["process dies", "card fails", "no memory for one", "bug"],
)
def test_images_of_an_engine_that_fails_go_to_the_others(batch, source):
    other = FolderEngine()
    gate = Gate(other, 2)
    with group_of(source, lent("cuda:1", other)) as group:
        assert run(batch, group, on_item=gate.on_item).done == COUNT
    assert captions(batch) == once_each(batch)
    assert "cuda:0 failed, so the others captioned its images." in batch.notes[-1]
    noted = {note for item in batch.items for note in item.notes}
    assert noted == {"cuda:0 failed while it captioned this image, so cuda:1 captioned it."}


def test_run_ends_and_goes_on_later_where_every_engine_has_died(batch):
    dying = in_child("cuda:0", "dies after 2"), in_child("cuda:1", "dies after 3")
    with group_of(*dying) as group, pytest.raises(EngineLost):
        run(batch, group)
    assert batch.tally.done == 5
    assert batch.tally.failed == 0
    batch.close()
    again = Batch.resume(batch.journal_path)
    with group_of(lent("cuda:0", FolderEngine()), lent("cuda:1", FolderEngine())) as group:
        assert run(again, group).done == COUNT
    again.close()
    assert captions(batch) == once_each(batch)


def test_answers_of_a_process_count_though_it_dies_before_they_are_read(tmp_path):
    path = tmp_path / "0.png"
    Image.new("RGB", (8, 6), "red").save(path)
    asked = [
        Request(open_picture(path), (Turn(f"{n}?"),), Sampling(max_new_tokens=9)) for n in range(4)
    ]
    stop = threading.Event()
    engine = EngineProcess(ModelChoice("dies after 2"), lambda *_: None, stop, opener=OPENER)

    def requests():
        yield from asked[:3]
        # It is dead by the time that it is sent the next one.
        psutil.Process(engine.pid).wait()
        yield asked[3]

    answers = engine.answer_all(requests(), stop, slots=1)
    assert [next(answers)[0] for _ in range(2)] == asked[:2]
    with pytest.raises(EngineLost):
        next(answers)
    engine.close()


def test_image_that_no_engine_can_caption_is_found_and_blamed(batch):
    one, other = FolderEngine(), FolderEngine()
    for engine in (one, other):
        engine.fail["7.png"] = EngineError("The model failed. Leave this image out.")
    with group_of(lent("cuda:0", one), lent("cuda:1", other)) as group:
        tally = run(batch, group)
    assert (tally.done, tally.failed) == (COUNT - 1, 1)
    assert [item.path.name for item in batch.items if item.state is ItemState.FAILED] == ["7.png"]
    assert batch.notes == []


def test_engine_without_memory_for_its_slots_takes_fewer(batch):
    small, large = FolderEngine(most=3), FolderEngine()
    gate = Gate(large, 1)
    with group_of(lent("cuda:0", small), lent("cuda:1", large)) as group:
        assert run(batch, group, slots=4, on_item=gate.on_item).done == COUNT
    assert captions(batch) == once_each(batch)
    assert batch.notes == ["Memory ran out on cuda:0, so 2 images are now captioned at once there."]


def test_engine_that_cannot_be_opened_is_not_used(batch):
    broken = in_child("cuda:1", "cannot be opened")
    other = FolderEngine()
    with group_of(lent("cuda:0", other), broken) as group:
        other.on_answer = lambda request: wait_until(lambda: group.facts.engines == 1)
        assert run(batch, group).done == COUNT
    assert batch.notes == ["cuda:1 is not used. There is no such model."]
    with pytest.raises(CheckpointError, match="There is no such model"), group_of(broken):
        pass


def test_run_does_not_wait_for_an_engine_that_opens_slowly(batch):
    def open_slowly(stop):
        stop.wait()
        raise EngineError("The opening was cancelled.")

    with group_of(lent("cuda:0", FolderEngine()), EngineSource("cuda:1", open_slowly)) as group:
        assert run(batch, group).done == COUNT


class EndsRun:
    """Ends a run at its first caption; an engine's second answer waits for that."""

    def __init__(self, end, *engines):
        self.control = Control()
        self._end, self._is_ended = end, threading.Event()
        for engine in engines:
            engine.on_answer = self._wait_after(engine)

    def _wait_after(self, engine):
        def wait(request):
            if len(engine.asked) > 1:
                self._is_ended.wait()

        return wait

    def on_item(self, number, item):
        if item.state is ItemState.DONE:
            self._end(self.control)
            self._is_ended.set()


@pytest.mark.parametrize("end", [Control.stop_now, Control.stop_after_this])
def test_ended_run_leaves_the_other_images_and_goes_on(batch, end):
    one, other = FolderEngine(), FolderEngine()
    ending = EndsRun(end, one, other)
    with group_of(lent("cuda:0", one), lent("cuda:1", other)) as group:
        tally = run(batch, group, control=ending.control, on_item=ending.on_item)
        assert tally.done >= 1
        assert tally.waiting
        assert not tally.failed
        # The engines are still there.
        assert run(batch, group).done == COUNT
    assert captions(batch) == once_each(batch)


def test_stopping_ends_the_answers_in_other_processes(batch):
    one = FolderEngine()
    ending = EndsRun(Control.stop_now, one)
    with group_of(lent("cuda:0", one), in_child("cuda:1", "is slow")) as group:
        tally = run(batch, group, control=ending.control, on_item=ending.on_item)
    assert tally.waiting
    assert not tally.failed


@pytest.mark.parametrize("slots", [1, 3])
def test_pieces_of_each_answer_come_in_order(batch, slots):
    heard = defaultdict(str)

    def on_piece(number, piece):
        heard[number] += piece

    with group_of(in_child("cuda:0"), lent("cuda:1", FolderEngine())) as group:
        run(batch, group, slots=slots, on_piece=on_piece)
    assert heard == {number: item.caption for number, item in enumerate(batch.items)}


@pytest.fixture(scope="module")
def process():
    """The built-in model in a process of its own."""
    (source,) = sources_on(["cpu"], ModelChoice())
    process = source.open(threading.Event())
    yield process
    process.close()


@pytest.mark.slow
@pytest.mark.parametrize("is_group", [False, True])
def test_requests_are_waited_for_stopped_and_refused_one_by_one(process, is_group):
    """As a server asks: what becomes of one changes nothing for the others."""
    picture = Picture(Path("1.png"), Image.radial_gradient("L").convert("RGB"))
    endless = Request(picture, (Turn("Describe this image."),), Sampling(max_new_tokens=1000))
    short = replace(endless, sampling=Sampling(max_new_tokens=3))
    wrong = replace(endless, others=(picture,))
    begun, answers, refused = threading.Event(), {}, []

    def requests():
        yield endless
        while not begun.is_set():
            yield None
        yield wrong
        yield short
        while id(short) not in answers:
            yield None

    with group_of(lent("cpu", process)) as group:
        for request, answer in (group if is_group else process).answer_all(
            requests(),
            threading.Event(),
            slots=2,
            on_piece=lambda request, piece: begun.set(),
            is_stopped=lambda request: request is endless and id(short) in answers,
            on_refused=lambda request, error: refused.append((request, error.message)),
        ):
            answers[id(request)] = answer
    assert answers[id(short)].tokens == 3
    assert answers[id(endless)].ending is not Ending.LENGTH
    assert [request for request, _ in refused] == [wrong]
    assert refused[0][1] == "This model takes one image at a time. Choose one."


@pytest.mark.slow
def test_folder_run_of_the_terminal_says_with_two_engines_what_it_says_with_one(tmp_path, capsys):
    texts = []
    for cards in (["--cards", "cpu"], ["--cards", "cpu,cpu"]):
        folder = tmp_path / f"{len(texts)}"
        folder.mkdir()
        for path in sorted(SAMPLES.glob("*.png"))[:4]:
            shutil.copy(path, folder)
        assert (
            terminal.main(["caption", str(folder), "--write", "txt", "--slots", "2", *cards]) == 0
        )
        texts.append({path.name: path.read_text() for path in folder.glob("*.txt")})
    assert texts[0] == texts[1]
    assert len(texts[0]) == 4
    assert "Loading the model on cpu, cpu." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("device", "wanted", "cards", "devices"),
    [
        ("auto", (), 0, ("auto",)),
        ("auto", (), 1, ("auto",)),
        ("auto", (), 3, ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda", (), 2, ("cuda:0", "cuda:1")),
        ("cuda:1", (), 2, ("cuda:1",)),
        ("cpu", (), 2, ("cpu",)),
        ("auto", ("cuda:1",), 2, ("cuda:1",)),
    ],
)
def test_run_uses_all_cards_unless_told_otherwise(device, wanted, cards, devices):
    assert devices_for(device, wanted, cards) == devices
