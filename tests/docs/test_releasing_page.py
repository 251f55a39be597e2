"""Workflows that publish: linted, trusted with what they need, shown as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .pages import ROOT, read
from .test_ci_page import WORKFLOWS
from .workflows import LINTERS, loaded, steps

PUBLISH = ROOT / "docs" / "workflows" / "publish.yml"
PAGES = PUBLISH.with_name("pages.yml")


def test_every_workflow_is_one_that_is_linted() -> None:
    assert {*PUBLISH.parent.iterdir()} == {PUBLISH, PAGES, *WORKFLOWS}


@pytest.mark.parametrize("linter", LINTERS)
@pytest.mark.parametrize("workflow", [PUBLISH, PAGES], ids=lambda path: path.stem)
def test_the_workflow_is_clean(workflow: Path, linter: str, tmp_path: Path) -> None:
    copy = tmp_path / workflow.name
    copy.write_text(workflow.read_text())
    assert LINTERS[linter](copy) == ""


def test_a_tag_in_a_script_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / PUBLISH.name
    text = PUBLISH.read_text()
    assert '"$GITHUB_REF_NAME"' in text
    copy.write_text(text.replace('"$GITHUB_REF_NAME"', '"${{ github.ref_name }}"'))
    assert LINTERS["zizmor"](copy) != ""


def test_the_page_shows_the_workflow_as_it_is() -> None:
    place = r"^\[publish.yml\]\(workflows/publish.yml\):\n\n```yaml\n(.*?)^```$"
    shown = re.search(place, read("docs/releasing.md"), re.M | re.S)
    assert shown is not None
    assert shown[1] == PUBLISH.read_text()


def test_the_job_that_is_trusted_runs_nothing_of_the_repository() -> None:
    workflow = loaded(PUBLISH.read_text())
    assert workflow["permissions"] == {}
    trusted = {
        name
        for name, job in workflow["jobs"].items()
        if "id-token" in job["permissions"]
    }
    assert trusted == {"publish"}
    job = workflow["jobs"]["publish"]
    assert set(job["needs"]) == {"test", "build"}
    assert job["environment"] == "release"
    actions = [
        step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step
    ]
    assert actions == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]


def test_the_site_is_deployed_by_a_job_that_runs_nothing_of_the_repository() -> None:
    jobs = loaded(PAGES.read_text())["jobs"]
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert not any("run" in step for step in jobs["deploy"]["steps"])


@pytest.mark.parametrize("workflow", [PUBLISH, PAGES], ids=lambda path: path.stem)
def test_all_actions_are_pinned_as_in_the_other_workflows(workflow: Path) -> None:
    def pins(workflow: Path) -> dict[str, str]:
        uses = [step["uses"] for step in steps(workflow) if "uses" in step]
        return dict(use.split("@") for use in uses)

    known = {name: pin for path in WORKFLOWS for name, pin in pins(path).items()}
    ours = pins(workflow)
    assert {name: ours[name] for name in ours.keys() & known} == {
        name: known[name] for name in ours.keys() & known
    }
    assert all(re.fullmatch("[0-9a-f]{40}", pin) for pin in ours.values())
