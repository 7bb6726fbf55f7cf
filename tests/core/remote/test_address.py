"""The address of a server, as people type and copy it."""

from __future__ import annotations

import pytest

from core.errors import ServerError, ServerFault
from core.remote.address import read_address, read_addresses


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("gpubox:8000", "http://gpubox:8000"),
        (" HTTPS://GPUbox/v1/ ", "https://gpubox"),
        ("http://gpubox:8000/v1/chat/completions", "http://gpubox:8000"),
        ("gpubox/llm/v1/models", "http://gpubox/llm"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_address_is_understood_as_it_stands_in_manuals(typed, address):
    assert read_address(typed) == address


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "not a server's address"),
        ("ftp://gpubox", "not a server's address"),
        ("gpubox:port", "not a server's address"),
        ("gpubox/v1?key=secret", "not a server's address"),
        ("http://me:secret@gpubox", "Enter it as the key"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(typed, says):
    with pytest.raises(ServerError, match=says) as error:
        read_address(typed)
    assert error.value.fault is ServerFault.ADDRESS


def test_addresses_have_weights():
    found = read_addresses("gpubox:8000 slowbox,3")
    assert found == (("http://gpubox:8000", 1), ("http://slowbox", 3))
