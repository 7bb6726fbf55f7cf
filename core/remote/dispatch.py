"""Which server answers a request, when, and what happens to the request if the server fails.

Everything here runs in one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import ServerError, ServerFault
from core.remote.limit import START, AdaptiveLimit
from core.remote.server import Reply, Server
from core.transcript import Request

log = logging.getLogger(__name__)

MOST_AT_ONCE = 256
_LONGEST_PAUSE = 600.0

# Trying again would not help before a person has done something.
_FINAL = {
    ServerFault.ADDRESS,
    ServerFault.OFFLINE,
    ServerFault.TLS,
    ServerFault.REDIRECTED,
    ServerFault.KEY,
    ServerFault.FORBIDDEN,
    ServerFault.NO_MODEL,
    ServerFault.NO_API,
}
# The server as a whole is away, and looked after until it is back.
_AWAY = {
    ServerFault.REFUSED,
    ServerFault.UNKNOWN_HOST,
    ServerFault.UNAVAILABLE,
    ServerFault.SILENT,
}
# The same request is worth another try.
_REPEATED = {
    ServerFault.FAILED,
    ServerFault.CUT,
    ServerFault.GARBAGE,
    ServerFault.NO_END,
    ServerFault.SILENT,
}


@dataclass(frozen=True)
class Patience:
    """How long to try. `tries` is how often one request may fail, `away_seconds` how long no
    server may be there, and `waits` are the seconds between tries, the last again and again."""

    tries: int = 3
    away_seconds: float = 4.0
    waits: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)

    def wait(self, number: int) -> float:
        """Returns the seconds to wait before try `number`, from 0, with jitter: many clients that
        failed together must not come back together."""
        seconds = self.waits[min(number, len(self.waits) - 1)]
        return seconds * random.uniform(0.5, 1.0)


WHILE_SOMEBODY_WAITS = Patience()
IN_A_RUN = Patience(tries=4, away_seconds=180.0)


@dataclass(eq=False)
class Post:
    """A server at its post: how many requests it has, and whether it can take more."""

    server: Server
    limit: AdaptiveLimit
    weight: int = 1
    under_way: int = 0
    away: ServerError | None = None
    """Why no request is sent there now."""
    is_lost: bool = False
    """Whether it stays away: a person has to do something first."""
    paused_until: float = 0.0
    refusals: int = 0
    answered: int = 0

    @property
    def has_room(self) -> bool:
        """Whether a request may be sent there now."""
        return (
            self.away is None
            and self.under_way < self.limit.value
            and time.monotonic() >= self.paused_until
        )

    @property
    def load(self) -> float:
        """How busy it is, for its weight."""
        return self.under_way / self.weight


@dataclass(eq=False)
class Job:
    """A request on its way. `shown` is the text that was passed on already, `reply` what has come
    of the answer."""

    request: Request
    on_piece: Callable[[str], None]
    patience: Patience
    may_repeat_shown: bool
    """Whether it may be asked again though some of its text was passed on."""
    wanted_scores: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The fields that ask how sure the model is, none if that need not be known."""
    failures: int = 0
    shown: str = ""
    reply: Reply | None = None
    avoided: set[Server] = field(default_factory=set[Server])


class Dispatcher:
    """Shares requests among servers: each takes as many at once as do it good."""

    def __init__(self, servers: Sequence[tuple[Server, int]], most_at_once: int = MOST_AT_ONCE):
        """`servers` come with their weights: one with twice the weight gets twice as much at once,
        at the beginning and at most."""
        self._heaviest = max(weight for _, weight in servers)
        self.posts = [
            Post(server, AdaptiveLimit(self._most(most_at_once, weight), START * weight), weight)
            for server, weight in servers
        ]
        self._changed = asyncio.Condition()
        self._watchers: set[asyncio.Task[None]] = set()
        self._last_seen = time.monotonic()

    def room(self) -> int:
        """Returns how many requests may be under way in all."""
        return sum(post.limit.value for post in self.posts if not post.away) or 1

    def limit_to(self, most: int) -> None:
        """Bounds how many requests are under way at the server with the highest weight, and at the
        others in proportion."""
        for post in self.posts:
            post.limit.most = self._most(most, post.weight)
            post.limit.value = min(post.limit.value, post.limit.most)

    def _most(self, most: int, weight: int) -> int:
        return max(1, round(most * weight / self._heaviest))

    async def answer(self, job: Job) -> Reply:
        """Returns the answer of whichever server gives it. Raises ServerError."""
        waiting_since = time.monotonic()
        while True:
            post = await self._free_post(job, waiting_since)
            began = time.monotonic()
            post.under_way += 1
            post.limit.note_use(post.under_way)
            try:
                reply = await post.server.ask(
                    job.request, _Forward(job).piece, wanted_scores=job.wanted_scores
                )
            except ServerError as error:
                await self._after_failure(post, job, error)
                waiting_since = time.monotonic()
            else:
                post.answered += 1
                post.refusals = 0
                post.limit.note_answer(time.monotonic() - began)
                self._last_seen = time.monotonic()
                return reply
            finally:
                post.under_way -= 1
                await self._notify()

    async def close(self) -> None:
        """Ends looking after servers, and closes the connections."""
        for watcher in self._watchers:
            watcher.cancel()
        for post in self.posts:
            await post.server.close()

    async def _free_post(self, job: Job, waiting_since: float) -> Post:
        """Waits for a server that can take the job. Raises ServerError if none comes back."""
        while True:
            free = [post for post in self.posts if post.has_room]
            untried = [post for post in free if post.server not in job.avoided]
            if free:
                return min(untried or free, key=lambda post: post.load)
            present = [post for post in self.posts if post.away is None]
            if not present:
                lost = [post for post in self.posts if post.is_lost]
                since = max(waiting_since, self._last_seen)
                if len(lost) == len(self.posts) or (
                    time.monotonic() - since > job.patience.away_seconds
                ):
                    away = next((p.away for p in self.posts if p.away and not p.is_lost), None)
                    raise away or self.posts[0].away or AssertionError
            await self._wait_for_change(present)

    async def _wait_for_change(self, present: Sequence[Post]) -> None:
        now = time.monotonic()
        pauses = [post.paused_until - now for post in present if post.paused_until > now]
        timeout = min([*pauses, 0.5])
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.01, timeout))
            except TimeoutError:
                return

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _after_failure(self, post: Post, job: Job, error: ServerError) -> None:
        """Decides whether the job is tried again; raises the error if not."""
        log.info("%s: %s", post.server.host, error.fault.value)
        if error.fault is ServerFault.BUSY:
            self._pause(post, job, error)
        elif error.fault in _FINAL:
            post.away, post.is_lost = error, True
        elif error.fault in _AWAY:
            self._look_after(post, error, job.patience)
        if error.fault not in _FINAL | _AWAY | _REPEATED | {ServerFault.BUSY}:
            raise error
        if job.shown and not job.may_repeat_shown:
            raise error
        if error.fault in _REPEATED:
            job.failures += 1
            job.avoided.add(post.server)
            if job.failures >= job.patience.tries:
                raise error
            if all(other.server in job.avoided for other in self.posts):
                job.avoided.clear()
                await asyncio.sleep(job.patience.wait(job.failures - 1))

    def _pause(self, post: Post, job: Job, error: ServerError) -> None:
        """Leaves a server alone for as long as it asks. Raises the error if that is too long."""
        post.limit.note_refusal()
        seconds = error.seconds
        if seconds is None:
            seconds = job.patience.wait(post.refusals)
        post.refusals += 1
        is_run = job.patience.away_seconds > WHILE_SOMEBODY_WAITS.away_seconds
        longest = _LONGEST_PAUSE if is_run else 10 * job.patience.away_seconds
        too_often = not is_run and post.refusals > len(job.patience.waits)
        if seconds > longest or too_often:
            raise error
        post.paused_until = max(post.paused_until, time.monotonic() + seconds)

    def _look_after(self, post: Post, error: ServerError, patience: Patience) -> None:
        """Sends nothing there until it lists its models again."""
        if post.away is not None:
            return
        post.away = error
        watcher = asyncio.create_task(self._watch(post, patience))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, post: Post, patience: Patience) -> None:
        number = 0
        while True:
            await asyncio.sleep(
                max(patience.wait(number), post.away.seconds or 0 if post.away else 0)
            )
            number += 1
            try:
                await post.server.models()
            except ServerError as error:
                post.away = error
                if error.fault in _FINAL - {ServerFault.NO_API}:
                    post.is_lost = True
                    break
                if error.fault is not ServerFault.NO_API:
                    continue
            # It is back, and may be another process that can do more or less.
            post.away, post.limit = None, AdaptiveLimit(post.limit.most, START * post.weight)
            break
        self._last_seen = time.monotonic()
        await self._notify()


class _Forward:
    """Passes text on. An answer that is repeated is passed on from where the first one ended, if
    it says the same so far."""

    def __init__(self, job: Job):
        self._job = job
        self._text = ""

    def piece(self, piece: str, reply: Reply) -> None:
        self._job.reply = reply
        self._text += piece
        shown = self._job.shown
        if len(self._text) > len(shown) and self._text.startswith(shown):
            self._job.on_piece(self._text[len(shown) :])
            self._job.shown = self._text
