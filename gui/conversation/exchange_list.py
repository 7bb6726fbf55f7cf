"""The exchanges of a conversation: those laid out, and the earlier ones that wait for it."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QObject

from core.transcript import Exchange, Transcript, Variants
from core.vocabulary import Vocabulary
from gui.conversation.exchange_view import ExchangeView
from gui.conversation.part_button import asked_text


class ExchangeList:
    """Knows the index of each exchange in the conversation, whether it is laid out or not, and what
    holds for all of them, including those that are still to come."""

    def __init__(self) -> None:
        self.views: list[ExchangeView] = []
        self.earlier: list[tuple[Exchange, Variants]] = []
        self._shows_doubt = True
        self._trace_obstacle = ""
        self._vocabulary: Vocabulary | None = None

    def __len__(self) -> int:
        return len(self.earlier) + len(self.views)

    def __iter__(self) -> Iterator[ExchangeView]:
        """The exchanges that are laid out, oldest first."""
        return iter(self.views)

    @property
    def last(self) -> ExchangeView | None:
        """The last exchange; None if there is none."""
        return self.views[-1] if self.views else None

    @property
    def last_answered(self) -> ExchangeView | None:
        """The last exchange with a complete answer; None if there is none."""
        views = (view for view in reversed(self.views) if view.answer and not view.is_open)
        return next(views, None)

    def index_of(self, view: QObject) -> int | None:
        """Returns the index of an exchange in the conversation; None if it is no longer in it."""
        if isinstance(view, ExchangeView) and view in self.views:
            return len(self.earlier) + self.views.index(view)
        return None

    def view_at(self, index: int) -> ExchangeView | None:
        """Returns the exchange at this index; None while it is not laid out."""
        shown = index - len(self.earlier)
        return self.views[shown] if 0 <= shown < len(self.views) else None

    def prompt_at(self, index: int) -> str:
        """Returns the question at this index."""
        earlier = len(self.earlier)
        if index < earlier:
            return self.earlier[index][0].prompt
        return self.views[index - earlier].prompt

    def add(self, view: ExchangeView) -> None:
        """Adds an exchange at the end."""
        self.views.append(view)
        view.set_number(len(self))

    def add_earlier(self, view: ExchangeView) -> None:
        """Adds the exchange that is laid out in the place of the last one that waited."""
        self.views.insert(0, view)
        view.set_number(len(self.earlier) + 1)

    def set_up(self, view: ExchangeView) -> None:
        """Gives an exchange that was just made what holds for all."""
        view.set_shows_doubt(self._shows_doubt)
        view.set_trace_obstacle(self._trace_obstacle)
        view.vocabulary = self._vocabulary

    def set_shows_doubt(self, shows_doubt: bool) -> None:
        """Turns the lines under doubtful words on or off."""
        self._shows_doubt = shows_doubt
        for view in self.views:
            view.set_shows_doubt(shows_doubt)

    def set_trace_obstacle(self, reason: str) -> None:
        """Sets why traces of answers cannot be shown, "" if they can."""
        self._trace_obstacle = reason
        for view in self.views:
            view.set_trace_obstacle(reason)

    def set_vocabulary(self, vocabulary: Vocabulary | None) -> None:
        """Sets the words that the model was trained on, which an edited question should have."""
        self._vocabulary = vocabulary
        for view in self.views:
            view.vocabulary = vocabulary

    def text(self) -> str:
        """Returns the whole conversation as plain text."""
        earlier = [
            _as_text(asked_text(exchange.prompt, exchange.part), exchange.text)
            for exchange, _ in self.earlier
        ]
        shown = [_as_text(asked_text(view.prompt, view.part), view.text) for view in self.views]
        return "\n\n".join(earlier + shown)


def with_variants(transcript: Transcript) -> list[tuple[Exchange, Variants]]:
    """Returns each exchange of a conversation with what else there is in its place."""
    return [(each, transcript.variants(at)) for at, each in enumerate(transcript.exchanges)]


def _as_text(prompt: str, answer: str) -> str:
    return f"{prompt}\n{answer}" if answer else prompt
