"""Writes resources/reference_prompts.json: what LLaVA-1.5's tokenizer makes of our questions.

    python3 packaging/reference_prompts.py FOLDER

FOLDER holds Llama's `tokenizer.model`. `onlooker verify` compares a checkpoint's prompt ids with
these; it needs no network and no second checkpoint for that.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.llava.prompt import conversation, input_ids  # noqa: E402
from core.llava.tokenizer import Tokenizer  # noqa: E402
from core.terminal.verify import QUESTIONS, REFERENCE  # noqa: E402
from core.transcript import Turn  # noqa: E402


def main(folder: str) -> None:
    """Write the file."""
    tokenizer = Tokenizer.load(Path(folder))
    prompts = {
        question: input_ids(conversation([Turn(question)]), tokenizer) for question in QUESTIONS
    }
    content = {"prompts": prompts}
    REFERENCE.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
