"""What the values of a trace are called on screen; in JSON they keep their stored names."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from core.transcript import Ending

translate = QCoreApplication.translate


def ending_text(ending: Ending) -> str:
    """Returns why an answer ended."""
    match ending:
        case Ending.COMPLETE:
            return translate("Inspector", "complete")
        case Ending.LENGTH:
            return translate("Inspector", "length reached")
        case Ending.STOPPED:
            return translate("Inspector", "stopped")


def stage_text(stage: str) -> str:
    """Returns the name of a `StageTime`; one that is unknown here is shown as it is."""
    match stage:
        case "picture and prompt prepared":
            return translate("Inspector", "Preparing image and prompt")
        case "picture and prompt read":
            return translate("Inspector", "Reading image and prompt")
        case "picture seen: vision tower and projector":
            return translate("Inspector", "Vision tower and projector")
        case "embeddings joined":
            return translate("Inspector", "Joining embeddings")
        case "answer to its first token":
            return translate("Inspector", "Answer, first token")
        case "whole answer":
            return translate("Inspector", "Whole answer")
        case _:
            return stage


def memory_text(name: str) -> str:
    """Returns the name of a `MemoryUse`; one that is unknown here is shown as it is."""
    match name:
        case "weights":
            return translate("Inspector", "Weights")
        case "keys and values":
            return translate("Inspector", "KV cache")
        case "reserved on the card":
            return translate("Inspector", "Reserved on the graphics card")
        case "at most in use":
            return translate("Inspector", "Peak use on the graphics card")
        case _:
            return name
