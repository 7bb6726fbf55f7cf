"""What became of an edit of many images, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from core.workspace import EditReport, Failure
from gui.widgets.translated import translated

translate = QCoreApplication.translate


def stopped_text(report: EditReport) -> str:
    """Returns how far an edit was when it was stopped."""
    text = translate(
        "EditSentences", "Stopped. Images changed: {changed}. Left as they were: {left}."
    )
    return text.format(changed=f"{len(report.changed):,}", left=f"{report.left:,}")


def failures_text(failures: Sequence[Failure]) -> str:
    """Returns one sentence for however many images could not be changed."""
    reason = translated(failures[0].reason)
    if len(failures) == 1:
        return reason
    text = translate("EditSentences", "{count} images could not be changed. The first: {reason}")
    return text.format(count=f"{len(failures):,}", reason=reason)


def conflicts_text(count: int) -> str:
    """Returns how many captions were left to what another program wrote."""
    if count == 1:
        return translate(
            "EditSentences",
            "1 caption was changed by another program meanwhile and left as it is.",
        )
    text = translate(
        "EditSentences",
        "{count} captions were changed by another program meanwhile and left as they are.",
    )
    return text.format(count=f"{count:,}")
