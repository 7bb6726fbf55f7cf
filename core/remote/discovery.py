"""Finds servers for models on this machine, at the ports that such programs usually have.

Only when a person asks for it; nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import ServerError, ServerFault
from core.remote.loop_thread import LoopThread
from core.remote.opening import wait_for
from core.remote.server import Server, Timing

USUAL_PORTS: dict[int, str] = {
    1234: "LM Studio",
    8000: "vLLM",
    8080: "llama.cpp",
    11434: "Ollama",
}
_TIMING = Timing(connect_seconds=1.0, silent_seconds=5.0, listing_seconds=5.0)


@dataclass(frozen=True)
class FoundServer:
    """A server that answered. `product` usually has its port; `models` are () where it requires a
    key."""

    address: str
    product: str
    models: tuple[str, ...]


def find_servers(
    stop: threading.Event, ports: Mapping[int, str] = USUAL_PORTS
) -> list[FoundServer]:
    """Asks what answers at these ports of this machine; blocks for seconds at most.

    Raises Cancelled once `stop` is set.
    """
    loop = LoopThread("server-search")
    try:
        return wait_for(loop, _find(ports), stop)
    finally:
        loop.close()


async def _find(ports: Mapping[int, str]) -> list[FoundServer]:
    found = await asyncio.gather(*(_ask(port, product) for port, product in ports.items()))
    return [one for one in found if one is not None]


async def _ask(port: int, product: str) -> FoundServer | None:
    # Not “localhost”, which some systems look up as IPv6 first.
    server = Server(f"http://127.0.0.1:{port}", "", timing=_TIMING)
    try:
        return FoundServer(server.address, product, tuple(await server.models()))
    except ServerError as error:
        if error.fault in (ServerFault.KEY, ServerFault.FORBIDDEN):
            return FoundServer(server.address, product, ())
        return None
    finally:
        await server.close()
