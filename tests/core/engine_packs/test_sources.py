import os
import sys

import pytest

from core.engine_packs.sources import folder_of, host_of, sources_here, with_credentials

DEFAULT = "https://index.example/simple"


def test_without_settings_the_default_index_is_asked():
    sources = sources_here(DEFAULT, {"PIP_CONFIG_FILE": os.devnull})
    assert (sources.indexes, sources.has_own_index) == ((DEFAULT,), False)


def test_variables_of_pip_are_respected(tmp_path):
    sources = sources_here(
        DEFAULT,
        {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "https://mirror.example/simple/",
            "PIP_EXTRA_INDEX_URL": "https://a.example https://b.example",
            "PIP_FIND_LINKS": "/wheels",
            "PIP_NO_INDEX": "1",
            "PIP_PROXY": "http://proxy.example:3128",
            "PIP_CERT": "/ca.pem",
            "PIP_TRUSTED_HOST": "mirror.example",
            "PIP_TIMEOUT": "180",
        },
    )
    assert sources.indexes == (
        *("https://mirror.example/simple/", "https://a.example", "https://b.example"),
    )
    assert (sources.find_links, sources.is_offline) == (("/wheels",), True)
    assert (sources.proxy, sources.cert) == ("http://proxy.example:3128", "/ca.pem")
    assert (sources.trusted_hosts, sources.timeout) == (frozenset({"mirror.example"}), 60)
    assert sources.has_own_index


@pytest.mark.skipif(sys.platform != "linux", reason="where pip keeps its files on Linux")
def test_files_of_pip_are_read_in_its_order_and_variables_win(tmp_path):
    shared, own, named = tmp_path / "xdg", tmp_path / "config", tmp_path / "named.conf"
    (shared / "pip").mkdir(parents=True)
    (own / "pip").mkdir(parents=True)
    (shared / "pip" / "pip.conf").write_text(
        "[global]\nindex-url = https://shared.example\nno_index = false\ntimeout = 5\n"
    )
    (own / "pip" / "pip.conf").write_text(
        "[global]\nextra-index-url =\n  https://a.example\n  https://b.example\n"
        "[install]\nindex-url = https://own.example\n[list]\nindex-url = https://no.example\n"
    )
    named.write_text("[global]\nproxy = http://named.example\n")
    environment = {"XDG_CONFIG_DIRS": str(shared), "XDG_CONFIG_HOME": str(own), "HOME": "/nowhere"}
    sources = sources_here(DEFAULT, {**environment, "PIP_CONFIG_FILE": str(named)})
    assert sources.indexes == ("https://own.example", "https://a.example", "https://b.example")
    assert (sources.proxy, sources.timeout) == ("http://named.example", 5)
    assert not sources.is_offline
    won = sources_here(DEFAULT, {**environment, "PIP_INDEX_URL": "https://won.example"})
    assert won.indexes[0] == "https://won.example"


@pytest.mark.parametrize("text", ["no section\n", "[global\n", "[global]\nindex-url\n", "\xff"])
def test_damaged_file_of_pip_is_passed_over(tmp_path, text):
    path = tmp_path / "pip.conf"
    path.write_bytes(text.encode("latin-1"))
    nothing = {"XDG_CONFIG_DIRS": str(tmp_path), "HOME": str(tmp_path / "none")}
    sources = sources_here(DEFAULT, {**nothing, "PIP_CONFIG_FILE": str(path)})
    assert DEFAULT in sources.indexes or sources.has_own_index


def test_credentials_stay_with_their_host_and_are_not_shown():
    index = "https://me:secret@mirror.example/simple"
    given = with_credentials("https://mirror.example/files/a.whl", index)
    assert given == "https://me:secret@mirror.example/files/a.whl"
    elsewhere = "https://files.example/a.whl"
    assert with_credentials(elsewhere, index) == elsewhere
    assert host_of(index) == "mirror.example"
    sources = sources_here(DEFAULT, {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index})
    assert "secret" not in repr(sources)


@pytest.mark.parametrize("address", ["http://[x", "https://", "", "::", "http://a:b:c"])
def test_broken_addresses_are_no_folders_that_raise(address):
    folder_of(address)
    host_of(address)
    with_credentials(address, address)
