"""Tries a pack in a child process: what crashes or hangs there does not take the program along."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from core.engine_packs.pins import PackPins
from core.isolation.process import IsolatedProcess
from core.isolation.protocol import ChildFailed, Ended, Limits, RequestFailed
from core.message import Message, from_record, translatable

LIMITS = Limits(cpu_seconds=1_800, seconds=900, memory_bytes=None)
"""Compiling PyTorch's two thousand modules takes a minute on a slow computer, loading it another;
beyond that it hangs."""

_MODULE = "core.engine_packs.trial_child"
# What the child says that it does, and what the person reads.
STAGES = {
    "compiling": translatable("core", "compiling its modules"),
    "importing": translatable("core", "importing PyTorch"),
    "computing": translatable("core", "computing on the card"),
    "kernels": translatable("core", "compiling the kernels"),
}
_STARTING = translatable("core", "starting")
_ENDS = {
    Ended.CRASHED: translatable("core", "It crashed while {stage}."),
    Ended.MEMORY: translatable("core", "There was too little memory while {stage}."),
    Ended.SLOW: translatable("core", "It did not finish while {stage}."),
    Ended.BUSY: translatable("core", "It did not finish while {stage}."),
    Ended.NOT_STARTED: translatable("core", "It could not be started."),
}


@dataclass(frozen=True)
class Verdict:
    """How the trial went: the card that it computed on, or why it failed in one sentence."""

    card: str = ""
    failure: str = ""


def try_pack(
    folder: Path, pins: PackPins, stop: threading.Event, limits: Limits = LIMITS
) -> Verdict:
    """Compiles the pack's modules, imports PyTorch, and multiplies matrices on the card.

    Also compiles our kernels, if the card is new enough for them. Blocks; raises Cancelled.
    """
    request = {"folder": str(folder), "torch": pins.torch, "cuda": pins.cuda}
    try:
        with closing(IsolatedProcess(_MODULE, has_torch=True)) as child:
            reply = child.ask(request, limits, stop)
    except RequestFailed as failure:
        return Verdict(failure=_sentence(failure.record))
    except ChildFailed as failure:
        stage = STAGES.get(failure.stage, _STARTING)
        return Verdict(failure=_ENDS[failure.ended].format(stage=stage))
    return Verdict(card=str(reply["card"]))


def _sentence(record: object) -> str:
    """Our sentence, or the first line of an error as one, of a length that can be read."""
    with suppress(ValueError):
        text = from_record(record)
        if isinstance(text, Message):
            return text
    text = str(record)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not line:
        return translatable("core", "It failed.")
    line = line if len(line) <= 300 else f"{line[:300]}…"
    return line if line.endswith((".", "…", "!", "?")) else f"{line}."
