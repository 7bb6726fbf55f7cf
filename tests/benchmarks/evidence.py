"""Measures whether word maps point at the thing named, and whether doubt falls on what is wrong.

    python tests/benchmarks/evidence.py [--n 500] [--seed 1] [--device cuda] [--dtype 4-bit]
                                        [--processes 8] [--paint-on cuda]

Examines `n` captions of each kind of `evidence_cases`, on scenes with known boxes, with the
built-in model. Prints the figures as JSON and, with --json, also writes them to a file. With
--calibrate it prints the constants of `core/words/doubt.py` instead, from other seeds than those it
measures with. Needs `.atlas`, which `python packaging/train_built_in_model sprites` makes.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.engine import EngineFacts
from core.llava.engine import LlavaEngine
from core.llava.evidence import GeneratedAnswer
from core.llava.word_maps import DEFAULT_METHOD, Method
from core.open_engine import open_engine
from core.picture import Picture
from core.transcript import (
    BUILT_IN,
    Answer,
    Ending,
    ModelChoice,
    Precision,
    Request,
    Sampling,
    Turn,
)
from core.words import Evidence, Word, doubt, question_about
from tests.benchmarks.evidence_cases import (
    KINDS,
    PROMPTS,
    Case,
    Claim,
    Painter,
    captions,
    crowded_scene,
)

OWN = "model errors"
METHODS: tuple[Method, ...] = ("attention", "lens", "both")
RAW = "raw average, the word's own row"
RAW_LEADING = "raw average, the row that leads to it"
CALIBRATION_SEED = 1000
NEVER = threading.Event()
# Limits GPU memory; another number gives other noise in the images.
_PAINTED_AT_ONCE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", default=500, type=int)
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--paint-on", help="a card, though the model is on the processor")
    parser.add_argument("--dtype", default="auto", help="auto, float32, float16, 8-bit, 4-bit …")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--processes", default=1, type=int, help="each with one thread")
    options = parser.parse_args()
    started = time.perf_counter()
    exam = _taken(options)
    if options.calibrate:
        calibrate(exam)
        return
    figures = {
        "seed": options.seed,
        "n": options.n,
        "device": exam.facts.device_name,
        "dtype": exam.facts.dtype,
        "seconds": round(time.perf_counter() - started, 1),
        **exam.figures(),
    }
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def _taken(options: argparse.Namespace) -> Exam:
    count = options.processes
    if count == 1:
        return _part(options, 0)
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        first, *others = pool.map(partial(_part, options), range(count))
    for other in others:
        first.join(other)
    return first


def _part(options: argparse.Namespace, share: int) -> Exam:
    """The captions that one of the processes examines."""
    if options.processes > 1:
        torch.set_num_threads(1)
    choice = ModelChoice(BUILT_IN, options.device, Precision(options.dtype))
    engine = open_engine(choice, lambda *_: None, NEVER)
    assert isinstance(engine, LlavaEngine)
    seed = options.seed + (CALIBRATION_SEED if options.calibrate else 0)
    exam = Exam(engine.facts, seed, options.n, options.calibrate, share, options.processes)
    exam.take(engine, Painter(options.paint_on or options.device))
    return exam


@dataclass(eq=False)
class Exam:
    """The examined captions of a seed, `n` of each kind, or one process's share of them."""

    facts: EngineFacts
    seed: int
    n: int
    is_calibrating: bool = False
    share: int = 0
    shares: int = 1
    # By kind of caption, kind of claim, and whether the claim is right.
    doubts: dict[tuple[str, str, bool], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    hits: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    margins: dict[bool, list[float]] = field(default_factory=lambda: defaultdict(list))
    # Rows of features, and from which kind of caption; None where right.
    features: list[tuple[np.ndarray, str | None]] = field(default_factory=list)
    _engine: LlavaEngine = field(init=False, repr=False)
    _painter: Painter = field(init=False, repr=False)

    def join(self, other: Exam) -> None:
        """Add the figures of another share."""
        for mine, more in (
            (self.doubts, other.doubts),
            (self.hits, other.hits),
            (self.margins, other.margins),
        ):
            for key, values in more.items():
                mine[key] += values  # type: ignore[index]
        self.features += other.features

    def take(self, engine: LlavaEngine, painter: Painter) -> None:
        self._engine, self._painter = engine, painter
        for number, (case, pixels) in enumerate(self._painted()):
            request = Request(Picture(None, pixels), (Turn(case.prompt),), Sampling())
            if case.kind == OWN:
                answer = self._engine.answer(request, lambda _: None, NEVER)
                case = Case(OWN, case.scene, case.prompt, answer.text)
            else:
                answer = Answer(case.caption, Ending.COMPLETE, 0, 0.0)
            evidence = self._engine.evidence(request, answer, NEVER)
            self._judge(case, request, answer, evidence)
            if number % 50 == 0:
                of = (len(KINDS) + 1) * self.n // self.shares
                print(f"\r{number} of {of}", end="", file=sys.stderr)
        print(file=sys.stderr)
        del self._engine, self._painter

    def _painted(self) -> Iterator[tuple[Case, Image.Image]]:
        cases = list(self._cases())
        begins = range(0, len(cases), _PAINTED_AT_ONCE)
        for begin in begins[self.share :: self.shares]:
            part = cases[begin : begin + _PAINTED_AT_ONCE]
            yield from zip(part, self._painter.paint([case.scene for case in part]), strict=True)

    def _cases(self) -> Iterator[Case]:
        for kind in KINDS:
            yield from captions(kind, self.seed, self.n)
        for number in range(self.n):
            scene = crowded_scene(self.seed * 1_000_000 + number)
            yield Case(OWN, scene, PROMPTS[number % 2]["prompt"], "")

    @torch.inference_mode()
    def _judge(self, case: Case, request: Request, answer: Answer, evidence: Evidence) -> None:
        content = [word for word in evidence.words if word.is_content]
        features: dict[Word, np.ndarray] = {}
        with self._engine._examining() as examiner:
            generated = examiner.generated(request, answer)
            if self.is_calibrating:
                log_p = examiner._pass(generated, examiner._features(generated)).log_p
                features = dict(zip(content, doubt.features(evidence.words, log_p), strict=True))
        to_find: list[tuple[Claim, Word]] = []
        for claim in case.claims:
            words = [w for w in content if w.begin < claim.end and w.end > claim.begin]
            if not words:
                continue
            worst = max(words, key=lambda word: word.doubt or 0)
            self.doubts[case.kind, claim.kind, claim.is_right].append(worst.doubt or 0)
            if self.is_calibrating:
                of = words if claim.is_right else [worst]
                self.features += [(features[w], None if claim.is_right else case.kind) for w in of]
            if self.is_calibrating or claim.kind != "name":
                continue
            if case.kind == "true":
                to_find.append((claim, words[-1]))
            few = len(self.margins[claim.is_right]) < self.n // 5 // self.shares
            if few and case.kind in {"true", "absent"} and question_about(answer.text, words[-1]):
                presence = self._engine.look_again(request, answer, words[-1])
                self.margins[claim.is_right].append(presence.margin)
        if to_find:
            self._point(generated, to_find)

    def _point(self, generated: GeneratedAnswer, to_find: Sequence[tuple[Claim, Word]]) -> None:
        words = [word for _, word in to_find]
        with self._engine._examining() as examiner:
            ours = examiner.patch_maps(generated, words, METHODS)
        maps = {**ours, **raw_averages(self._engine, generated, words)}
        for method, found in maps.items():
            for (claim, _), values in zip(to_find, found, strict=True):
                row, column = divmod(int(values.argmax()), values.shape[1])
                patch = 336 / values.shape[1]
                x, y = (column + 0.5) * patch, (row + 0.5) * patch
                is_hit = any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in claim.boxes)
                self.hits[method].append(is_hit)

    def figures(self) -> dict[str, Any]:
        right = self._of(lambda kind, claim, is_right: kind != OWN and is_right)
        return {
            "pointing": {
                "named": len(self.hits[DEFAULT_METHOD]),
                "default": DEFAULT_METHOD,
                **{method: round(float(np.mean(hits)), 4) for method, hits in self.hits.items()},
            },
            "doubt": {
                kind: self._auc(kind, claim)
                for kind, claim in zip(KINDS[1:], ("name", "colour", "count", "place"), strict=True)
            },
            OWN: {
                "all": self._auc(OWN, None),
                **{claim: self._auc(OWN, claim) for claim in ("name", "colour", "count", "place")},
            },
            "underlined": {
                "right, in doubt": _share(right, 0.5),
                "right, very much": _share(right, 0.9),
                **{
                    f"wrong, {kind}": _share(self._of(lambda k, _, r, on=kind: k == on and not r))
                    for kind in (*KINDS[1:], OWN)
                },
            },
            "is it there": {
                "right, wrong": [len(self.margins[True]), len(self.margins[False])],
                "auc": area(self.margins[True], self.margins[False]),
            },
        }

    def _of(self, wanted: Any) -> list[float]:
        return [value for key, values in self.doubts.items() if wanted(*key) for value in values]

    def _auc(self, kind: str, claim: str | None) -> dict[str, Any]:
        """AUC of wrong claims in this kind of caption against right claims of the same sort.

        Right claims come from all captions except the model's own, which are compared only with
        themselves.
        """
        wrong = self._of(
            lambda k, c, r: k == kind and not r and (kind != OWN or claim in {None, c})
        )
        right = self._of(lambda k, c, r: (k == OWN) == (kind == OWN) and r and claim in {None, c})
        return {"wrong": len(wrong), "right": len(right), "auc": area(wrong, right)}


def _share(values: Sequence[float], least: float = 0.5) -> float:
    return round(float(np.mean(np.array(values) >= least)), 4) if values else float("nan")


def area(higher: Sequence[float], lower: Sequence[float]) -> float | None:
    """The area under the ROC curve: how often a `higher` exceeds a `lower`; ties count half."""
    if not (higher and lower):
        return None
    _, ranks, counts = np.unique([*higher, *lower], return_inverse=True, return_counts=True)
    mean_ranks = (np.cumsum(counts) - (counts - 1) / 2)[ranks]
    least = len(higher) * (len(higher) + 1) / 2
    return round(float((mean_ranks[: len(higher)].sum() - least) / (len(higher) * len(lower))), 4)


def raw_averages(
    engine: LlavaEngine, generated: GeneratedAnswer, words: Sequence[Word]
) -> dict[str, np.ndarray]:
    """The attention to the image averaged over all layers and heads, the usual method."""
    assert engine._loop is not None
    forward = engine._loop.forward
    begin = len(generated.inputs.positions)
    rows = {
        RAW: torch.tensor([begin + word.end_token - 1 for word in words]),
        RAW_LEADING: torch.tensor([begin + word.first_token - 1 for word in words]),
    }
    image = torch.tensor(generated.image_positions)
    side = round(len(image) ** 0.5)
    found = {name: torch.zeros(len(words), side * side) for name in rows}

    def on_layer(_: int, __: Tensor, queries: Tensor, keys: Tensor) -> None:
        for name, at in rows.items():
            chosen = queries[at.to(queries.device)].transpose(0, 1)
            scores = (chosen @ keys.transpose(1, 2)).float() / queries.shape[-1] ** 0.5
            behind = torch.arange(keys.shape[1]) > at[:, None]
            scores = scores.cpu().masked_fill(behind, float("-inf"))
            found[name] += scores.softmax(-1)[:, :, image].mean(0)

    features = forward.image_features(generated.inputs.pixel_values)
    forward.hidden_states(generated.positions[:-1], features, on_layer)
    return {name: values.view(-1, side, side).numpy() for name, values in found.items()}


def calibrate(exam: Exam) -> None:
    """Fit and print a logistic regression in which each kind of caption has the same weight."""
    features = np.array([row for row, _ in exam.features])
    kinds = [kind for _, kind in exam.features]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    weights = np.array([1 / counts[k] if k else (len(counts) - 1) / counts[k] for k in kinds])
    is_wrong = np.array([kind is not None for kind in kinds], float)
    rows = np.hstack([features, np.ones((len(features), 1))])
    found = np.zeros(rows.shape[1])
    for _ in range(50):  # Newton's method.
        p = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (weights * (is_wrong - p)) - 1e-3 * found
        curve = (rows * (weights * p * (1 - p))[:, None]).T @ rows + 1e-3 * np.eye(len(found))
        found += np.linalg.solve(curve, slope)
    right = features[is_wrong == 0] @ found[:-1]
    print("WEIGHTS =", tuple(round(float(value), 2) for value in found[:-1]))
    print("THRESHOLD =", round(float(np.quantile(right, 0.96)), 2))
    print({str(kind): count for kind, count in counts.items()})


if __name__ == "__main__":
    main()
