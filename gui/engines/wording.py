"""What is said about engines and the graphics card, and what can be done; without widgets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from core.engine_packs.choice import CPU, public_version
from core.engine_packs.driver import Graphics
from core.engine_packs.installed import PackState
from core.engine_packs.overview import Overview
from core.transfer.meter import Progress
from gui.engines.state import EnginesState, Stage
from gui.widgets.job_progress import ShownProgress
from gui.widgets.measures import bytes_text
from gui.widgets.translated import translated, translated_all

translate = QCoreApplication.translate


class EngineAction(Enum):
    """What the buttons do."""

    GET = auto()
    PAUSE = auto()
    CANCEL = auto()
    REMOVE = auto()
    RESTART = auto()
    GET_FROM_FOLDER = auto()


@dataclass(frozen=True)
class Button:
    """A button: what it does and what it says."""

    action: EngineAction
    caption: str


def sentence(state: EnginesState) -> str:
    """Returns where the person is, and what to do next."""
    found = state.overview
    match state.stage:
        case Stage.LOOKING:
            return translate("Engines", "Looking for graphics cards…")
        case Stage.GETTING:
            return translate("Engines", "Models run on the processor meanwhile.")
        case Stage.REMOVING:
            return translate("Engines", "Removing the engine pack…")
        case Stage.REMOVED:
            return translate(
                "Engines", "The engine pack is removed. Restart Onlooker to delete its files."
            )
    if found is None:
        return state.problem
    match state.stage:
        case Stage.FROM_SOURCE:
            return translate(
                "Engines",
                "Onlooker uses the PyTorch that is installed with Python ({version}). Engine packs "
                "are for the downloaded program.",
            ).format(version=found.torch)
        case Stage.OWN_CUDA if found.graphics.cards:
            return translate(
                "Engines", "This build of Onlooker uses the graphics card and needs no engine pack."
            )
        case Stage.IN_USE:
            text = translate(
                "Engines", "Models run on the graphics card with the engine pack {pack}."
            )
            return text.format(pack=found.in_use)
        case Stage.NEEDS_RESTART:
            ready = next(pack for pack in found.packs if pack.state is PackState.READY)
            text = translate(
                "Engines", "The engine pack {pack} is ready. Restart Onlooker to use it."
            )
            return text.format(pack=ready.name)
    return _with_note(found, state.stage)


def _with_note(found: Overview, stage: Stage) -> str:
    """The offer, behind the reason why a pack that is here is not used."""
    # An offer to replace or to update says that already.
    needs_note = stage in (Stage.OFFERED, Stage.PAUSED, Stage.NONE)
    sentences = (found.note if needs_note else "", found.offer.sentence)
    return translated_all(text for text in sentences if text)


def notice_sentence(state: EnginesState) -> str:
    """Returns what is worth saying without being asked, "" for nothing."""
    found, stage = state.overview, state.stage
    if found is None or not found.in_use:
        return ""
    note = translated(found.note)
    if note and stage in (Stage.OFFERED, Stage.PAUSED):
        return " ".join((note, translate("Engines", "Get it again to use the graphics card.")))
    if stage in (Stage.OFFERED, Stage.OUTDATED, Stage.FAILED, Stage.DRIVER):
        return sentence(state)
    return note


def short_sentence(state: EnginesState) -> str:
    """Returns the same in a few words, for one line."""
    found = state.overview
    name = card_names(found.graphics) if found else ""
    match state.stage:
        case Stage.FROM_SOURCE if found:
            return engine_in_use(state, found)
        case Stage.IN_USE | Stage.OWN_CUDA if found and found.graphics.cards:
            return translate("Engines", "Models run on {card}").format(card=name)
        case Stage.NEEDS_RESTART | Stage.REMOVED:
            return translate("Engines", "Restart Onlooker to change the engine")
        case Stage.GETTING:
            progress = state.job.progress if state.job else None
            text = translate("Engines", "Getting the engine pack")
            if progress and progress.total:
                text = f"{text}  ·  {progress.done / progress.total:.0%}"
            return text
        case Stage.LOOKING | Stage.REMOVING:
            return sentence(state)
        case Stage.PAUSED:
            return translate("Engines", "The download of the engine pack is paused")
        case Stage.OFFERED | Stage.OUTDATED:
            return translate("Engines", "{card} is not used yet").format(card=name)
        case Stage.FAILED:
            return translate("Engines", "The engine pack failed its trial")
        case Stage.DRIVER:
            return translate("Engines", "NVIDIA's driver needs attention")
    return translate("Engines", "Models run on the processor")


def error(state: EnginesState) -> str:
    """Returns why the last attempt failed, "" if it did not."""
    job = state.job
    return translated(job.error) if job and job.error else ""


def facts(state: EnginesState) -> list[tuple[str, str]]:
    """Returns what is known, as titles and values, in their order."""
    found = state.overview
    if found is None:
        return []
    rows = [
        (translate("Engines", "Graphics card"), card_names(found.graphics, with_memory=True)),
        (translate("Engines", "NVIDIA driver"), _driver(found.graphics)),
        (translate("Engines", "Engine in use"), engine_in_use(state, found)),
    ]
    pack = found.offer.pack
    is_offered = state.stage in (
        *(Stage.OFFERED, Stage.OUTDATED, Stage.PAUSED, Stage.GETTING, Stage.FAILED),
    )
    if pack and is_offered:
        name = translate("Engines", "{pack}: PyTorch {torch} for CUDA {cuda}").format(
            pack=pack.name, torch=pack.torch, cuda=pack.cuda
        )
        size = translate("Engines", "{size}, {disk} on the disk").format(
            size=bytes_text(pack.download_bytes), disk=bytes_text(pack.disk_bytes)
        )
        rows += [
            (translate("Engines", "Engine pack"), name),
            (translate("Engines", "Download"), size),
            (translate("Engines", "Licences"), ", ".join(pack.licences)),
        ]
    packs = [
        f"{pack.name} ({bytes_text(pack.size)})"
        for pack in found.packs
        if pack.state is not PackState.PARTIAL
    ]
    rows.append((translate("Engines", "On this computer"), ", ".join(packs)))
    if packs or is_offered:
        rows.append((translate("Engines", "Folder"), _shortened(state.engines)))
    return [(title, value) for title, value in rows if value]


def card_names(graphics: Graphics, *, with_memory: bool = False) -> str:
    """Returns the names of NVIDIA's cards, else whose graphics there are, "" for none."""
    if graphics.cards:
        names = [
            f"{card.name}, {bytes_text(card.memory)}" if with_memory else card.name
            for card in graphics.cards
        ]
        return "\n".join(names) if with_memory else names[0]
    return ", ".join(sorted(maker.value for maker in graphics.makers))


def _driver(graphics: Graphics) -> str:
    if not graphics.driver_cuda:
        return ""
    cuda = ".".join(map(str, graphics.driver_cuda))
    if not graphics.driver:
        return translate("Engines", "for CUDA {cuda}").format(cuda=cuda)
    text = translate("Engines", "{version}, for CUDA {cuda}")
    return text.format(version=graphics.driver, cuda=cuda)


def engine_in_use(state: EnginesState, found: Overview) -> str:
    """Returns the name of the engine of this process for a person."""
    if not found.in_use:
        return translate("Engines", "PyTorch {version}, installed with Python").format(
            version=found.torch
        )
    if found.in_use == CPU:
        text = translate("Engines", "Processor (PyTorch {version})")
        return text.format(version=public_version(found.torch))
    text = translate("Engines", "Graphics card ({engine}, PyTorch {version})")
    return text.format(engine=found.in_use, version=public_version(found.torch))


def progress(state: EnginesState) -> ShownProgress:
    """Returns how far the job is, or how much of a paused download is here."""
    job = state.job
    pack = state.overview.offer.pack if state.overview else None
    if state.stage is Stage.GETTING and job:
        now = job.progress
        stage = translated(now.stage) if now else ""
        stage = stage or translate("Engines", "Preparing the download")
        fraction = now.done / now.total if now and now.total else 0.0
        return ShownProgress(stage, fraction, now)
    if state.stage is Stage.PAUSED and pack and state.partial:
        paused = translate("Engines", "Stopped") if job else translate("Engines", "Paused")
        if state.partial.size <= pack.download_bytes:
            done, total = state.partial.size, pack.download_bytes
            return ShownProgress(paused, done / total if total else 0.0, Progress("", done, total))
        return ShownProgress(paused, 1.0)  # Some of it is unpacked already.
    return ShownProgress()


def buttons(state: EnginesState) -> list[Button]:
    """Returns what can be done now, the main thing first."""
    get, cancel = EngineAction.GET, Button(EngineAction.CANCEL, translate("Engines", "Cancel"))
    folder = Button(EngineAction.GET_FROM_FOLDER, translate("Engines", "Get from folder…"))
    found: list[Button] = []
    match state.stage:
        case Stage.GETTING:
            found = [Button(EngineAction.PAUSE, translate("Engines", "Pause")), cancel]
        case Stage.PAUSED:
            cancel = Button(EngineAction.CANCEL, translate("Engines", "Discard download"))
            found = [Button(get, translate("Engines", "Resume")), cancel]
        case Stage.OFFERED | Stage.OUTDATED:
            found = [Button(get, translate("Engines", "Download")), folder]
        case Stage.FAILED:
            found = [Button(get, translate("Engines", "Try again"))]
        case Stage.NEEDS_RESTART | Stage.REMOVED:
            found = [Button(EngineAction.RESTART, translate("Engines", "Restart"))]
    if state.removable:
        found.append(Button(EngineAction.REMOVE, translate("Engines", "Remove…")))
    return found


def _shortened(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
