"""A model's chat template, which is a small program by whoever published the model.

It runs in a process of its own each time: what it does with one question says nothing of what it
does with the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from core.chat.quiet import first_line
from core.errors import CheckpointError
from core.isolation.process import IsolatedProcess
from core.isolation.protocol import ChildFailed, Ended, Limits
from core.message import translatable

_CHILD = "core.chat.template_child"
# A conversation takes milliseconds.
_LIMITS = Limits(cpu_seconds=4, seconds=12, memory_bytes=400_000_000)
_CAUSES = {
    Ended.SLOW: translatable("core", "it computes for more than {count} s").format(
        count=round(_LIMITS.cpu_seconds)
    ),
    Ended.BUSY: translatable("core", "it took more than {count} s").format(
        count=round(_LIMITS.seconds)
    ),
    Ended.MEMORY: translatable("core", "it takes too much memory"),
    Ended.CRASHED: translatable("core", "it ends the process that runs it"),
}
_NOT_STARTED = translatable(
    "core",
    "The model's chat template could not be run in a separate process. Close other programs, then "
    "ask again.",
)


class ChatTemplate:
    """Renders conversations. It belongs to the thread of its engine; `close` ends the process."""

    def __init__(self, template: str, special_tokens: Mapping[str, Any]):
        """Starts the process, so that it is there when the first question is asked."""
        self._template, self._special_tokens = template, dict(special_tokens)
        self._process: IsolatedProcess | None = None
        with suppress(ChildFailed):  # `render` tries again, and says it.
            self._start()

    def render(self, messages: list[dict[str, Any]]) -> str:
        """Returns the prompt for the conversation; it ends where the answer begins.

        Raises CheckpointError if the template fails, or takes too much time or memory.
        """
        try:
            return self._rendered(messages)
        except ChildFailed as error:
            self.close()
            if error.ended is Ended.NOT_STARTED:
                # It is not run in this process, which it could hang.
                raise CheckpointError(_NOT_STARTED) from error
            raise self._error(_CAUSES[error.ended]) from error
        except Exception as error:
            # A template can raise anything.
            raise self._error(first_line(error)) from error

    def _rendered(self, messages: list[dict[str, Any]]) -> str:
        process = self._process or self._start()
        request = {
            "template": self._template,
            "messages": messages,
            "special_tokens": self._special_tokens,
        }
        return str(process.ask(request, _LIMITS)["text"])

    def close(self) -> None:
        """Ends the process; the next conversation would start it again."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _start(self) -> IsolatedProcess:
        self._process = IsolatedProcess(_CHILD)
        return self._process

    @staticmethod
    def _error(cause: str) -> CheckpointError:
        return CheckpointError(
            translatable(
                "core",
                "The model's chat template does not take this conversation ({reason}). "
                "Start a new conversation, or choose another model.",
            ).format(reason=cause)
        )
