"""Asking the hub over HTTP: what a model is, its settings, and the bytes of its files.

huggingface_hub gives the session (with the system's proxy and certificates), the endpoint, the
cache and the errors. Nothing is asked before a person wants it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

from core.errors import HubError, HubNeed
from core.hub.listing import (
    is_settings,
    parameters_of,
    record_of,
    require_loadable,
    tower_of,
)
from core.hub.location import Record
from core.hub.refusals import refused, unreachable
from core.message import translatable
from core.model_reference import is_hub_id
from core.transfer.blocking import run_until_stopped
from core.transfer.meter import DownloadMeter
from core.transfer.retrying import Busy, Damaged, GaveUp, retrying, seconds_to_wait

ASKING = translatable("core", "Asking the hub")
STALL_SECONDS = 20.0
_LARGEST_LISTING = 50_000_000

Answered = TypeVar("Answered")


@dataclass(frozen=True)
class Hub:
    """Which hub, as whom. `token` is "" for nobody; `waits` are the seconds between tries."""

    endpoint: str
    cache: Path
    token: str = ""
    is_offline: bool = False
    waits: tuple[float, ...] = (1, 2, 4, 8, 8)

    @classmethod
    def here(cls, token: str = "", is_offline: bool = False) -> Hub:
        """As HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE say."""
        from huggingface_hub import constants

        return cls(
            endpoint=constants.ENDPOINT,
            cache=Path(constants.HF_HUB_CACHE),
            token=token or _given_token(),
            is_offline=is_offline or constants.is_offline_mode(),
        )

    def page(self, hub_id: str) -> str:
        """Where people read about the model, and accept its licence."""
        return f"{self.endpoint}/{hub_id}"


def _given_token() -> str:
    """The token that the environment or the library's file has; "" for none, or for a file that is
    another user's."""
    from huggingface_hub import get_token

    try:
        return get_token() or ""
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True)
class HubModel:
    """What the hub says about a model before it is downloaded.

    `size` is in bytes, including its vision tower. `config` is its config.json, {} if that needs an
    access token. `parameters` is None if the hub does not count them.
    """

    hub_id: str
    size: int
    licence: str
    is_gated: bool
    parameters: int | None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


def look_up(hub: Hub, hub_id: str, stop: threading.Event) -> HubModel:
    """Asks the hub what a model is, and downloads nothing but its settings, which are not kept.

    Blocks. Raises HubError, and Cancelled within a second once `stop` is set.
    """
    require_askable(hub, hub_id)
    return run_until_stopped(_look_up(hub, hub_id), stop, lambda: None)


async def _look_up(hub: Hub, hub_id: str) -> HubModel:
    async with HubClient(hub, DownloadMeter(ASKING)) as client:
        record, listing = await client.read_record(hub_id)
        size = record.size
        config: Mapping[str, Any] = {}
        try:
            config = await client.read_config(record)
        except HubError as error:
            # The hub lists the files of gated models for everybody, but not their content.
            if error.need not in (HubNeed.TOKEN, HubNeed.LICENCE):
                raise
        if tower := tower_of(config):
            size += (await client.read_record(tower))[0].size
    return HubModel(
        hub_id,
        size,
        record.licence,
        listing.get("gated") not in (None, False),
        parameters_of(listing),
        config,
    )


def require_askable(hub: Hub, hub_id: str) -> None:
    """Raises HubError if the hub cannot be asked about `hub_id` with these settings at all."""
    if not is_hub_id(hub_id):
        raise HubError(
            translatable(
                "core",
                "“{name}” is not a valid model name. Use owner/name.",
            ).format(name=hub_id)
        )
    if hub.is_offline:
        raise HubError(
            translatable(
                "core",
                "Onlooker is offline. Turn off Work offline in the Models dialog, or start "
                "Onlooker without HF_HUB_OFFLINE.",
            ),
            HubNeed.ONLINE,
        )
    if not all(urlsplit(hub.endpoint)[:2]):
        raise HubError(
            translatable(
                "core",
                "HF_ENDPOINT is “{address}”, which is not an address. Correct it.",
            ).format(address=hub.endpoint)
        )
    if not re.fullmatch(r"[!-~]*", hub.token):
        # Sent as it is, the library would quote it in its complaint.
        raise HubError(
            translatable(
                "core",
                "The access token contains invalid characters. Enter it again.",
            ),
            HubNeed.TOKEN,
        )


def with_access_token(
    read_token: Callable[[threading.Event], str],
    hub: Hub,
    stop: threading.Event,
    ask: Callable[[Hub], Answered],
) -> Answered:
    """Returns `ask(hub)`; calls it once more with the access token if the hub refuses without.

    The keyring, which a person may have to unlock, is read only then.
    """
    try:
        return ask(hub)
    except HubError as error:
        token = read_token(stop) if error.need in (HubNeed.TOKEN, HubNeed.LICENCE) else ""
        if token in ("", hub.token):
            raise
    return ask(replace(hub, token=token))


class HubClient:
    """One session with the hub, for one look-up or download; used with `async with`.

    Requests are repeated when the network fails. `meter` shows how long the client waits before the
    next attempt, and says whether anything has arrived yet.
    """

    def __init__(self, hub: Hub, meter: DownloadMeter):
        self._hub = hub
        self._meter = meter

    async def __aenter__(self) -> HubClient:
        self._session = _new_session()
        self._http = await self._session.__aenter__()
        return self

    async def __aexit__(self, *failure: Any) -> None:
        await self._session.__aexit__(*failure)

    async def read_record(self, hub_id: str) -> tuple[Record, Mapping[str, Any]]:
        """The files of the model that are needed, and the hub's whole answer about the model."""
        self._meter.stage = ASKING
        address = f"{self._hub.endpoint}/api/models/{hub_id}/revision/main?blobs=true"
        text = await self.retrying("", lambda: self._read(hub_id, address), lambda: 0)
        try:
            listing = json.loads(text)
            record = record_of(hub_id, listing)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise HubError(
                translatable(
                    "core",
                    "{address} is not a model hub. Check HF_ENDPOINT and the proxy.",
                ).format(address=self._hub.endpoint)
            ) from error
        names = {file.name for file in record.files}
        if "config.json" not in names or not any(not is_settings(file) for file in record.files):
            raise HubError(
                translatable(
                    "core",
                    "“{name}” has no config.json with weights in safetensors or .bin. Choose "
                    "another model.",
                ).format(name=hub_id)
            )
        return record, listing

    async def read_config(self, record: Record) -> Mapping[str, Any]:
        """The model's config.json. Raises HubError if a model with it could not be loaded here."""
        address = self.address_of(record, "config.json")
        text = await self.retrying("", lambda: self._read(record.hub_id, address), lambda: 0)
        try:
            config: object = json.loads(text)
        except (ValueError, RecursionError):
            config = None
        if not isinstance(config, dict):
            raise HubError(
                translatable(
                    "core",
                    "“{name}” has no readable config.json. Choose another model.",
                ).format(name=record.hub_id)
            )
        settings = cast(dict[str, Any], config)
        # Errors name the folder, which is the last part of the id.
        require_loadable(record.hub_id, Path(record.hub_id), settings, is_part=False)
        return settings

    def address_of(self, record: Record, name: str) -> str:
        """The address of the content of a file."""
        return f"{self._hub.endpoint}/{record.hub_id}/resolve/{record.revision}/{quote(name)}"

    async def retrying(
        self,
        name: str,
        attempt: Callable[[], Coroutine[Any, Any, Answered]],
        bytes_here: Callable[[], int],
    ) -> Answered:
        """Repeats `attempt` until it succeeds; gives up after several failures without progress.

        `bytes_here` returns how many bytes of the file called `name` are on the disk.
        """

        def on_wait(seconds: float) -> None:
            if seconds:
                text = translatable("core", "Waiting {count} s for the hub")
                self._meter.files[name] = text.format(count=round(seconds))
            else:
                self._meter.files.pop(name, None)

        try:
            return await retrying(
                attempt,
                self._hub.waits,
                bytes_here=bytes_here,
                has_received=lambda: bool(self._meter.received),
                on_wait=on_wait,
            )
        except GaveUp as gave_up:
            host = urlsplit(self._hub.endpoint).hostname
            received = bool(self._meter.done)
            raise unreachable(
                host, gave_up.error, gave_up.asked, was_receiving=received
            ) from gave_up.error

    @asynccontextmanager
    async def response(self, hub_id: str, address: str, **headers: str) -> AsyncGenerator[Any]:
        """Streams the answer to a GET request.

        Raises Busy and Damaged if it is worth another attempt, HubError if the hub refuses.
        """
        headers |= {"Accept-Encoding": "identity", "User-Agent": "onlooker"}
        if self._hub.token and _is_safe(address):
            headers["Authorization"] = f"Bearer {self._hub.token}"
        async with self._http.stream(
            "GET", address, headers=headers, timeout=STALL_SECONDS
        ) as response:
            status = response.status_code
            is_hub = (
                response.url.host == urlsplit(self._hub.endpoint).hostname
                or "x-error-code" in response.headers
            )
            if status == 416:
                raise Damaged("The half file is longer than the whole one.")
            if status in (408, 429) or status >= 500 or (status >= 400 and not is_hub):
                # Of a content network: an address that has grown old, for instance.
                raise Busy(status, seconds_to_wait(response.headers.get("retry-after")))
            if status >= 400:
                raise refused(
                    hub_id,
                    self._hub.page(hub_id),
                    status,
                    response.headers.get("x-error-code"),
                    has_token=bool(self._hub.token),
                )
            yield response

    async def _read(self, hub_id: str, address: str) -> bytes:
        """The whole of a small answer."""
        async with self.response(hub_id, address) as response:
            read = bytearray()
            async for block in response.aiter_bytes():
                read += block
                if len(read) > _LARGEST_LISTING:
                    raise HubError(
                        translatable(
                            "core",
                            "“{name}” has too many files. Choose another model.",
                        ).format(name=hub_id)
                    )
            return bytes(read)


def _is_safe(address: str) -> bool:
    """A token is not sent where others can read it."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def _new_session() -> Any:
    """huggingface_hub's; HubError where the system names a proxy that is none."""
    from huggingface_hub import get_async_session

    try:
        return get_async_session()
    except Exception as error:
        # ValueError for an unknown beginning, ImportError for SOCKS, and one of the library's own.
        raise HubError(
            translatable(
                "core",
                "The proxy in HTTPS_PROXY or ALL_PROXY cannot be used. Enter an address "
                "that starts with http://.",
            ),
            HubNeed.NETWORK,
        ) from error
