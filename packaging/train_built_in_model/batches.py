"""Batches of scenes and conversations, made by processes beside the one that trains."""

from __future__ import annotations

import multiprocessing
import queue
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from conversations import conversation
from network import IMAGE_TOKENS
from packed_scenes import Packed, pack
from placing import draw_scene
from scenes import Scene
from sprites import sprite_facts
from texts import MIX
from tokens import PAD_TOKEN, Encoder

TASKS = (*MIX, "follow-up")
# At most this share of a batch has a printed word; those rows come first.
WORD_SHARE = 0.375
LEARNT_PER_ROW = 430
ANSWERS_PER_ROW = 40


@dataclass(frozen=True)
class BatchSizes:
    rows: int
    length: int

    @property
    def word_rows(self) -> int:
        return max(1, round(self.rows * WORD_SHARE))


@dataclass
class Batch:
    """One step's worth, as arrays in a process and as tensors on the device.

    `ids`, `positions`, `documents` (rows, length): documents are numbered from 1, 0 is the part
    that all see (the system sentence and the image), -1 is padding. The image stands at
    `image_at` in every row; a shorter beginning is padded before it.
    `learnt` are flat indices of the positions whose next token counts, `goals` those tokens,
    `weights` 0 for padding, `answer_of` the answer each belongs to, `tasks` the task of each
    answer.
    """

    slots: Any
    ground: Any
    marks: Any
    kinds: list[int]
    ids: Any = None
    positions: Any = None
    documents: Any = None
    learnt: Any = None
    goals: Any = None
    weights: Any = None
    answer_of: Any = None
    tasks: Any = None

    def to(self, device: torch.device) -> Batch:
        def moved(array: Any) -> Any:
            if not isinstance(array, np.ndarray):
                return array
            tensor = torch.from_numpy(array)
            return (
                tensor.pin_memory().to(device, non_blocking=True)
                if device.type == "cuda"
                else tensor
            )

        return Batch(**{name: moved(array) for name, array in vars(self).items()})


def draw_scenes(rng: random.Random, sizes: BatchSizes) -> list[Scene]:
    """A batch of training scenes, those with a word first and not too many of them."""
    facts = sprite_facts()
    with_word: list[Scene] = []
    without: list[Scene] = []
    while len(with_word) + len(without) < sizes.rows:
        scene = draw_scene(rng.randrange(1 << 39), facts)
        if scene.word is None:
            without.append(scene)
        elif len(with_word) < sizes.word_rows:
            with_word.append(scene)
    return with_word + without


def make_batch(
    rng: random.Random, sizes: BatchSizes, encoder: Encoder | None, mix: dict[str, float]
) -> Batch:
    """Scenes and, with an encoder, conversations about them packed into rows."""
    scenes = draw_scenes(rng, sizes)
    packed: Packed = pack(scenes, sprite_facts().first_letter)
    batch = Batch(packed.slots, packed.ground, packed.marks, packed.kinds)
    if encoder is None:
        return batch
    rows, length = sizes.rows, sizes.length
    batch.ids = np.full((rows, length), PAD_TOKEN, np.int16)
    batch.positions = np.zeros((rows, length), np.int16)
    batch.documents = np.full((rows, length), -1, np.int16)
    learnt: list[np.ndarray] = []
    goals: list[np.ndarray] = []
    answer_of: list[np.ndarray] = []
    tasks: list[int] = []
    for row, scene in enumerate(scenes):
        for start, end in _fill_row(rng, scene, encoder, mix, batch, row, tasks):
            learnt.append(row * length + np.arange(start - 1, end - 1))
            goals.append(batch.ids[row, start:end])
            answer_of.append(np.full(end - start, len(answer_of)))
    cap = rows * LEARNT_PER_ROW
    batch.learnt = _padded(np.concatenate(learnt), cap, np.int64)
    batch.goals = _padded(np.concatenate(goals), cap, np.int64)
    batch.answer_of = _padded(np.concatenate(answer_of), cap, np.int64)
    batch.weights = np.zeros(cap, np.float32)
    batch.weights[: sum(map(len, learnt))] = 1.0
    batch.tasks = np.full(rows * ANSWERS_PER_ROW, -1, np.int64)
    batch.tasks[: len(tasks)] = tasks[: len(batch.tasks)]
    batch.answer_of = np.minimum(batch.answer_of, len(batch.tasks) - 1)
    return batch


def _padded(values: np.ndarray, length: int, dtype: type) -> np.ndarray:
    out = np.zeros(length, dtype)
    out[: len(values)] = values[:length]
    return out


def image_at(encoder: Encoder) -> int:
    """Where the image begins in every row: after the longest beginning."""
    return max(map(len, encoder.prefixes.values()))


def _fill_row(
    rng: random.Random,
    scene: Scene,
    encoder: Encoder,
    mix: dict[str, float],
    batch: Batch,
    row: int,
    tasks: list[int],
) -> list[tuple[int, int]]:
    """Fill one row with conversations; the spans of its answers."""
    prefix = encoder.prefixes[rng.random() < 0.85]
    length = batch.ids.shape[1]
    begin = image_at(encoder) - len(prefix)
    at = image_at(encoder) + IMAGE_TOKENS
    batch.ids[row, begin : begin + len(prefix)] = prefix
    batch.positions[row, begin:at] = np.arange(at - begin)
    batch.documents[row, begin:at] = 0
    spans = []
    document, first = 0, at - begin
    is_long = rng.random() < 0.12
    while length - at > 24:
        turns = 30 if is_long else 1 if rng.random() < 0.6 else rng.randint(2, 9)
        encoded = encoder.encode(said := conversation(rng, scene, turns, mix))
        ids, kept = encoded.ids, len(said)
        while len(ids) > length - at and kept > 1:
            kept -= 1
            ids = ids[: _end_of(encoded.starts, encoded.learnt, kept)]
        if len(ids) > length - at:
            if length - at > 140:
                continue
            break
        document += 1
        end = at + len(ids)
        # Now and then the text lies further from the image, as after a long conversation.
        shift = rng.randint(0, 600) if rng.random() < 0.12 else 0
        batch.ids[row, at:end] = ids
        batch.positions[row, at:end] = first + shift + np.arange(len(ids))
        batch.documents[row, at:end] = document
        for number in range(kept):
            stop = _end_of(encoded.starts, encoded.learnt, number + 1)
            spans.append((at + encoded.starts[number], at + stop))
            tasks.append(TASKS.index(said[number].task))
        at = end
    return spans


def _end_of(starts: list[int], learnt: list[bool], number: int) -> int:
    """Where the answer before exchange `number` ends."""
    at = starts[number - 1]
    while at < len(learnt) and learnt[at]:
        at += 1
    return at


def _work(
    made: Any, sizes: BatchSizes, folder: Path, seed: int, weights: Any, with_text: Any
) -> None:
    torch.set_num_threads(1)
    rng = random.Random(seed)
    encoder = Encoder(folder)
    names = list(MIX)
    while True:
        mix = dict(zip(names, weights[:], strict=True))
        made.put(make_batch(rng, sizes, encoder if with_text.value else None, mix))


class Supply:
    """Keeps a few batches ready on the device. Start it before the device is touched."""

    def __init__(self, sizes: BatchSizes, tokenizer: Path, workers: int, seed: int):
        context = multiprocessing.get_context("fork")
        self.weights = context.Array("d", list(MIX.values()))
        self.with_text = context.Value("i", 0)
        self._made = context.Queue(maxsize=2 * workers)
        self._workers = [
            context.Process(
                target=_work,
                args=(self._made, sizes, tokenizer, seed * 1000 + i, self.weights, self.with_text),
                daemon=True,
            )
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.start()
        self._ready: queue.Queue[Batch] = queue.Queue(maxsize=3)
        self._stopped = threading.Event()

    def batches(self, device: torch.device) -> Iterator[Batch]:
        thread = threading.Thread(target=self._feed, args=(device,), daemon=True)
        thread.start()
        while True:
            yield self._ready.get()

    def _feed(self, device: torch.device) -> None:
        while not self._stopped.is_set():
            batch = self._made.get().to(device)
            while not self._stopped.is_set():
                try:
                    self._ready.put(batch, timeout=1)
                    break
                except queue.Full:
                    continue

    def close(self) -> None:
        self._stopped.set()
        for worker in self._workers:
            worker.terminate()
