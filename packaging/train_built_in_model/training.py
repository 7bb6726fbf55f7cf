"""Training: first what each patch shows, then that and the conversations together.

The learning rate follows the wall clock, so that a run ends well trained at a given time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from batches import TASKS, Batch, BatchSizes, Supply, image_at
from catalogue import class_names
from export import export
from muon import Muon
from network import Network, Sizes, dense_loss, is_scaffold, likeness_loss, patch_targets
from pictures import Renderer, degrade, normalise
from sprites import load_sheet
from texts import MIX
from tokens import Encoder
from torch import Tensor, nn


@dataclass(frozen=True)
class Plan:
    """`seconds` by the wall clock from the start to the last step, compiling included;
    `dense_seconds` is how much of it goes to the dense phase once its step is compiled. `steps`
    ends each phase early, for tests of the recipe.
    """

    atlas: Path
    tokenizer: Path
    output: Path
    start: Path | None
    device: str
    seconds: float
    dense_seconds: float
    rows: int = 256
    length: int = 1280
    workers: int = 14
    matrix_rate: float = 0.02
    other_rate: float = 3e-3
    seed: int = 1
    tiny: bool = False
    steps: int | None = None
    attention: str = "flex"
    mix: dict[str, float] | None = None


class Trainer:
    """Owns the network, its optimisers and the supply of batches."""

    def __init__(self, plan: Plan):
        self.started = time.perf_counter()
        self.plan = plan
        self.sizes = BatchSizes(plan.rows, plan.length)
        self.supply = Supply(self.sizes, plan.tokenizer, plan.workers, plan.seed)
        if plan.mix:
            self.supply.weights[:] = [plan.mix.get(task, share) for task, share in MIX.items()]
        self.base_mix = self.supply.weights[:]
        self.device = torch.device(plan.device)
        self.on_gpu = self.device.type == "cuda"
        torch.manual_seed(plan.seed)
        torch.set_float32_matmul_precision("high")
        self.network = Network(Sizes.tiny() if plan.tiny else Sizes()).to(self.device)
        if plan.start:
            state = torch.load(plan.start, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state)
        self.renderer = Renderer(load_sheet(plan.atlas), self.device, compiles=self.on_gpu)
        self.names = _names(plan.tokenizer, self.device)
        self.image_at = image_at(Encoder(plan.tokenizer))
        self.muon, self.adam = _optimisers(self.network, plan.other_rate)
        compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = (
            (lambda f: torch.compile(f, dynamic=False)) if self.on_gpu else (lambda f: f)
        )
        self._finish = compiled(_finish)
        self._targets = compiled(patch_targets)
        self._look = compiled(self._look_loss)
        self._speak = compiled(self._speak_loss)
        self._mask = _block_mask if plan.attention == "flex" and self.on_gpu else _bool_mask
        self.feed = self.supply.batches(self.device)
        self.wait = 0.0
        plan.output.mkdir(parents=True, exist_ok=True)
        self.log_path = plan.output / "log.jsonl"

    # ---- one step -------------------------------------------------------------------------

    def _look_loss(self, pixels: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Features, the heads' loss, and the share of patches they name rightly."""
        features = self.network.vision_tower(pixels)
        loss, right = dense_loss(self.network.heads(features), targets)
        return features, loss, right

    def _speak_loss(
        self, features: Tensor, classes: Tensor, batch: Batch, ids: Tensor, mask: Any
    ) -> tuple[Tensor, ...]:
        """The loss of the words, that of likeness, and which tokens come out right."""
        network = self.network
        projected = network.multi_modal_projector(features)
        tokens, counts = self.names
        pieces = network.language_model.embed_tokens(tokens)
        names = (pieces * (tokens > 0)[..., None]).sum(1) / counts[:, None]
        like = likeness_loss(projected, classes, names, network.likeness)
        x = network.sequence(ids, self.image_at, projected)
        x = network.language_model(x, batch.positions, mask)
        logits = network.lm_head(x.flatten(0, 1)[batch.learnt])
        each = F.cross_entropy(logits.float(), batch.goals, reduction="none")
        words = (each * batch.weights).sum() / batch.weights.sum()
        return words, like, logits.argmax(-1) == batch.goals

    def pictures(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            painted = self.renderer.compose(
                batch.slots, batch.ground, batch.kinds, word_rows=self.sizes.word_rows
            )
            chance = torch.rand(self.sizes.rows, 8, device=self.device)
            pixels = self._finish(painted, batch.ground, chance, torch.randn_like(painted))
            shown = self.renderer.labels(batch.slots, batch.ground)
            return pixels, self._targets(batch.slots, batch.marks, shown)

    def next_batch(self) -> Batch:
        started = time.perf_counter()
        batch = next(self.feed)
        self.wait += time.perf_counter() - started
        return batch

    def update(self, loss: Tensor, rate: float) -> None:
        loss.backward()
        self.muon.step(self.plan.matrix_rate * rate)
        for group in self.adam.param_groups:
            group["lr"] = self.plan.other_rate * rate
        self.adam.step()
        self.network.zero_grad(set_to_none=True)

    # ---- the phases -----------------------------------------------------------------------

    def train(self) -> None:
        try:
            self._dense_phase()
            self._joint_phase()
            self.save()
        finally:
            self.supply.close()

    def _dense_phase(self) -> None:
        step, begun = 0, time.perf_counter()
        while (now := time.perf_counter() - begun) < self.plan.dense_seconds:
            if self.plan.steps and step >= self.plan.steps:
                break
            batch = self.next_batch()
            pixels, targets = self.pictures(batch)
            with torch.autocast(self.device.type, torch.bfloat16):
                _, loss, right = self._look(pixels, targets)
            self.update(loss, min(1.0, (step + 1) / 60))
            if step % 50 == 0 or self.plan.steps:
                self.log(phase="dense", step=step, seconds=now, loss=loss, patches=right)
            step += 1
            if step == 1:  # Compiled by now.
                begun = time.perf_counter()

    def _joint_phase(self) -> None:
        self.supply.with_text.value = 1
        tally = Tally()
        step, begun = 0, time.perf_counter()
        end = self.started + self.plan.seconds
        saved = weighed = begun
        while (clock := time.perf_counter()) < end:
            if self.plan.steps and step >= self.plan.steps:
                break
            batch = self.next_batch()
            if batch.ids is None:  # Made before this phase began.
                continue
            left = (end - clock) / (end - begun)
            pixels, targets = self.pictures(batch)
            mask = self._mask(batch.documents)
            with torch.autocast(self.device.type, torch.bfloat16):
                features, dense, patches = self._look(pixels, targets)
                words, like, right = self._speak(
                    features, targets["class"], batch, batch.ids.int(), mask
                )
            loss = words + (0.1 + 0.4 * left) * dense + 0.1 * like
            self.update(loss, min(1.0, (step + 1) / 80) * max(left, 0.01))
            if step % 10 == 0:
                tally.add(right, batch)
            if step % 50 == 0 or self.plan.steps:
                self.log(phase="joint", step=step, seconds=clock - self.started, words=words,
                         dense=dense, like=like, patches=patches)  # fmt: skip
            if clock - weighed > 45:
                self.reweigh(tally)
                weighed, tally = clock, Tally()
            if clock - saved > 120:
                self.save()
                saved = time.perf_counter()
            step += 1
            if step == 1:
                begun = weighed = saved = time.perf_counter()
        self.reweigh(tally)

    def reweigh(self, tally: Tally) -> None:
        """Ask more of what goes wrong: the share of a task grows with its errors."""
        right = tally.shares()
        self.log(right={task: round(share, 4) for task, share in right.items()})
        wrong = [1 - right.get(task, 0.9) for task in MIX]
        mean = sum(wrong) / len(wrong)
        self.supply.weights[:] = [
            base * min(2.5, 0.6 + 0.4 * error / (mean + 1e-6))
            for base, error in zip(self.base_mix, wrong, strict=True)
        ]

    def log(self, **values: Any) -> None:
        plain = {k: round(v.item(), 4) if isinstance(v, Tensor) else v for k, v in values.items()}
        if self.on_gpu:
            plain["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        line = json.dumps(plain | {"waited": round(self.wait, 2), "clock": round(time.time(), 1)})
        print(line, flush=True)
        with self.log_path.open("a") as file:
            file.write(line + "\n")

    def save(self) -> None:
        """The state to go on from, and the model as it is shipped."""
        state = self.plan.output / "state.pt"
        torch.save(self.network.state_dict(), state.with_suffix(".new"))
        state.with_suffix(".new").replace(state)
        export(self.network, self.plan.tokenizer, self.plan.output / "model")


class Tally:
    """How many answers of each task are right to the last token, given what stands before."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def add(self, right: Tensor, batch: Batch) -> None:
        self.seen.append((right, batch.answer_of, batch.weights, batch.tasks))

    def shares(self) -> dict[str, float]:
        totals, rights = torch.zeros(len(TASKS)), torch.zeros(len(TASKS))
        for right, answer_of, weights, tasks in self.seen:
            wrong = torch.zeros(len(tasks), device=right.device)
            wrong.index_add_(0, answer_of, (~right).float() * weights)
            present = torch.zeros_like(wrong).index_add_(0, answer_of, weights)
            counts = (tasks >= 0) & (present > 0)
            index = tasks[counts].cpu()
            totals.index_add_(0, index, torch.ones(len(index)))
            rights.index_add_(0, index, (wrong[counts] == 0).float().cpu())
        return {
            task: (rights[i] / totals[i]).item() for i, task in enumerate(TASKS) if totals[i] > 0
        }


def _finish(painted: Tensor, ground: Tensor, chance: Tensor, noise: Tensor) -> Tensor:
    return normalise(degrade(painted, ground, chance, noise)).bfloat16()


@cache
def _compiled_block_mask() -> Callable[..., Any]:
    from torch.nn.attention.flex_attention import create_block_mask

    return torch.compile(create_block_mask, dynamic=False)


def _block_mask(documents: Tensor) -> Any:
    """Each position sees the system sentence, the image and its own conversation so far."""
    documents = documents.int()

    def sees(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        other = documents[b, k]
        return (q >= k) & ((other == 0) | (other == documents[b, q]))

    rows, length = documents.shape
    make = _compiled_block_mask()
    return make(sees, rows, None, length, length, device=documents.device)


def _bool_mask(documents: Tensor) -> Tensor:
    length = documents.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=documents.device).tril()
    same = documents[:, None, :] == documents[:, :, None]
    return (before & (same | (documents[:, None, :] == 0)))[:, None]


def _names(tokenizer: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """The tokens of every name, padded with 0, and how many each has."""
    encoder = Encoder(tokenizer).tokenizer
    rows = [encoder.encode_parts([name]) for name in class_names()]
    table = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for at, row in enumerate(rows):
        table[at, : len(row)] = torch.tensor(row)
    return table.to(device), (table > 0).sum(1).to(device)


def _optimisers(network: Network, rate: float) -> tuple[Muon, torch.optim.Optimizer]:
    """Muon for the matrices inside, Adam for embeddings, heads, norms and biases."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        is_inside = parameter.ndim == 2 and not any(
            part in name for part in ("embed", "lm_head", "embedding")
        )
        (matrices if is_inside and not is_scaffold(name) else others).append(parameter)
    adam = torch.optim.Adam(
        others, lr=rate, betas=(0.9, 0.95), fused=network.lm_head.weight.is_cuda
    )
    return Muon(matrices), adam
