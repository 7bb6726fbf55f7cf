"""The address of a server, as a person types it and as the program uses it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from core.errors import ServerError, ServerFault
from core.message import translatable
from core.model_reference import host_of, weighted_address

# What people copy from a manual, behind the part that counts.
_ENDPOINT = re.compile(r"(/v1)?(/chat/completions|/completions|/models)?/*$")


def read_address(text: str) -> str:
    """Returns “http://gpubox:8000” for “gpubox:8000/v1/”. Raises ServerError if it is none."""
    typed = text.strip()
    address = typed if "://" in typed else f"http://{typed}"
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise _no_address(typed) from None
    host = (parts.hostname or "").lower()
    is_whole = parts.scheme in ("http", "https") and host and not parts.query and not parts.fragment
    if not is_whole or re.search(r"[\s,]", address):
        raise _no_address(typed)
    if parts.username is not None or parts.password is not None:
        raise ServerError(
            translatable("core", "The address contains a password. Enter it as the key instead."),
            ServerFault.ADDRESS,
        )
    host = f"[{host}]" if ":" in host else host
    ending = f":{port}" if port is not None else ""
    return f"{parts.scheme}://{host}{ending}{_ENDPOINT.sub('', parts.path)}"


def read_addresses(text: str) -> tuple[tuple[str, int], ...]:
    """Returns the addresses in a text, which blanks separate, each with the weight behind it:
    “gpubox:8000 slowbox:8000,2”. Raises ServerError if one is none, or there is none."""
    found = dict(weighted_address(word) for word in text.split())
    right = {read_address(address): weight for address, weight in found.items()}
    return tuple(right.items()) or ((read_address(text), 1),)


def origin_of(address: str) -> str:
    """Returns the part of an address that a key is for: scheme, host and port."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def is_this_machine(address: str) -> bool:
    """Whether what is sent to the address stays on this machine."""
    host = urlsplit(address).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_this_machine(addresses: Iterable[str]) -> None:
    """Raises ServerError if what is sent to one of the addresses would leave this machine; call it
    where a person works offline."""
    for address in addresses:
        if not is_this_machine(address):
            text = translatable(
                "core",
                "Onlooker is offline, so nothing is sent to {host}. Turn off Work offline in the "
                "Models dialog to use it.",
            )
            raise ServerError(text.format(host=host_of(address)), ServerFault.OFFLINE)


def _no_address(typed: str) -> ServerError:
    return ServerError(
        translatable(
            "core",
            "“{address}” is not a server's address. Enter one such as http://localhost:8000.",
        ).format(address=typed[:80]),
        ServerFault.ADDRESS,
    )
