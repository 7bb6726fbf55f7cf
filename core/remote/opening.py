"""Opens a model on servers as an engine: finds the keys, asks what the servers have, and checks
that the model sees images.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from core.engine import Capability, EngineFacts, Missing
from core.errors import Cancelled, ServerError, ServerFault
from core.message import Message, translatable
from core.model_reference import ServerModel, host_of, short_name
from core.picture import Picture, Sending
from core.remote import fault
from core.remote.abilities import missing_on
from core.remote.address import is_this_machine
from core.remote.canary import SAMPLE_PROMPT, Sight, look
from core.remote.dispatch import IN_A_RUN, WHILE_SOMEBODY_WAITS, Patience
from core.remote.engine import RemoteEngine
from core.remote.keys import Keys
from core.remote.loop_thread import LoopThread
from core.remote.server import USUAL_TIMING, Server, Timing
from core.transcript import Precision, Request, Sampling, Turn

_MOST_PICTURES = 8
_MOST_AT_ONCE = 64
_TICK_SECONDS = 0.1
_MAY_COME_BACK = {
    ServerFault.REFUSED,
    ServerFault.UNKNOWN_HOST,
    ServerFault.UNAVAILABLE,
    ServerFault.SILENT,
    ServerFault.BUSY,
}
OnProgress = Callable[[float, str], None]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Checked:
    """What a server answered when it was first asked: its models, and whether the model sees."""

    address: str
    models: tuple[str, ...]
    model: str
    sight: Sight
    listing_seconds: float
    answer_seconds: float
    said: str
    notes: tuple[str, ...] = ()
    caption: str = ""
    """What the model says of the sample, if there was one."""


def open_server_model(
    named: ServerModel,
    on_progress: OnProgress,
    stop: threading.Event,
    *,
    keys: Keys | None = None,
    timing: Timing = USUAL_TIMING,
    patience: Patience = WHILE_SOMEBODY_WAITS,
    run_patience: Patience = IN_A_RUN,
) -> RemoteEngine:
    """Returns the engine for a model on servers; blocks, and raises ServerError and Cancelled.

    Of several servers, those that cannot be used are left out with a note. One that is away may
    come back.
    """
    keys = keys or Keys(address for address, _ in named.addresses)
    sending = Sending(named.longest_side, named.sends_png)
    loop = LoopThread("servers")
    asked: list[Server] = []
    try:
        servers: list[tuple[Server, int]] = []
        notes: list[str] = []
        failures: list[ServerError] = []
        for number, (address, weight) in enumerate(named.addresses):
            text = translatable("core", "Asking {host}").format(host=host_of(address))
            on_progress(0.1 + 0.8 * number / len(named.addresses), text)
            key = keys.read(address, stop)
            server = Server(address, named.name, key, sending=sending, timing=timing)
            asked.append(server)
            try:
                checked = wait_for(loop, check(server), stop)
                if checked.sight is Sight.BLIND:
                    raise blind(server.model, server.host)
                notes += checked.notes
            except ServerError as error:
                failures.append(error)
                if error.fault not in _MAY_COME_BACK:
                    continue
            servers.append((server, weight))
        if len(failures) == len(named.addresses):
            raise failures[0]
        on_progress(1.0, "Ready")
        notes += [error.message for error in failures]
        named = replace(named, name=named.name or servers[0][0].model)
        facts = facts_of(named, notes, missing_on([server for server, _ in servers]))
        return RemoteEngine(facts, loop, servers, patience=patience, run_patience=run_patience)
    except BaseException:
        loop.submit(_close_all(asked)).result()
        loop.close()
        raise


async def check(server: Server) -> Checked:
    """Asks a server for its models, and whether `server.model` sees images. Raises ServerError.

    If no model is named and the server has one, that is taken.
    """
    began = time.perf_counter()
    models = await server.models()
    if not server.model and len(models) == 1:
        server.model = models[0]
    if server.model not in models:
        raise fault.no_such_model(server.address, server.model, models)
    look_began = time.perf_counter()
    seen = await look(server)
    notes = [note for note in (server.refused.note, _way_note(server.address)) if note]
    return Checked(
        server.address,
        tuple(models),
        server.model,
        seen.sight,
        listing_seconds=look_began - began,
        answer_seconds=time.perf_counter() - look_began,
        said=seen.said,
        notes=tuple(notes),
    )


def check_server(
    address: str,
    model: str,
    stop: threading.Event,
    *,
    key: str = "",
    timing: Timing = USUAL_TIMING,
    sample: Picture | None = None,
) -> Checked:
    """Asks a server as `check` does; blocks. Raises ServerError, and Cancelled after `stop`."""
    loop = LoopThread("server-check")
    try:
        return wait_for(
            loop, _check_and_close(Server(address, model, key, timing=timing), sample), stop
        )
    finally:
        loop.close()


def list_models(
    address: str, stop: threading.Event, *, key: str = "", timing: Timing = USUAL_TIMING
) -> list[str]:
    """Returns the ids of a server's models; as `check_server`."""
    loop = LoopThread("server-check")
    try:
        return wait_for(loop, _list_and_close(Server(address, "", key, timing=timing)), stop)
    finally:
        loop.close()


async def _close_all(servers: Iterable[Server]) -> None:
    for server in servers:
        await server.close()


async def _check_and_close(server: Server, sample: Picture | None) -> Checked:
    try:
        checked = await check(server)
        if sample is None or checked.sight is Sight.BLIND:
            return checked
        request = Request(sample, (Turn(SAMPLE_PROMPT),), Sampling(max_new_tokens=96))
        reply = await server.ask(request, lambda piece, reply: None)
        return replace(checked, caption=reply.text.strip())
    finally:
        await server.close()


async def _list_and_close(server: Server) -> list[str]:
    try:
        return await server.models()
    finally:
        await server.close()


def wait_for(loop: LoopThread, work: Coroutine[Any, Any, Result], stop: threading.Event) -> Result:
    """Returns the result of `work`, which runs in `loop`. Raises Cancelled once `stop` is set."""
    future = loop.submit(work)
    while True:
        try:
            return future.result(_TICK_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            if stop.is_set():
                future.cancel()
                raise Cancelled("The server is not waited for.") from None


def blind(model: str, host: str) -> ServerError:
    """Returns the error for a model that answers, but was not given the image."""
    text = translatable(
        "core",
        "“{model}” on {host} answers, but does not see images. Choose a model that takes images.",
    )
    text = text.format(model=short_name(model), host=host)
    return ServerError(text, ServerFault.BLIND)


def facts_of(
    named: ServerModel, notes: Iterable[str], missing: Mapping[Capability, Missing]
) -> EngineFacts:
    """Returns what is known of a model on servers."""
    return EngineFacts(
        model=named.name,
        device="server",
        device_name=named.hosts,
        dtype=Precision.AUTO,
        memory_bytes=0,
        context_length=0,
        notes=tuple(dict.fromkeys(notes)),
        missing=missing,
        most_pictures=_MOST_PICTURES,
        slots_that_fit=_MOST_AT_ONCE,
        longest_side=named.longest_side,
        sends_png=named.sends_png,
    )


def _way_note(address: str) -> Message | None:
    """Returns a note if others on the network can read along."""
    if address.startswith("https:") or is_this_machine(address):
        return None
    return translatable(
        "core", "Images go to {host} unencrypted. Use https:// outside of your own network."
    ).format(host=host_of(address))
