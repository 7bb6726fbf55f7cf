"""`onlooker verify`: tries a checkpoint on this computer and writes a report that can be sent.

The developers of Onlooker have no real checkpoints at hand. The report says whether the files are
the hub's, whether the prompt becomes the ids that it became for the model's authors, what the model
answers about two images that come with the program, and how fast.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from core.checkpoint.folder import find_folder, read_checkpoint, read_config
from core.checkpoint.safety import read_settings
from core.engine import Capability, Engine, inspectable
from core.engine_packs.driver import ask_graphics
from core.errors import Cancelled, CheckpointError, HubError
from core.files import replace_file, write_error
from core.hub import (
    AccessToken,
    Comparison,
    FileState,
    Hub,
    Progress,
    compare_with_hub,
    downloaded_as,
    with_access_token,
)
from core.locations import locations
from core.model_reference import is_hub_id, short_name
from core.open_engine import open_engine
from core.picture import open_picture
from core.resources import RESOURCES, SAMPLES
from core.settings import load
from core.terminal.verify_report import (
    FilesChecked,
    PromptChecked,
    Question,
    Report,
    as_text,
)
from core.transcript import BUILT_IN, Answer, ModelChoice, Request, Sampling, Turn
from core.version import program_version

REFERENCE = RESOURCES / "reference_prompts.json"
QUESTIONS = (
    "Please describe this image in detail.",
    "What is in the middle of this image? Answer with one sentence.",
)
IMAGES = ("penguins.png", "birthday.png")
# Llama's vocabulary as LLaVA-1.5 has it: the original's, and with transformers' image token.
_VOCABULARIES = (32_000, 32_064)
_NEW_TOKENS = 128


def verify(
    choice: ModelChoice,
    on_progress: Callable[[float, str], None],
    stop: threading.Event,
    *,
    asks_hub: bool = True,
) -> Report:
    """Tries the model and returns the report.

    Blocks. Raises Cancelled once `stop` is set, and as `open_engine` and `Engine.answer` do. A hub
    that cannot be asked is a line of the report.
    """
    folder = find_folder(choice.model)
    files = (FilesChecked(),)
    if asks_hub:
        parts = _parts(choice.model, folder)
        files = tuple(_compare(part, on_progress, stop) for part in parts)
    started = time.perf_counter()
    engine = open_engine(choice, on_progress, stop)
    load_seconds = time.perf_counter() - started
    try:
        kept = _reference(folder)
        questions = [
            _ask(engine, image, question, kept, stop) for image in IMAGES for question in QUESTIONS
        ]
        return Report(
            model=_shown_name(choice.model, folder),
            day=date.today().isoformat(),
            machine=_machine(),
            facts=engine.facts,
            files=files,
            load_seconds=load_seconds,
            peak_memory=_peak_memory(engine.facts.device),
            questions=tuple(questions),
        )
    finally:
        engine.close()


@dataclass(frozen=True)
class _Part:
    """A folder that belongs to a model, and what it is called there; `title` is "" for its own."""

    title: str
    name: str
    folder: Path


def _parts(model: str, folder: Path) -> list[_Part]:
    """The model's own folder; in the original layout those of its vision tower and base model."""
    parts = [_Part("", model, folder)]
    try:
        config = read_config(folder)
        checkpoint = read_checkpoint(folder, config)
    except CheckpointError:
        return parts  # Opening the model says so.
    if checkpoint is None:
        return parts  # Another architecture, whose models have one folder.
    if checkpoint.folder != folder:
        adapter = read_settings(folder / "adapter_config.json")
        named = str(adapter.get("base_model_name_or_path", ""))
        parts.append(_Part("base model", named, checkpoint.folder))
    if checkpoint.tower:
        named = str(config.get("mm_vision_tower") or config.get("vision_tower"))
        parts.append(_Part("vision tower", named, checkpoint.tower))
    return parts


def _compare(
    part: _Part, on_progress: Callable[[float, str], None], stop: threading.Event
) -> FilesChecked:
    folder = part.folder
    hub_id = downloaded_as(folder) or part.name
    if part.name == BUILT_IN or not is_hub_id(hub_id):
        reason = "the folder does not say which model of the hub it holds"
        return FilesChecked(reason=reason, part=part.title)

    def show(progress: Progress) -> None:
        on_progress(progress.done / progress.total if progress.total else 0.0, progress.stage)

    def compare(hub: Hub) -> Comparison:
        return compare_with_hub(hub, hub_id, folder, show, stop)

    hub = Hub.here(is_offline=load(locations().folder).works_offline)
    try:
        found = with_access_token(AccessToken().read, hub, stop, compare)
    except HubError as error:
        return FilesChecked(reason=str(error), part=part.title)
    return FilesChecked(
        found.hub_id,
        found.revision,
        len(found.files),
        tuple(found.named(FileState.DIFFERENT)),
        tuple(found.named(FileState.MISSING)),
        part=part.title,
    )


def _reference(folder: Path) -> dict[str, list[int]]:
    """The kept ids by question; {} for a model with another vocabulary than LLaVA-1.5's."""
    settings = read_settings(folder / "config.json")
    text = settings.get("text_config")
    sizes = {settings.get("vocab_size"), text.get("vocab_size") if isinstance(text, dict) else None}
    if not sizes & set(_VOCABULARIES):
        return {}
    return json.loads(REFERENCE.read_text("utf-8"))["prompts"]


def _ask(
    engine: Engine,
    image: str,
    question: str,
    kept: dict[str, list[int]],
    stop: threading.Event,
) -> Question:
    picture = open_picture(SAMPLES / image)
    request = Request(picture, (Turn(question),), Sampling(max_new_tokens=_NEW_TOKENS))
    answer = engine.answer(request, lambda _: None, stop)
    if stop.is_set():
        raise Cancelled("The check was cancelled.")
    return Question(image, question, answer, _check_prompt(engine, request, answer, kept))


def _check_prompt(
    engine: Engine, request: Request, answer: Answer, kept: dict[str, list[int]]
) -> PromptChecked:
    # The kept prompts are LLaVA-1.5's.
    if Capability.TRACE in engine.facts.missing or engine.facts.preprocessing is None:
        return PromptChecked()
    ids = inspectable(engine, Capability.TRACE).trace(request, answer).input.ids
    wanted = tuple(kept.get(request.turns[0].prompt, ()))
    return PromptChecked(ids, wanted)


def _shown_name(model: str, folder: Path) -> str:
    """The name for a report that others read: it names no folder of the person's."""
    return model if model == BUILT_IN or is_hub_id(model) else short_name(folder.name)


def _machine() -> dict[str, str]:
    import torch
    import transformers

    return {
        "Onlooker": program_version() or "from a checkout",
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "CUDA": torch.version.cuda or "none",
        "NVIDIA's driver": _driver(),
        "transformers": transformers.__version__,
        "system": platform.platform(),
        "processor threads": str(os.cpu_count()),
    }


def _driver() -> str:
    """The driver's version and the newest CUDA that it can run."""
    graphics = ask_graphics()
    if graphics.is_hanging:
        return "does not answer"
    if not graphics.driver_cuda:
        return "none"
    cuda = ".".join(map(str, graphics.driver_cuda))
    return f"{graphics.driver or 'version unknown'}, for CUDA {cuda}"


def _peak_memory(device: str) -> int:
    import psutil
    import torch

    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    return psutil.Process().memory_info().rss


def require_folder(path: Path) -> None:
    """Raises StoreError at once if a report cannot go there, not after minutes of answers."""
    try:
        os.scandir(path.absolute().parent).close()
    except OSError as error:
        raise write_error(path, error) from error


def write_report(report: Report, path: Path | None) -> Path:
    """Writes the report as text, to a file named for the model if no `path` is given.

    Returns the path. Raises StoreError.
    """
    path = path or Path(f"onlooker-verify-{report.model.replace('/', '--')}.txt")
    try:
        replace_file(path, as_text(report).encode())
    except OSError as error:
        raise write_error(path, error) from error
    return path
