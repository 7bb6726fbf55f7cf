"""What the isolated child does with a model's folder: uses each part once, as an engine would.

What raises an exception here will do so again where the folder is opened, and is explained there.
Here it only matters what never returns, takes all memory or crashes; the parent sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from core.checkpoint.folder import read_config
from core.llava.prompt import conversation, input_ids
from core.llava.tokenizer import Tokenizer
from core.message import translatable
from core.transcript import Turn
from core.vetting.bounds import MOST_TOKENS, pieces_problem, tokenizer_problem
from core.vetting.verdict import EngineKind, Part, Trial, Verdict, refusal

NoteStage = Callable[[str], None]

_MOST_IMAGE_TOKENS = 200_000
_TOKENS_PER_BYTE = 4
_QUESTION = "Describe the image in detail. What is in the background, and what does the text say?"
# Large, very wide and very small: what is cut into tiles, padded and enlarged.
_PICTURE_SIZES = ((1600, 1200), (1500, 100), (40, 30))


def answer(request: dict[str, Any], note_stage: NoteStage) -> dict[str, Any]:
    """Imports what a kind needs, or tries a part of a folder; see `core.vetting.vetting`."""
    if kind := request.get("prepare"):
        if EngineKind(kind) is EngineKind.CHAT:
            import core.chat.configuration
            import core.chat.processor  # noqa: F401
        return {}
    trial, part = Trial.read(request)
    note_stage(part)
    if trial.kind is EngineKind.LLAVA:
        problem = _llava_problem(trial)
    else:
        model = _chat_model(trial.folder)
        match part:
            case Part.TOKENIZER:
                problem = model.tokenizer_problem()
            case Part.TEMPLATE:
                problem = model.template_problem()
            case Part.IMAGES:
                problem = model.images_problem()
    return (refusal(part, problem) if problem else Verdict()).record()


# ---- LLaVA-1.5 -----------------------------------------------------------------------------------


def _llava_problem(trial: Trial) -> str:
    tokenizer = _returned(lambda: Tokenizer.load(trial.folder))
    if tokenizer is None:
        return ""
    pieces = tokenizer.pieces(range(min(tokenizer.size, MOST_TOKENS + 1)))
    if problem := pieces_problem(pieces):
        return problem
    for text in _texts():
        parts = conversation([Turn(text)])
        ids = _returned(lambda parts=parts: input_ids(parts, tokenizer)) or []
        if problem := _length_problem(text, len(ids)):
            return problem
        _returned(lambda ids=ids: tokenizer.decode(ids))
    return ""


# ---- other architectures -------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _chat_model(folder: Path) -> _ChatModel:
    return _ChatModel(folder)


class _ChatModel:
    """The processor of a folder, loaded once for the trials of its parts."""

    def __init__(self, folder: Path):
        from core.chat.configuration import read_configuration
        from core.chat.processor import load_processor

        settings = read_configuration(folder, read_config(folder))
        self._processor = _returned(lambda: load_processor(folder, settings))
        self._tokenizer = _returned(lambda: self._any_tokenizer(folder))

    def _any_tokenizer(self, folder: Path) -> Any:
        if self._processor is not None:
            return self._processor.tokenizer
        # The processor of some architectures needs torch; the tokenizer is tried all the same.
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    def tokenizer_problem(self) -> str:
        tokenizer = self._tokenizer
        fast = getattr(tokenizer, "backend_tokenizer", None)
        if fast is not None and (problem := tokenizer_problem(fast)):
            return problem
        if tokenizer is None:
            return ""
        for text in _texts():
            ids = _returned(lambda text=text: tokenizer.encode(text)) or []
            if problem := _length_problem(text, len(ids)):
                return problem
            _returned(lambda ids=ids: tokenizer.decode(ids, skip_special_tokens=True))
        return ""

    def template_problem(self) -> str:
        for turns in _conversations():
            self._prompt(turns)
        return ""

    def _prompt(self, turns: list[Turn]) -> Any:
        from core.chat.messages import messages
        from core.chat.processor import chat_template_of
        from core.chat.template_child import render

        def rendered() -> str:
            template, special_tokens = chat_template_of(self._processor)
            return render(template, messages(turns, pictures=1), special_tokens)

        return _returned(rendered)

    def images_problem(self) -> str:
        if (processor := self._processor) is None:
            return ""
        prompt = self._prompt([Turn(_QUESTION)])
        for size in _PICTURE_SIZES:
            picture = Image.new("RGB", size, (120, 60, 200))
            _returned(
                lambda picture=picture: processor.image_processor([picture], return_tensors="np")
            )
            if prompt is None:
                continue
            inputs = _returned(
                lambda picture=picture: processor(
                    text=[prompt], images=[[picture]], padding=True, return_tensors="np"
                )
            )
            count = inputs["input_ids"].shape[1] if inputs else 0
            if count > _MOST_IMAGE_TOKENS:
                return translatable("core", "it turns an image into {count} tokens").format(
                    count=f"{count:,}"
                )
        return ""


# ---- what is tried -------------------------------------------------------------------------------


def _conversations() -> Iterator[list[Turn]]:
    yield [Turn(_QUESTION)]
    yield [Turn(_QUESTION, "A desk with a lamp."), Turn("Which colour?", "Red."), Turn("Why?")]
    yield [Turn("word " * 4_000)]


def _texts() -> Iterable[str]:
    """Texts on which patterns that backtrack do so, and letters that a normalizer may replace."""
    yield _QUESTION
    yield f"{_QUESTION} " * 100
    for code in range(32, 127):
        yield chr(code) * 100 + "!"
    yield " \n\t" * 500 + "."
    yield "aA1 b_" * 200
    for begin in range(0, 0x10000, 2_000):
        letters = (chr(code) for code in range(begin, min(begin + 2_000, 0x10000)))
        yield "".join(letter for letter in letters if not "\ud800" <= letter <= "\udfff")
    yield "🙂👩‍👩‍👧‍👦🇩🇪" * 20


def _length_problem(text: str, count: int) -> str:
    if count <= 1_000 + _TOKENS_PER_BYTE * len(text.encode()):
        return ""
    return translatable(
        "core",
        "it turns {letters} letters into {count} tokens",
    ).format(letters=f"{len(text):,}", count=f"{count:,}")


def _returned(use: Callable[[], Any]) -> Any:
    """Returns what `use` returns, None if it raises anything but a lack of memory."""
    try:
        return use()
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from error
        return None
