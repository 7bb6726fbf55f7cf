import pytest

from core.engine_packs.pins import NO_PINS, read_pins
from core.errors import PackError
from tests.support.packs import TORCH_WHEEL, make_wheels, pins_of, write_pins

WHEELS = make_wheels()
PINS = pins_of(WHEELS, "https://index.example/simple")


def test_pins_are_read_as_they_were_written(tmp_path):
    path = write_pins(tmp_path / "pins.json", PINS, "https://index.example/simple")
    read = read_pins(path)
    assert read.packs == (PINS,)
    assert read.here("2.13.0+cpu") == (PINS,)
    assert PINS.download_bytes == sum(map(len, WHEELS.values()))
    assert PINS.licences == ("BSD-3-Clause", "NVIDIA Proprietary Software")


def test_pins_for_another_system_or_version_are_not_for_here(tmp_path):
    path = write_pins(tmp_path / "pins.json", pins_of(WHEELS, platform="beos"), "")
    assert read_pins(path).here("2.13.0") == ()
    path = write_pins(tmp_path / "pins.json", PINS, "")
    assert read_pins(path).here("2.14.0") == ()


def test_program_without_pins_has_none(tmp_path):
    assert read_pins(tmp_path / "nowhere.json") == NO_PINS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format": 1', '"format": 2'),
        ('"name": "cuda130"', '"name": "../../home"'),
        (TORCH_WHEEL, "../../torch.whl"),
        ('"sha256": "', '"sha256": "x'),
        ('"wheels": [', '"wheels": ["unknown.whl", '),
        ('"least_capability": "6.0"', '"least_capability": "new"'),
        ("{", "["),
    ],
)
def test_damaged_pins_are_refused(tmp_path, old, new):
    path = write_pins(tmp_path / "pins.json", PINS, "")
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(PackError, match="is damaged"):
        read_pins(path)


def test_pins_of_this_program_are_whole():
    pins = read_pins()
    for pack in pins.packs:
        assert pack.torch == pins.torch
        assert pack.wheels
        assert pack.download_bytes < pack.disk_bytes
        assert any(wheel.name == "torch" for wheel in pack.wheels)
        assert not {"triton", "cuda-bindings"} & {wheel.name for wheel in pack.wheels}
        versions = {wheel.name: wheel.version for wheel in pack.wheels}
        assert len(versions) == len(pack.wheels)
