"""Whose work is in the package, and under which licences."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.support.packages import make_wheel


def test_bill_of_materials_names_every_wheel_with_its_version_and_licence(packaging):
    import bundle
    import inventory

    names = ["torch", "transformers", "pillow", "PySide6_Essentials"]
    sources = [
        Path(str(distribution(name).locate_file((distribution(name).files or [])[0])))
        for name in names
    ]
    inside = inventory.wheels(sources)
    bill = inventory.bill_of_materials(bundle.project(), inside, [])
    components = {component["name"]: component for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["specVersion"] == "1.6"
    assert {"torch", "transformers", "pillow", "pyside6-essentials", "python"} <= set(components)
    torch = components["torch"]
    assert torch["version"] == distribution("torch").version
    assert torch["purl"].startswith("pkg:pypi/torch@")
    assert torch["licenses"]
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    assert bill["dependencies"][0]["dependsOn"] == references
    assert bill == inventory.bill_of_materials(bundle.project(), inside, [])


def test_licence_texts_of_wheels_are_collected(packaging, tmp_path):
    import inventory

    inside = [distribution(name) for name in ("torch", "PySide6_Essentials", "sentencepiece")]
    written = inventory.write_licences(tmp_path / "licences", inside, [])
    places = [path.relative_to(tmp_path / "licences") for path in written]
    assert {place.parts[0].partition("-")[0] for place in places} >= {
        "torch",
        "PySide6_Essentials",
        "sentencepiece",
    }
    assert all(path.stat().st_size for path in written)


def test_licence_text_deep_in_a_wheel_is_found(packaging, tmp_path):
    import inventory

    wheel = make_wheel(tmp_path / "site", "nvidia-deep-cu13", "nvidia/deep/LICENSE.txt")
    written = inventory.write_licences(tmp_path / "licences", [wheel], [])
    text = tmp_path / "licences" / "nvidia-deep-cu13-1.0" / "LICENSE.txt"
    assert text in written
    assert text.read_text() == "nvidia/deep/LICENSE.txt"


def test_wheel_without_a_licence_text_stops_the_build(packaging, tmp_path):
    import inventory

    wheel = make_wheel(tmp_path / "site", "bare")
    with pytest.raises(FileNotFoundError, match="bare has no licence text"):
        inventory.write_licences(tmp_path / "licences", [wheel], [])
