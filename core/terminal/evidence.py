"""What the words and tokens of an answer rest on, as JSON: one image's, or those of a whole run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from core.batch import Batch, Control
from core.engine import Capability, Engine, inspectable
from core.errors import AppError, Cancelled, EngineError, StoreError
from core.files import exists, open_regular, write_error
from core.picture import open_picture
from core.terminal.output import say
from core.transcript import Answer, Ending, Request

_LINE_BEGIN = b'{"picture": '


def evidence_record(
    request: Request, answer: Answer, engine: Engine, stop: threading.Event
) -> dict[str, Any]:
    """Returns what each word and token rests on, and for content words also where in the image, if
    the model can say it.

    Probabilities are in full precision. Raises as `InspectableEngine.evidence`.
    """
    examiner = inspectable(engine, Capability.EVIDENCE)
    evidence = examiner.evidence(request, answer, stop)
    has_maps = engine.facts.why_not(Capability.MAPS) is None
    content = [word for word in evidence.words if word.is_content and has_maps]
    found = examiner.word_maps(request, answer, content) if content else ()
    maps = dict(zip(content, found, strict=True))
    words = [
        {
            "text": word.text,
            "begin": word.begin,
            "end": word.end,
            "confidence": word.probability,
            "candidates": {one.text: one.probability for one in word.candidates},
            "gain": word.gain,
            "doubt": word.doubt,
            "box": [round(edge, 1) for edge in maps[word].strongest_box] if word in maps else None,
        }
        for word in evidence.words
    ]
    tokens = [
        {
            "id": token.id,
            "text": answer.text[token.begin : token.end],
            "log_probability": token.log_p,
            "log_probability_without_picture": token.log_p_without_picture,
        }
        for token in evidence.tokens
    ]
    return {"text": answer.text, "model": engine.facts.model, "words": words, "tokens": tokens}


def write_run_evidence(batch: Batch, engine: Engine, path: Path, control: Control) -> None:
    """Adds the evidence for each caption of a run to a file of JSON lines, which may be there.

    Captions that it has already are left out, so that what was ended can be continued. Images that
    cannot be opened any more are named. Returns early once `control` ends the run. Raises
    StoreError, and EngineError if the engine cannot judge words.
    """
    inspectable(engine, Capability.EVIDENCE)
    if reason := engine.facts.why_not(Capability.EARLIER):
        raise EngineError(reason)
    done = set(_written(path))
    try:
        with path.open("a", encoding="utf-8") as file:
            _add(batch, engine, file, done, control)
    except OSError as error:
        raise write_error(path, error) from error


def _add(
    batch: Batch,
    engine: Engine,
    file: TextIO,
    done: set[tuple[str, str, str]],
    control: Control,
) -> None:
    for picture_path, stored in batch.answers():
        if control.is_ending:
            return
        if (str(picture_path), stored.prompt, stored.text) in done:
            continue
        try:
            request = batch.options.request(open_picture(picture_path), stored.prompt)
            answer = Answer(stored.text, Ending.COMPLETE, 0, 0.0)
            record = evidence_record(request, answer, engine, control.now)
        except Cancelled:
            return
        except EngineError:
            raise
        except AppError as error:
            say(f"{picture_path}: {error}")
            continue
        line = {"picture": str(picture_path), "prompt": stored.prompt, **record}
        file.write(f"{json.dumps(line)}\n")
        file.flush()


def _written(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yields image, prompt and text of what the file has, and removes a line that a crash has torn.
    Raises StoreError if the file is none of ours."""
    if not exists(path):
        return
    whole = 0
    try:
        with open_regular(path) as file:
            for data in file:
                if not data.endswith(b"\n") and data.startswith(_LINE_BEGIN):
                    break
                yield _key(data, path)
                whole += len(data)
        os.truncate(path, whole)
    except OSError as error:
        raise write_error(path, error) from error


def _key(data: bytes, path: Path) -> tuple[str, str, str]:
    try:
        line = json.loads(data)
        return line["picture"], line["prompt"], line["text"]
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"“{path.name}” does not hold evidence. Choose another name.") from error
