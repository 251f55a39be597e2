"""A saved run read again, judged again, and set beside another from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.policy import Policy
from pytest_retrieval_robust.gate.record import Against, Ending, judge_run
from pytest_retrieval_robust.gate.toml import read_policy
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved.read import (
    SCHEMA_FILE,
    SavedRunError,
    load_run,
)
from pytest_retrieval_robust.reports.saved_run import run_as_json, save_run
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ...saved_runs import make_run, with_search

GATES = """
[[gate]]
model = "ours"
recall = { 10 = 0.2 }
auc = { 10 = FLOOR }
not_worse_than_baseline = { k = 10, margin = 0.05 }
"""
DATASETS = """
import pytest
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import ModelEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    catalogues.datasets.add(DatasetEntry("d", "made up", None))
    catalogues.models.add(ModelEntry("ours", "made up", None))
"""


def replay(
    pytester: pytest.Pytester, *options: str, floor: float = 0.1
) -> pytest.RunResult:
    pytester.makeconftest(DATASETS)
    (pytester.path / "robust.toml").write_text(GATES.replace("FLOOR", str(floor)))
    return pytester.runpytest_inprocess("--robust-replay=mine", *options)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", seeds=(0, 1), studies=3)
    read = load_run(made.save(tmp_path / "run"))
    assert read.measured.plan == made.run.measured.plan
    assert read.measured.outcomes == made.run.measured.outcomes
    assert read.measured.models == made.run.measured.models
    assert read.measured.identity.id == made.run.measured.identity.id
    assert (
        judge_run(read, Policy(), Against()).intervals
        == judge_run(made.run, Policy(), Against()).intervals
    )


def test_a_run_with_a_baseline_and_several_seeds_follows_the_schema(
    pytester: pytest.Pytester,
) -> None:
    make_run(pytester.path / "a", 500, seeds=(0, 1)).save(pytester.path / "mine")
    make_run(pytester.path / "b", 500, seeds=(0, 1), shift=9).save(
        pytester.path / "theirs"
    )
    assert (
        replay(pytester, "--robust-baseline=theirs", "--robust-results=again").ret == 0
    )
    data = json.loads((pytester.path / "again/run.json").read_text())
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text()))
    assert data["run"]["replayed"]
    assert (
        data["run"]["id"]
        == json.loads((pytester.path / "mine/run.json").read_text())["run"]["id"]
    )
    assert data["run"]["policy"][0]["auc"] == {"10": 0.1}
    assert {cell["direction"] for cell in data["baseline"]["cells"]} == {
        "image-to-report",
        "report-to-image",
    }
    assert {found["seeds"] for found in data["layouts"]} == {2}
    assert (
        load_run(pytester.path / "again").measured.plan
        == load_run(pytester.path / "mine").measured.plan
    )


def test_a_replay_judges_by_another_policy(pytester: pytest.Pytester) -> None:
    make_run(pytester.path / "a").save(pytester.path / "mine")
    met = replay(pytester, "-p", "no:cacheprovider")
    assert met.ret == 0
    met.stdout.fnmatch_lines(
        [
            "judged again: the run of *",
            "RELEASE GATE: PASSED (4 gates met, 1 gate without a *",
        ]
    )
    missed = replay(pytester, floor=0.9)
    assert missed.ret == 1
    missed.stdout.fnmatch_lines(
        [
            "failed: ours on d, patches at levels 0 to 0.4, *",
            "RELEASE GATE: FAILED because 1 of 4*",
        ]
    )


def test_a_replay_compares_with_another_baseline(pytester: pytest.Pytester) -> None:
    make_run(pytester.path / "a", 500, shift=300).save(pytester.path / "mine")
    make_run(pytester.path / "b", 500).save(pytester.path / "theirs")
    result = replay(pytester, "--robust-baseline=theirs")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "against the baseline of *",
            "in % *before *now *change*",
            "failed: ours on d, patches, 3 levels pooled, *",
        ]
    )
    assert replay(pytester, "--robust-baseline=mine").ret == 1
    result = replay(pytester, "--robust-baseline=nowhere")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "note: There is no baseline yet: *",
            "RELEASE GATE: FAILED because there is no baseline to compare with",
        ]
    )


def test_a_replay_imports_no_model_library_and_collects_no_test(
    pytester: pytest.Pytester,
) -> None:
    make_run(pytester.path / "a").save(pytester.path / "mine")
    pytester.makeconftest(DATASETS)
    pytester.makepyfile(test_heavy="import torch\ndef test_it(outcome): pass\n")
    heavy = ("torch", "transformers", "open_clip", "PIL")
    code = (
        "import sys, pytest\n"
        "code = pytest.main(['--robust-replay=mine', '-q', '-n2'])\n"
        f"print('heavy:', [m for m in {heavy!r} if m in sys.modules], int(code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytester.path,
    )
    assert (
        done.stdout.splitlines()[-1] == "heavy: [] 1"
    )  # without a gate nothing is judged


def test_a_replay_needs_no_test_and_keeps_what_was_broken(
    pytester: pytest.Pytester,
) -> None:
    make_run(pytester.path / "a").measured(
        broken=("test_x: it broke",), broken_tests=1
    ).save(pytester.path / "mine")
    result = replay(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["broken: test_x: it broke", "RELEASE GATE: FAILED because 1 test failed *"]
    )


def test_a_gate_that_no_test_measured_is_not_met(pytester: pytest.Pytester) -> None:
    make_run(pytester.path / "a").save(pytester.path / "mine")
    pytester.makeconftest(DATASETS)
    (pytester.path / "robust.toml").write_text("[[gate]]\nrelative_cost = 1.1\n")
    result = pytester.runpytest_inprocess("--robust-replay=mine")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            (
                "note: No test of this run measured what the policy gates:"
                " relative_cost of *"
            ),
            "*because 2 gates were not judged",
        ]
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--robust-results=mine",),
            (
                "*Expected another folder for --robust-results than for"
                " --robust-replay, got 'mine'*"
            ),
        ),
        (
            ("--robust-baseline=torn",),
            "*--robust-baseline: Expected a whole run.json in torn*",
        ),
        (
            ("--robust-baseline=mine", "--robust-results=mine"),
            "*Expected another folder for --robust-results*",
        ),
    ],
)
def test_folders_that_cannot_be_used_are_usage_errors(
    pytester: pytest.Pytester, options: tuple[str, ...], told: str
) -> None:
    make_run(pytester.path / "a").save(pytester.path / "mine")
    torn = make_run(pytester.path / "b").save(pytester.path / "torn")
    (torn / "run.json").write_text((torn / "run.json").read_text()[:500])
    result = replay(pytester, *options)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])


def test_a_run_never_overwrites_its_baseline(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_recall(outcome): pass\n")
    result = pytester.runpytest_inprocess(
        "--robust-baseline=x", "--robust-results=x", "--robust-models=tiny-cxr-clip"
    )
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*got the same folder 'x' for --robust-baseline and --robust-results*"]
    )


def version(data: dict[str, Any]) -> None:
    data["schema_version"] = 2


def without_plan(data: dict[str, Any]) -> None:
    del data["run"]["plan"]


def with_null_interval(data: dict[str, Any]) -> None:
    data["outcomes"][0]["image-to-report"]["recall_interval"]["10"] = None


def text_for_number(data: dict[str, Any]) -> None:
    data["outcomes"][0]["case"]["level"] = "high"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (version, "Expected a saved run of schema 1 or older, got schema_version=2"),
        (without_plan, "got run/run.json, which breaks its schema: run must contain"),
        (
            with_null_interval,
            "its schema: outcomes[0].image-to-report.recall_interval.10 must be array",
        ),
        (text_for_number, "Expected a run as this version writes it"),
        (lambda data: data.clear(), "without a schema_version"),
    ],
)
def test_a_run_json_that_cannot_be_read_says_why(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    folder = make_run(tmp_path / "store").save(tmp_path / "run", change)
    with pytest.raises(SavedRunError, match=re.escape(told)):
        load_run(folder)


def test_a_folder_without_a_run_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        SavedRunError, match="Expected a folder that --robust-results wrote"
    ):
        load_run(tmp_path)


@pytest.mark.parametrize("size", [0, 100, -40, -1])
def test_a_truncated_file_of_ranks_is_noticed(tmp_path: Path, size: int) -> None:
    folder = make_run(tmp_path / "store").save(tmp_path / "run")
    whole = (folder / "ranks.npz").read_bytes()
    (folder / "ranks.npz").write_bytes(whole[:size])
    with pytest.raises(SavedRunError, match=r"it was cut off, changed or mixed"):
        load_run(folder)


def test_the_ranks_of_another_run_are_noticed(tmp_path: Path) -> None:
    mine = make_run(tmp_path / "a").save(tmp_path / "mine")
    other = make_run(tmp_path / "b", shift=3).save(tmp_path / "other")
    (mine / "ranks.npz").write_bytes((other / "ranks.npz").read_bytes())
    with pytest.raises(SavedRunError, match="mixed with another run's"):
        load_run(mine)


def compare(*arguments: object) -> int:
    return main(["compare", *map(str, arguments)])


def test_compare_tells_equal_from_worse_by_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_run(tmp_path / "a", 500).save(tmp_path / "base")
    same = make_run(tmp_path / "b", 500).save(tmp_path / "same")
    worse = make_run(tmp_path / "c", 500, shift=300).save(tmp_path / "worse")
    assert compare(base, same) == 0
    assert "0 of 12 cells lost" in capsys.readouterr().out
    assert compare(base, worse) == 1
    shown = capsys.readouterr().out
    assert "4 of 12 cells lost (Holm's p below 0.05)" in shown
    assert shown.index("report R@10") < shown.index(
        "at level 0, seed 0"
    )  # the greatest loss first
    assert compare(worse, base) == 0


def test_compare_by_a_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_run(tmp_path / "a", 500).save(tmp_path / "base")
    worse = make_run(tmp_path / "c", 500, shift=300).save(tmp_path / "worse")
    (tmp_path / "robust.toml").write_text(
        GATES.replace("FLOOR", "0.1").replace('model = "ours"', 'model = "*"')
    )
    assert compare(base, worse, "--policy", tmp_path / "robust.toml") == 1
    assert (
        "RELEASE GATE: FAILED because 1 of 5 gates was not met"
        in capsys.readouterr().out
    )
    (tmp_path / "robust.toml").write_text(
        "[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.3 }\n"
    )
    assert compare(base, worse, "--policy", tmp_path / "robust.toml") == 0


def test_compare_refuses_what_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_run(tmp_path / "a").save(tmp_path / "base")
    other = make_run(tmp_path / "b", facts={"relevance": "strict-id"}).save(
        tmp_path / "other"
    )
    assert compare(base, other) == 2
    assert "the same relevance rule of d in both runs" in capsys.readouterr().out
    assert compare(base, base) == 2
    assert compare(base, tmp_path / "nowhere") == 2
    assert "Fix the path" in capsys.readouterr().err
    (tmp_path / "robust.toml").write_text("[[gate]]\nconfidence = 95\n")
    assert compare(base, other, "--policy", tmp_path / "robust.toml") == 2
    assert "did you mean 0.95?" in capsys.readouterr().err


def test_compare_loads_no_model_library(tmp_path: Path) -> None:
    base = make_run(tmp_path / "a").save(tmp_path / "base")
    same = make_run(tmp_path / "b").save(tmp_path / "same")
    code = (
        "import sys\nfrom pytest_retrieval_robust.__main__ import main\nassert"
        f" main(['compare', {str(base)!r}, {str(same)!r}]) == 0\nprint([m for m in"
        " ('torch', 'transformers', 'open_clip', 'PIL', 'hypothesis') if m in"
        " sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_recall_that_its_ranks_do_not_have_is_noticed(tmp_path: Path) -> None:
    def flatter(data: dict[str, Any]) -> None:
        data["outcomes"][1]["image-to-report"]["recall"]["10"] = 0.99

    with pytest.raises(
        SavedRunError,
        match=r"got recall@10=0\.99 in run/run\.json: it, or the ranks beside it, was",
    ):
        load_run(make_run(tmp_path / "store").save(tmp_path / "run", flatter))


def test_a_run_with_nan_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "store").save(tmp_path / "run")
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(
        text.replace('"mrr": 0.', '"mrr": NaN, "x": 0.', 1)
    )
    with pytest.raises(SavedRunError, match="NaN in place of a number"):
        load_run(folder)


def test_every_kind_of_gate_can_be_saved(tmp_path: Path) -> None:
    """Numbers of numpy are no numbers of JSON."""
    text = (
        "[[gate]]\nrecall = { 10 = 0.1 }\nretention = { 10 = 0.1 }\nauc = { 10 = 0.1"
        " }\nhalf_level = { 10 = 0.1 }\nslope = { 10 = -9 }\nnot_worse_than_baseline ="
        " { k = 10, margin = 0.05 }\ndecide ="
        " 'bound'\n[[gate]]\nnot_worse_than_baseline = { k = 1, margin = 0.05, over ="
        " 'cells' }\n[[gate]]\nnot_worse_than_baseline = { k = 10, margin = 0.05, over"
        " = 'cells', metric = 'retention' }\n"
    )
    (tmp_path / "robust.toml").write_text(text)
    policy = read_policy(read_config_file(tmp_path / "robust.toml"))
    made, other = (
        make_run(tmp_path / "a", 300, shift=9, seeds=(0, 1)),
        make_run(tmp_path / "b", 300, seeds=(0, 1)),
    )
    record = judge_run(made.run, policy, Against(other.run))
    assert {verdict.gate.kind for verdict in record.verdicts} > {
        "slope",
        "half_level",
        "retention",
    }
    save_run(record, made.store, tmp_path / "run")
    data = json.loads((tmp_path / "run/run.json").read_text())
    jsonschema.validate(data, json.loads(SCHEMA_FILE.read_text()))


def test_compare_with_a_misspelt_policy_or_nothing_in_common_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_run(tmp_path / "a", models=("tiny-cxr-clip",)).save(tmp_path / "base")
    other = (
        make_run(tmp_path / "b", models=("clip",))
        .measured(scope=Scope("-k", ""))
        .save(tmp_path / "other")
    )
    assert compare(base, other) == 2
    assert "no cell in common" in capsys.readouterr().out
    (tmp_path / "robust.toml").write_text(
        '[[gate]]\nmodel = "tiny-cxr-clipp"\nrecall = { 10 = 0.1 }\n'
    )
    assert compare(base, other, "--policy", tmp_path / "robust.toml") == 2
    assert "this gate matches nothing" in capsys.readouterr().err


# Any damage is refused, or read and shown


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything within, the parts before the whole."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in inside:
        yield from places_in(inner, (*path, key))
    if path:
        yield path


@pytest.fixture(scope="module")
def saved_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(tmp_path_factory.mktemp("store"), 30, levels=(0.0, 0.2))
    return with_search(made, "ours").save(tmp_path_factory.mktemp("damaged"))


@pytest.fixture(scope="module")
def saved_text(saved_folder: Path) -> str:
    return (saved_folder / "run.json").read_text()


REFERENCE = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
DAMAGE = st.sampled_from(
    [None, -1, 0, 1e30, True, "x", "", [], {}, [None], {"1": None}, 1.5, "deleted"]
)


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_run_json_is_refused_with_a_sentence_or_read_and_shown(
    saved_folder: Path, saved_text: str, data: st.DataObject
) -> None:
    saved = json.loads(saved_text)
    del saved["run"]["content_sha256"]  # it would refuse every change
    *above, last = data.draw(st.sampled_from(list(places_in(saved))))
    parent = reduce(lambda value, key: value[key], above, saved)
    damage = data.draw(DAMAGE)
    if damage == "deleted":
        del parent[last]
    else:
        parent[last] = damage
    (saved_folder / "run.json").write_text(json.dumps(saved))
    try:
        run = load_run(saved_folder)
        judged = judge_run(run, Policy(), Against(), Ending(replayed=True))
    except RobustError as error:
        judged, refused = None, str(error)
    if judged is None:
        assert refused.startswith("Expected ")
        return
    assert REFERENCE.is_valid(saved)
    render_html(judged)
    render_markdown(judged)
    run_as_json(judged)
    list(summary_lines(judged, 1))
