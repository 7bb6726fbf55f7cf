"""What contributors read, against the repository that it describes."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT / ".github"
PAGES = [
    ROOT / "README.md",
    ROOT / "core" / "README.md",
    ROOT / "gui" / "README.md",
    ROOT / "packaging" / "README.md",
    ROOT / "tests" / "benchmarks" / "README.md",
    GITHUB / "CONTRIBUTING.md",
    GITHUB / "SECURITY.md",
]


def load(path: Path):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_a_page_names_exist(page):
    for name in re.findall(r"`([\w./-]+\.(?:py|toml|sh|txt|json|yml))`", page.read_text("utf-8")):
        if "/" in name:
            assert (page.parent / name).exists() or (ROOT / name).exists(), name


@pytest.mark.parametrize("top", ["core", "gui"])
def test_page_of_a_program_half_names_each_of_its_parts(top):
    text = (ROOT / top / "README.md").read_text(encoding="utf-8")
    packages = [path.parent.name + "/" for path in (ROOT / top).glob("*/__init__.py")]
    modules = [path.name for path in (ROOT / top).glob("*.py") if path.name != "__init__.py"]
    assert [name for name in packages + modules if f"`{name}`" not in text] == []


def test_page_of_benchmarks_names_each_of_them():
    folder = ROOT / "tests" / "benchmarks"
    text = (folder / "README.md").read_text(encoding="utf-8")
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_workflow_checks_each_supported_python_on_each_system():
    jobs = load(GITHUB / "workflows" / "checks.yml")["jobs"]
    matrix = jobs["default"]["strategy"]["matrix"]
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "windows", "macos"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("path", sorted((GITHUB / "workflows").glob("*.yml")), ids=name_of)
def test_workflow_may_only_read_and_pins_its_actions(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"[\w/.-]+@v\d+", step.get("uses", "a/b@v1")), step


@pytest.mark.parametrize("name", ["bug", "idea", "model"])
def test_issue_form_is_one_that_github_shows(name):
    form = load(GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert form["name"]
    assert form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    for part in form["body"]:
        assert part["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert part["attributes"].get("label") or part["attributes"].get("value")
        assert ("options" in part["attributes"]) == (part["type"] in {"dropdown", "checkboxes"})
