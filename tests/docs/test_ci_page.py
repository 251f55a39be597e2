"""The workflows of docs/ci.md: linted, shown as they are, with options that exist, and
their steps are run.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import __version__, load_dataset

from .. import forked_commands
from ..conftest import THREE_LINES
from ..forked_commands import Ended
from . import pages
from .commands import commands, unknown_options
from .pages import ROOT
from .workflows import LINTERS, loaded, schema, scripts, step, steps

PAGE = ROOT / "docs" / "ci.md"
GATE, BASELINE = (
    ROOT / "docs" / "workflows" / name
    for name in ("release-gate.yml", "robustness-baseline.yml")
)
WORKFLOWS = [GATE, BASELINE]
Judge = Callable[[Path, str, str], pytest.RunResult]
GITHUBS_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How a step with `shell: bash` is run."""
LOOK_UP, JUDGE = "Find the newest baseline of main", "Measure and judge"

BROKEN = (
    ("zizmor", "persist-credentials: false", "persist-credentials: true"),
    ("zizmor", "3d3c42e5aac5ba805825da76410c181273ba90b1", "v7"),
    ("zizmor", "permissions: {}", "permissions: write-all"),
    ("zizmor", "  pull_request:", "  pull_request_target:"),
    ("zizmor", "$GITHUB_REPOSITORY", "${{ github.head_ref }}"),
    (
        "zizmor",
        (
            "concurrency:\n  group: release-gate-${{ github.ref }}\n "
            " cancel-in-progress: true\n"
        ),
        "",
    ),
    ("schema", "runs-on:", "run-on:"),
    ("schema", "timeout-minutes: 60", "timeout-minutes: an hour"),
    ("schema", "contents: read", "contents: reed"),
    ("timeouts", "    timeout-minutes: 60\n", ""),
    ("shellcheck", '"$run_id"', "$run_id"),
    ("shellcheck", "newest='", "oldest='"),
    ("bash -n", "          fi\n", ""),
)
"""A linter, and a change to release-gate.yml that it has to refuse."""


def section(title: str) -> str:
    """What stands under a heading of the page."""
    return pages.section("docs/ci.md", title)


def blocks(text: str, language: str) -> list[str]:
    return [
        block.text for block in pages.blocks_of("", text) if block.language == language
    ]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    """A copy of a workflow, whose scripts may be written beside it."""

    def copied(workflow: Path) -> Path:
        path = tmp_path / workflow.name
        path.write_text(workflow.read_text())
        return path

    return copied


# The files


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
@pytest.mark.parametrize("linter", LINTERS)
def test_a_workflow_is_clean(
    linter: str, workflow: Path, copy: Callable[[Path], Path]
) -> None:
    assert LINTERS[linter](copy(workflow)) == ""


@pytest.mark.parametrize(("linter", "good", "bad"), BROKEN)
def test_a_broken_copy_is_refused(
    linter: str, good: str, bad: str, copy: Callable[[Path], Path]
) -> None:
    path = copy(GATE)
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))
    assert LINTERS[linter](path) != ""


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_options_of_a_workflow_exist(workflow: Path) -> None:
    assert [words for script in scripts(workflow) for words in commands(script)] != []
    assert [
        word for script in scripts(workflow) for word in unknown_options(script)
    ] == []


@pytest.mark.parametrize(
    ("script", "unknown"),
    [
        (
            (
                "pytest gate/ --robust-results r --junit-xml j.xml -n 2"
                " --benchmark-json=b.json"
            ),
            [],
        ),
        (
            "pytest gate/ --robust-result r --junit-xlm j.xml",
            ["--junit-xlm", "--robust-result"],
        ),
        (
            "echo begin\npytest gate/ \\\n  --robust-no-such-thing",
            ["--robust-no-such-thing"],
        ),
        ("python -m pytest_retrieval_robust init gate --force", ["--force"]),
        ("python -m pytest_retrieval_robust ini gate", ["ini"]),
        ("python -m pytest_retrieval_robust inspect open-i --images", []),
        ("gh run list --no-such-thing", []),
    ],
)
def test_an_option_that_does_not_exist_is_found(
    script: str, unknown: list[str]
) -> None:
    assert unknown_options(script) == unknown


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_may_read_and_no_more(workflow: Path) -> None:
    whole = loaded(workflow.read_text())
    assert whole["permissions"] == {}
    for job in whole["jobs"].values():
        assert set(job["permissions"]) <= {"contents", "actions"}
        assert set(job["permissions"].values()) == {"read"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_results_are_kept_when_the_gate_fails_and_the_baseline_is_not(
    workflow: Path,
) -> None:
    uploads = {
        one["with"]["name"]: one
        for one in steps(workflow)
        if "upload-artifact" in one.get("uses", "")
    }
    assert uploads.pop("robustness-results")["if"] == "always()"
    assert all("if" not in one for one in uploads.values())
    assert set(uploads) == ({"robustness-baseline"} if workflow == BASELINE else set())


def test_the_gate_asks_for_what_the_baseline_publishes() -> None:
    (published,) = (
        one for one in steps(BASELINE) if one["name"] == "Publish the baseline"
    )
    download = step(GATE, "Download it")
    name = published["with"]["name"]
    assert download["with"]["name"] == name
    assert f"name={name}" in step(GATE, LOOK_UP)["run"]
    assert download["if"] == "steps.baseline.outputs.run-id != ''"
    assert f"--robust-baseline {download['with']['path']} " in step(GATE, JUDGE)["run"]


# The page


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_page_shows_the_workflow_as_it_is(workflow: Path) -> None:
    place = (
        rf"^\[{workflow.name}\]\(workflows/{workflow.name}\):\n\n```yaml\n(.*?)^```$"
    )
    shown = re.search(place, PAGE.read_text(), re.M | re.S)
    assert shown is not None
    assert shown[1] == workflow.read_text()


def test_the_page_pins_versions_that_were_tested() -> None:
    (pins,) = blocks(section("Set up, in this order"), "text")
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    assert [
        pin
        for pin in pins.split()
        if pin not in (*tested, f"pytest-retrieval-robust=={__version__}")
    ] == []


def test_the_pages_policy_is_one(judge: Judge) -> None:
    (policy,) = blocks(section("Set up, in this order"), "toml")
    done = judge(BASELINE, "--collect-only -q", policy)
    assert done.ret == 0, done.stdout.str() + done.stderr.str()
    done.stdout.fnmatch_lines(["*our-candidate-synthetic-cxr-patches*"])


def test_the_gpu_variant_fits_both_workflows(copy: Callable[[Path], Path]) -> None:
    (variant,) = blocks(section("A GPU of your own, and MIMIC-CXR"), "yaml")
    for workflow in WORKFLOWS:
        whole = loaded(workflow.read_text())
        (job,) = whole["jobs"].values()
        job |= {
            key: value
            for key, value in loaded(variant).items()
            if key != "if" or workflow == GATE
        }
        path = copy(workflow)
        path.write_text(json.dumps(whole))
        assert LINTERS["schema"](path) + LINTERS["timeouts"](path) == ""


def test_the_gitlab_job_is_one(tmp_path: Path) -> None:
    (text,) = blocks(section("GitLab CI"), "yaml")
    path = tmp_path / "gitlab-ci.yml"
    path.write_text(text)
    check = schema("vendor.gitlab-ci")
    assert check(path) == ""
    path.write_text(text.replace("when: always", "when: sometimes"))
    assert check(path) != ""
    job = loaded(text)["robustness"]
    assert len([words for line in job["script"] for words in commands(line)]) == 1
    assert [word for line in job["script"] for word in unknown_options(line)] == []
    assert f"--junit-xml {job['artifacts']['reports']['junit']}" in job["script"][-1]


# The step that looks for a baseline, with a gh that answers from a file

GH = f"""#!{sys.executable}
import json, os, sys
import jq
words = sys.argv[1:]
if "ANSWER" not in os.environ:
    sys.exit("gh: HTTP 403: Resource not accessible by integration")
assert words[:4] == ["api", "--method", "GET", "repos/ORG/NAME/actions/artifacts"], words
asked = ["--raw-field", "name=robustness-baseline", "--raw-field", "per_page=100"]
assert words[4:8] == asked, words
assert words[8] == "--jq" and len(words) == 10, words
for found in jq.compile(words[9]).input_value(json.loads(os.environ["ANSWER"])):
    print(found if isinstance(found, str) else json.dumps(found))
"""


def artifact(
    run: int,
    day: int,
    *,
    expired: bool = False,
    branch: str = "main",
    fork: bool = False,
) -> dict[str, Any]:
    """As GitHub's REST API describes one."""
    return {
        "name": "robustness-baseline",
        "expired": expired,
        "created_at": f"2026-01-{day:02}T00:00:00Z",
        "workflow_run": {
            "id": run,
            "head_branch": branch,
            "repository_id": 1,
            "head_repository_id": 2 if fork else 1,
        },
    }


@pytest.fixture
def look_up(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the step; its exit code, its output and the job's summary."""
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)

    def run(found: list[dict[str, Any]] | None) -> tuple[int, str, str]:
        output, summary = tmp_path / "output", tmp_path / "summary"
        for file in (output, summary):
            file.write_text("")
        environment = {
            "PATH": f"{gh.parent}:{os.environ['PATH']}",
            "GITHUB_REPOSITORY": "ORG/NAME",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
        }
        if found is not None:
            environment["ANSWER"] = json.dumps(
                {"total_count": len(found), "artifacts": found}
            )
        done = subprocess.run(
            [*GITHUBS_BASH, "-c", step(GATE, LOOK_UP)["run"]],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("::warning title=no baseline yet::" in done.stdout) == (
            "No baseline yet" in summary.read_text()
        )
        return done.returncode, output.read_text(), summary.read_text()

    return run


def test_the_newest_baseline_of_main_is_taken(
    look_up: Callable[..., tuple[int, str, str]],
) -> None:
    assert look_up([artifact(7, 1), artifact(9, 3), artifact(8, 2)]) == (
        0,
        "run-id=9\n",
        "",
    )


@pytest.mark.parametrize(
    "found",
    [
        [],
        [artifact(7, 1, expired=True)],
        [artifact(7, 1, branch="feature")],
        [artifact(7, 1, fork=True)],
        [{**artifact(7, 1), "workflow_run": None}],
    ],
    ids=["none", "expired", "another branch", "main of a fork", "no run"],
)
def test_what_is_no_baseline_of_main_is_said_and_crashes_nothing(
    found: list[dict[str, Any]], look_up: Callable[..., tuple[int, str, str]]
) -> None:
    code, output, summary = look_up(found)
    assert (code, output) == (0, "run-id=\n")
    assert (
        "Run the workflow robustness-baseline.yml on main, then run this job again."
        in summary
    )
    assert look_up([*found, artifact(5, 9)]) == (0, "run-id=5\n", "")


def test_a_look_up_that_fails_is_not_taken_for_none(
    look_up: Callable[..., tuple[int, str, str]],
) -> None:
    code, output, summary = look_up(None)
    assert code != 0
    assert (output, summary) == ("", "")


# The steps that measure

WEIGHTS = ROOT / "pytest_retrieval_robust" / "models" / "weights"
SMALL = '"--robust-datasets=synthetic-cxr(pairs=48)" --robust-levels=0.3'
SMOKE = "--robust-limit=24 --robust-levels=0.3"
POLICY = """
[models.our-candidate]
loader = "transformers"
checkpoint = "{weights}"
required = true

[[gate]]
model = "our-candidate"
level = 0.3
recall = {{ 10 = {floor} }}
"""
NO_LOSS = "not_worse_than_baseline = { k = 10, margin = 0.1 }\n"


def write_project(folder: Path, policy: str) -> None:
    """A project whose suite is three lines."""
    gate = folder / "gate"
    gate.mkdir(exist_ok=True)
    (gate / "test_recall.py").write_text(THREE_LINES)
    (gate / "robust.toml").write_text(policy)


def words_of_the_step(workflow: Path) -> list[str]:
    """The one command of the step that judges, whose status is the step's."""
    program, *words = shlex.split(step(workflow, JUDGE)["run"].replace("\\\n", " "))
    assert program == "pytest"
    assert {"&&", "||", ";", "|", "&"}.isdisjoint(words)
    return words


@pytest.fixture
def judge(pytester: pytest.Pytester) -> Judge:
    """Run the command of a workflow's step in this process, which takes a tenth of the time."""

    def run(workflow: Path, options: str, policy: str) -> pytest.RunResult:
        write_project(pytester.path, policy)
        words = [*words_of_the_step(workflow), *shlex.split(options)]
        return pytester.runpytest_inprocess(*words, "-p", "no:cacheprovider")

    return run


def policy_of(model: str, floor: float = 0.3) -> str:
    return POLICY.format(weights=WEIGHTS / model, floor=floor)


def uploaded(workflow: Path, name: str, folder: Path) -> list[Path]:
    (paths,) = (
        one["with"]["path"]
        for one in steps(workflow)
        if one.get("with", {}).get("name") == name
    )
    return [folder / path for path in paths.split()]


def saved(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results/run.json").read_text())["run"]
    return found


def after_the_baselines_step(folder: Path, policy: str) -> Ended:
    """A smoke run in a process of its own, whose project stays for other tests."""
    write_project(folder, policy)
    words = ["pytest", *words_of_the_step(BASELINE), *shlex.split(SMOKE)]
    return forked_commands.run([*words, "-p", "no:cacheprovider"], folder)


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the baseline's step has passed."""
    folder = tmp_path_factory.mktemp("passed")
    done = after_the_baselines_step(folder, policy_of("tiny-cxr-clip"))
    assert done.status == 0, done.printed
    return folder


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """The same with a floor that is too high."""
    folder = tmp_path_factory.mktemp("failed")
    policy = policy_of("tiny-cxr-clip", floor=0.99)
    return folder, after_the_baselines_step(folder, policy)


PYTEST = f"#!{sys.executable} -S\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\nsys.exit(3)\n"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_bash_runs_the_steps_one_command_and_hands_its_status_on(
    workflow: Path, tmp_path: Path
) -> None:
    """With a pytest that prints its words: `failed` and `judge` run them in this process."""
    program = tmp_path / "pytest"
    program.write_text(PYTEST)
    program.chmod(0o755)
    done = subprocess.run(
        [*GITHUBS_BASH, "-c", step(workflow, JUDGE)["run"]],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert json.loads(done.stdout) == words_of_the_step(workflow)


def test_the_baselines_step_writes_all_that_is_uploaded(passed: Path) -> None:
    for name in ("robustness-baseline", "robustness-results"):
        assert [
            path for path in uploaded(BASELINE, name, passed) if not path.exists()
        ] == []
    written = ["junit.xml", "ranks.npz", "report.html", "report.md", "run.json"]
    assert sorted(path.name for path in (passed / "results").iterdir()) == written
    assert (passed / "results/junit.xml").read_text().count("<testcase") == 2


def test_a_failed_step_leaves_its_results(failed: tuple[Path, Ended]) -> None:
    folder, done = failed
    assert done.status == 1
    assert [
        path
        for path in uploaded(BASELINE, "robustness-results", folder)
        if not path.exists()
    ] == []
    junit = (folder / "results/junit.xml").read_text()
    assert 'failures="1"' in junit
    assert "below the floor of 0.990" in junit


def test_nothing_of_a_patient_is_uploaded_or_logged(failed: tuple[Path, Ended]) -> None:
    folder, done = failed
    files = (folder / "results").iterdir()
    written = done.printed + "".join(
        path.read_bytes().decode("latin-1") for path in files
    )
    dataset = load_dataset("synthetic-cxr")
    for index in range(24):
        assert dataset.reports[index][:40] not in written
        assert dataset.image_ids[index] not in written
        assert dataset.patients[index] not in written


def test_one_changed_number_is_another_policy(
    passed: Path, failed: tuple[Path, Ended]
) -> None:
    assert saved(passed)["gates_sha256"] != saved(failed[0])["gates_sha256"]


def test_a_wrong_policy_is_exit_4(judge: Judge, pytester: pytest.Pytester) -> None:
    done = judge(BASELINE, SMOKE, policy_of("tiny-cxr-clip", floor=99))
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*robust.toml, line 10*"])
    assert not (pytester.path / "results/run.json").exists()


def test_a_smoke_run_is_refused_as_baseline(
    passed: Path, judge: Judge, pytester: pytest.Pytester
) -> None:
    shutil.copytree(passed / "results", pytester.path / "baseline")
    done = judge(GATE, SMOKE, policy_of("tiny-cxr-clip"))
    assert done.ret == 1
    assert "--robust-limit 24" in done.stdout.str()


def test_without_a_baseline_the_gate_fails_says_so_and_leaves_its_results(
    judge: Judge, pytester: pytest.Pytester
) -> None:
    done = judge(GATE, SMOKE, policy_of("tiny-cxr-clip") + NO_LOSS)
    assert done.ret == 1
    assert "no baseline yet" in done.stdout.str()
    assert [
        path
        for path in uploaded(GATE, "robustness-results", pytester.path)
        if not path.exists()
    ] == []


def test_beside_its_baseline_the_same_model_passes_and_a_worse_one_fails(
    judge: Judge, pytester: pytest.Pytester
) -> None:
    good, worse = (
        policy_of(model) + NO_LOSS
        for model in ("tiny-cxr-clip-robust", "tiny-cxr-clip")
    )
    made = judge(BASELINE, SMALL, good)
    assert made.ret == 0, made.stdout.str() + made.stderr.str()
    (pytester.path / "results").rename(pytester.path / "baseline")
    same = judge(GATE, SMALL, good)
    assert same.ret == 0, same.stdout.str() + same.stderr.str()
    lost = judge(GATE, SMALL, worse)
    assert lost.ret == 1
    assert "RELEASE GATE: FAILED because 1 of " in lost.stdout.str()
