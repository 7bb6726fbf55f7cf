"""The report of `onlooker verify`: data, what is wrong in it, and its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from core.engine import EngineFacts
from core.formatting import format_bytes
from core.transcript import Answer


@dataclass(frozen=True)
class FilesChecked:
    """How files compare with the hub's: those of the model's folder, or of another `part` that it
    needs. `reason` is why they were not compared."""

    hub_id: str = ""
    revision: str = ""
    count: int = 0
    different: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str = "the hub was not to be asked"
    part: str = ""


@dataclass(frozen=True)
class PromptChecked:
    """The ids that the prompt became, () if the model cannot tell, and those that are `kept`.

    The image is the id -200. `kept` is () for a model whose ids nobody kept.
    """

    ids: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()

    @property
    def first_difference(self) -> int | None:
        """The position of the first id that differs; None if all are equal or none were kept."""
        if not self.kept or self.ids == self.kept:
            return None
        pairs = zip(self.ids, self.kept, strict=False)
        same = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
        return min(len(self.ids), len(self.kept)) if same is None else same


@dataclass(frozen=True)
class Question:
    """What was asked about which image that comes with the program, and what came of it."""

    image: str
    prompt: str
    answer: Answer
    checked: PromptChecked


@dataclass(frozen=True)
class Report:
    """All of it. `machine` has versions by name; sizes are in bytes."""

    model: str
    day: str
    machine: Mapping[str, str]
    facts: EngineFacts
    files: tuple[FilesChecked, ...]
    load_seconds: float
    peak_memory: int
    questions: tuple[Question, ...] = field(repr=False)

    @property
    def problems(self) -> list[str]:
        """Returns what is not as it should be, a sentence each."""
        found: list[str] = []
        for files in self.files:
            of_part = f" of the {files.part}" if files.part else ""
            if files.different:
                names = ", ".join(files.different)
                found.append(f"These files{of_part} differ from the hub's: {names}.")
            if files.missing:
                found.append(f"These files{of_part} are missing: {', '.join(files.missing)}.")
        for question in self.questions:
            if (at := question.checked.first_difference) is not None:
                found.append(f"The prompt “{question.prompt}” differs from token {at} on.")
            if not question.answer.text.strip():
                found.append(f"It answered nothing about {question.image}.")
        return list(dict.fromkeys(found))


def as_text(report: Report) -> str:
    """Returns the report for people to read and to attach to an issue."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    facts = report.facts
    yield "Onlooker: a model tried on this computer"
    yield ""
    yield f"model: {report.model}"
    yield f"day: {report.day}"
    for name, version in report.machine.items():
        yield f"{name}: {version}"
    yield f"device: {facts.device}, {facts.device_name}"
    yield f"precision: {facts.dtype}"
    yield f"weights: {format_bytes(facts.memory_bytes)}, loaded in {report.load_seconds:.1f} s"
    yield f"memory at the most: {format_bytes(report.peak_memory)}"
    yield f"context: {facts.context_length} tokens"
    for capability, missing in facts.missing.items():
        yield f"not available, {capability}: {missing.reason}"
    for note in facts.notes:
        yield f"note: {note}"
    for files in report.files:
        yield f"files{f' of the {files.part}' if files.part else ''}: {_files(files)}"
    for number, question in enumerate(report.questions, 1):
        yield ""
        yield from _question(number, question)
    yield ""
    yield "result: " + (" ".join(report.problems) or "nothing unexpected")


def _files(files: FilesChecked) -> str:
    if not files.hub_id:
        return f"not compared, {files.reason}"
    same = files.count - len(files.different) - len(files.missing)
    return (
        f"{same} of {files.count} are the hub's ({files.hub_id}, revision {files.revision}); "
        f"different: {', '.join(files.different) or 'none'}; "
        f"missing: {', '.join(files.missing) or 'none'}"
    )


def _question(number: int, question: Question) -> Iterator[str]:
    answer, checked = question.answer, question.checked
    yield f"{number}. {question.image}: {question.prompt}"
    yield f"   prompt tokens: {answer.input_tokens}; ids: {_ids(checked)}"
    yield (
        f"   {answer.tokens} tokens, {answer.tokens_per_second:.1f} a second, the first after "
        f"{answer.seconds_to_first_token:.2f} s; ending: {answer.ending}"
    )
    yield "   answer:"
    for line in answer.text.splitlines() or [""]:
        yield f"   | {line}"
    yield f"   output ids: {' '.join(map(str, answer.output_ids)) or 'not known'}"


def _ids(checked: PromptChecked) -> str:
    if not checked.ids:
        return "not known, since this model is run by transformers"
    shown = " ".join(map(str, checked.ids))
    if not checked.kept:
        return f"none are kept to compare with: {shown}"
    if checked.first_difference is None:
        return "as LLaVA-1.5's"
    return f"different from LLaVA-1.5's at {checked.first_difference}: {shown}"
