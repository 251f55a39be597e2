"""A green gate is a verdict: what the last line and the exit status say, whatever was
left out or gets in between.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ..conftest import MET, SMALL, THREE_LINES, Run

MISSED = '[[gate]]\nmodel = "tiny-cxr-clip"\nlevel = 0.3\nrecall = { 1 = 0.99 }\n'
PROPERTIES = "def test_it_loads(retrieval_model): assert retrieval_model.name\n"
FOREIGN_TEST = "def test_other(): pass\n"


def last_line(result: pytest.RunResult) -> str:
    gate_lines = [
        line
        for line in result.outlines
        if line.startswith(("RELEASE GATE", "MEASURED ONLY"))
    ]
    assert len(gate_lines) <= 1, "the verdict is told once"
    return gate_lines[0] if gate_lines else ""


def saved_run(folder: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())["run"]
    return run


ALONE: tuple[str, ...] = ()
SPREAD = ("-n", "1")
"""All is told by another process; `xdist/test_workers.py` has several of them."""
pytestmark = pytest.mark.usefixtures("forked_workers")
both = pytest.mark.parametrize("workers", [ALONE, SPREAD], ids=["alone", "xdist"])


# Nothing judged


@pytest.mark.parametrize(
    ("gates", "why"),
    [
        (None, "there is no gate*"),
        ("", "there is no gate*"),
        ('[[gate]]\ndecide = "bound"\n', "there is no gate*"),
        (
            '[[gate]]\nmodel = "tiny-cxr-openclip"\nrecall = { 1 = 0.1 }\n',
            "no gate applies: 1 gate table*",
        ),
        (
            '[[gate]]\ndataset = "synthetic-scenes"\nrecall = { 1 = 0.1 }\n',
            "no gate applies: 1 gate table*",
        ),
        (
            '[[gate]]\noccluder = "box"\nrecall = { 1 = 0.1 }\n',
            "no gate applies: 1 gate table*",
        ),
        (
            "[[gate]]\nlevel = 0.5\nrecall = { 1 = 0.1 }\n",
            "no gate applies: 1 gate table*",
        ),
        (
            "[[gate]]\nnot_worse_than_baseline = { k = 1, margin = 0.02 }\n",
            "every gate compares with a baseline*",
        ),
        ("[[gate]]\nrecall = { 1 = 0.0 }\n", "every gate was left out: *"),
    ],
)
def test_a_run_without_a_gate_that_applies_is_not_judged(
    bare_suite: Run, pytester: pytest.Pytester, gates: str | None, why: str
) -> None:
    if gates is not None:
        (pytester.path / "robust.toml").write_text(gates)
    result = bare_suite("--robust-results=out")
    result.assert_outcomes(passed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"RELEASE GATE: NOT JUDGED ({why})"])
    run = saved_run(pytester.path / "out")
    assert (run["status"], run["failures"]) == ("not judged", [])


def test_one_gate_that_is_met_is_a_verdict(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(MET)
    result = bare_suite("--robust-results=out")
    assert result.ret == 0
    assert (
        last_line(result)
        == "RELEASE GATE: PASSED (smoke run: the first 24 pairs; 1 gate met, 1 cell"
        " ungated)"
    )
    assert saved_run(pytester.path / "out")["status"] == "passed"


def test_an_inconclusive_gate_that_is_allowed_is_no_verdict(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    gate = (
        '[[gate]]\nlevel = 0.3\nrecall = { 1 = 0.5 }\ndecide = "bound"\nconfidence ='
        ' 0.999\ninconclusive = "allow"\n'
    )
    (pytester.path / "robust.toml").write_text(gate)
    result = bare_suite()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["RELEASE GATE: NOT JUDGED (every gate that was judged is inconclusive; *)"]
    )


@pytest.mark.parametrize(
    ("typed", "workers"), [(True, ALONE), (False, ALONE), (False, SPREAD)]
)
def test_tests_that_measure_nothing_owe_a_verdict_too(
    pytester: pytest.Pytester, typed: bool, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_mine=PROPERTIES)
    (pytester.path / "robust.toml").write_text(MET)
    options = (
        ("--robust-models=tiny-cxr-clip", "--robust-results=out")
        if typed
        else ("-p", "no:cacheprovider")
    )
    result = pytester.runpytest_inprocess(*options, *workers)
    assert result.ret == 1
    assert last_line(result).startswith(
        "RELEASE GATE: NOT JUDGED (nothing was measured"
    )
    assert (pytester.path / "out/run.json").is_file() is typed


@pytest.mark.parametrize(
    "arguments",
    [("gate", "-k", "other"), ("gate", "-k", "zzz"), ("gate/test_other.py", "gate")],
)
def test_a_run_below_a_policy_owes_a_verdict_though_nothing_of_the_suite_is_left(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    folder = pytester.mkdir("gate")
    (folder / "robust.toml").write_text(MET)
    (folder / "test_other.py").write_text(FOREIGN_TEST)
    if "-k" in arguments:
        (folder / "test_mine.py").write_text(THREE_LINES)
    result = pytester.runpytest_inprocess(*arguments)
    assert result.ret == 1
    assert last_line(result).startswith("RELEASE GATE: ")
    assert "PASSED" not in last_line(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "other"),
        ("unit",),
        ("-m", "not slow", "unit"),
        ("unit/test_other.py",),
        ("--deselect", "gate"),
    ],
)
def test_other_tests_of_a_project_with_a_gate_elsewhere_hear_nothing_of_it(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    gate, unit = pytester.mkdir("gate"), pytester.mkdir("unit")
    (gate / "robust.toml").write_text(MET)
    (gate / "test_mine.py").write_text(THREE_LINES)
    (unit / "test_other.py").write_text(FOREIGN_TEST)
    result = pytester.runpytest_inprocess(*arguments)
    assert result.parseoutcomes()["passed"] == 1
    assert (result.ret, last_line(result)) == (0, "")


# Measuring alone


def test_measuring_alone_judges_nothing_and_is_green(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(MISSED)
    assert bare_suite().ret == 1
    result = bare_suite("--robust-measure-only", "--robust-results=out")
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    assert (
        last_line(result)
        == "MEASURED ONLY (smoke run: the first 24 pairs; 2 measurements)"
    )
    run = saved_run(pytester.path / "out")
    assert (run["status"], run["policy"], run["failures"]) == ("measured only", [], [])


@pytest.mark.parametrize(
    ("test", "options", "status"),
    [
        (THREE_LINES + "\ndef test_bad(): assert False\n", (), 1),
        (THREE_LINES + "\ndef test_bad(outcome): assert False\n", (), 1),
        (THREE_LINES, ("--robust-models=tiny-cxr-clip,medclip",), 1),
        (THREE_LINES, ("--robust-models=medclip-*",), 1),
        (FOREIGN_TEST, (), 1),
        (PROPERTIES, (), 0),
    ],
)
def test_measuring_alone_fails_with_a_test_or_where_nothing_ran(
    pytester: pytest.Pytester, test: str, options: tuple[str, ...], status: int
) -> None:
    pytester.makepyfile(test_mine=test)
    result = pytester.runpytest_inprocess(*SMALL, "--robust-measure-only", *options)
    assert result.ret == status
    assert last_line(result).startswith(
        "RELEASE GATE: FAILED" if status else "MEASURED ONLY"
    )


def test_measuring_alone_is_typed_and_stands_in_no_ini_file(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nrobust_measure_only = true\n")
    result = bare_suite()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*Unknown config option: robust_measure_only*", "RELEASE GATE: NOT JUDGED*"]
    )


@pytest.mark.parametrize("option", ["--robust-measure-only", "--robust-replay=out"])
def test_an_ini_file_takes_no_verdict_away_by_addopts(
    bare_suite: Run, pytester: pytest.Pytester, option: str
) -> None:
    pytester.makeini(f"[pytest]\naddopts = {option}\n")
    result = bare_suite()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*on the command line alone, got it in addopts*"])


def test_a_replay_is_there_to_judge(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(
        "--robust-replay=out", "--robust-measure-only"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*Expected --robust-measure-only or --robust-replay, got both*"]
    )


# Gates that cannot fail


@pytest.mark.parametrize("limit", [10, 11])
@pytest.mark.parametrize(
    "gate",
    [
        "recall = { 10 = 0.45 }",
        "level = 0.3\nretention = { 10 = 0.4 }",
        "auc = { 10 = 0.45 }",
        'direction = "report-to-image"\nrecall = { 10 = 0.45 }',
        "slope = { 10 = -9.0 }",
    ],
)
def test_a_gate_that_a_random_order_meets_is_not_met(
    bare_suite: Run, pytester: pytest.Pytester, limit: int, gate: str
) -> None:
    (pytester.path / "robust.toml").write_text(
        f'[[gate]]\n{gate}\ninconclusive = "allow"\n'
    )
    pytester.makepyfile(
        test_mine=f"{THREE_LINES}\ndef test_curve(robustness_curve): pass\n"
    )
    result = bare_suite(f"--robust-limit={limit}")
    assert result.ret == 1
    assert "inconclusive" in last_line(result)
    result.stdout.fnmatch_lines(["inconclusive: *"])


def test_a_half_level_that_cannot_be_reached_is_not_met(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text("[[gate]]\nhalf_level = { 10 = 0.3 }\n")
    pytester.makepyfile(
        test_mine=f"{THREE_LINES}\ndef test_curve(robustness_curve): pass\n"
    )
    result = bare_suite("--robust-limit=10")
    assert (
        last_line(result) == "RELEASE GATE: FAILED because 1 of 1 gate was inconclusive"
    )


def test_a_gate_at_a_level_that_was_left_out_is_counted_in_the_last_line(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    of_others = MISSED.replace("tiny-cxr-clip", "medclip").replace("0.3", "0.5")
    (pytester.path / "robust.toml").write_text(
        MET + MISSED.replace("0.3", "0.5") + of_others
    )
    result = bare_suite("-q")
    assert last_line(result) == (
        "RELEASE GATE: PASSED (smoke run: the first 24 pairs; 1 gate met, 1 cell"
        " ungated, 1 gate table at a level that was left out)"
    )


def test_a_gate_on_a_perturbation_that_was_left_out_is_counted_in_the_last_line(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    of_corruptions = (
        '[[gate]]\nmodel = "{model}"\ncorruption = "*"\nrecall = {{ 1 = 0.1 }}\n'
    )
    (pytester.path / "robust.toml").write_text(
        MET
        + of_corruptions.format(model="tiny-*")
        # A model that was left out was selected away by its name.
        + of_corruptions.format(model="medclip")
    )
    result = bare_suite("-q")
    assert last_line(result) == (
        "RELEASE GATE: PASSED (smoke run: the first 24 pairs; 1 gate met, 1 cell"
        " ungated, 1 gate table about a perturbation that was left out)"
    )


# A model at chance


@pytest.mark.parametrize("options", [(), ("-k", "timing")])
def test_a_model_at_chance_is_not_released_by_its_cost(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    timing = (
        "def test_timing(occlusion_timer, gate): assert"
        " gate.cost_violations(occlusion_timer(4, 3, 1)) == []\n"
    )
    pytester.makepyfile(test_timing=timing)
    (pytester.path / "robust.toml").write_text(
        '[[gate]]\nmodel = "tiny-general-clip"\nrelative_cost = 1000.0\n'
    )
    small = (
        "--robust-models=tiny-general-clip",
        "--robust-limit=24",
        "--robust-levels=0.3",
        "-p",
        "no:benchmark",
    )
    result = pytester.runpytest_inprocess(*small, *options)
    assert (result.ret, last_line(result)) == (
        1,
        "RELEASE GATE: FAILED because 1 of 2 gates was inconclusive",
    )
    result.stdout.fnmatch_lines(
        ["inconclusive: tiny-general-clip on synthetic-cxr has gates, and no test*"]
    )
    # With its clean recall measured it is at chance, and named by a gate; or not named,
    # and of no account.
    pytester.makepyfile(test_timing=timing + THREE_LINES)
    result = pytester.runpytest_inprocess(*small)
    assert (result.ret, last_line(result)) == (
        1,
        "RELEASE GATE: FAILED because 2 of 3 gates were not met",
    )
    (pytester.path / "robust.toml").write_text("[[gate]]\nrelative_cost = 1000.0\n")
    result = pytester.runpytest_inprocess(*small)
    assert result.ret == 1
    assert last_line(result).startswith(
        "RELEASE GATE: NOT JUDGED (no model that meets a gate retrieves better"
    )


# Left out


TWO_MODELS = (
    "--robust-models=tiny-cxr-*",
    "--robust-limit=24",
    "--robust-levels=0.3",
    "-p",
    "no:cacheprovider",
)
DROPPING = """
import pytest

@pytest.hookimpl({order}=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "openclip" not in item.nodeid]
"""


@pytest.mark.parametrize(
    ("order", "workers"),
    [("tryfirst", ALONE), ("trylast", ALONE), ("trylast", SPREAD)],
)
def test_tests_that_a_conftest_drops_make_a_run_partial(
    pytester: pytest.Pytester, order: str, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    pytester.makeconftest(DROPPING.format(order=order))
    (pytester.path / "robust.toml").write_text(MET)
    result = pytester.runpytest_inprocess(*TWO_MODELS, *workers, "--robust-results=out")
    assert result.ret == 0
    assert last_line(result).startswith(
        "RELEASE GATE: PASSED (partial: 2 tests left out by a plugin or conftest; "
    )
    assert (
        saved_run(pytester.path / "out")["partial"]
        == "2 tests left out by a plugin or conftest"
    )


NARROWED = {
    "-k": ("-k", "level0.00"),
    "-k, of all": ("-k", "recall"),
    "-m": ("-m", "mine"),
    "-m, of all": ("-m", "not slow"),
    "--deselect": ("--deselect", "test_other_file.py"),
    "node ids": (
        "test_mine.py::test_recall_under_occlusion[tiny-cxr-clip-synthetic-cxr-patches-level0.00-seed0]",
    ),
    "node ids, of all": (
        "test_mine.py::test_recall_under_occlusion",
        "test_other_file.py::test_recall_under_occlusion",
    ),
    "ignored files": ("--ignore=test_other_file.py",),
    "ignored files, by a glob": ("--ignore-glob=*_file.py",),
    "ignored files, not ours": ("--ignore=test_foreign.py",),
}


@pytest.mark.parametrize(
    ("case", "workers"),
    [*((case, ALONE) for case in NARROWED), ("-k", SPREAD), ("-m, of all", SPREAD)],
)
def test_what_left_tests_out_is_said_in_the_last_line(
    pytester: pytest.Pytester, case: str, workers: tuple[str, ...]
) -> None:
    options = NARROWED[case]
    marked = "import pytest\npytestmark = pytest.mark.mine\n" + THREE_LINES
    pytester.makepyfile(
        test_mine=marked, test_other_file=THREE_LINES, test_foreign=FOREIGN_TEST
    )
    pytester.makeini("[pytest]\nmarkers = mine\n")
    (pytester.path / "robust.toml").write_text(MET)
    result = pytester.runpytest_inprocess(
        *SMALL, *options, *workers, "--robust-results=out"
    )
    assert result.ret == 0
    name, _, of_all = case.partition(", ")
    partial = None if of_all and of_all != "by a glob" else name
    assert saved_run(pytester.path / "out")["partial"] == partial
    partial_note = "" if partial is None else f"partial: {partial}; "
    assert last_line(result).startswith(
        f"RELEASE GATE: PASSED ({partial_note}smoke run: the first 24 pairs; 1 gate met"
    )


def test_an_environment_with_this_package_in_the_project_leaves_no_test_out(
    pytester: pytest.Pytester,
) -> None:
    """pytest ignores environments unasked, and the wheel brings a suite."""
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(MET)
    installed = pytester.path / "env" / "lib" / "pytest_retrieval_robust" / "_suite"
    installed.mkdir(parents=True)
    (installed / "test_recall.py").write_text(THREE_LINES)
    (pytester.path / "env" / "pyvenv.cfg").touch()
    result = pytester.runpytest_inprocess(*SMALL)
    assert last_line(result).startswith("RELEASE GATE: PASSED (smoke run: ")


@pytest.mark.parametrize(
    ("models", "policy", "options", "workers"),
    [
        ("tiny-cxr-clip,tiny-cxr-openclip", "", ("-k", "cxr-clip"), ALONE),
        ("tiny-cxr-clip,tiny-cxr-openclip", "", ("-k", "cxr-clip"), SPREAD),
        ("tiny-cxr-clip,chexzero", "", ("-k", "tiny"), ALONE),
        (
            "tiny-cxr-clip",
            '[models.candidate]\ncheckpoint = "nowhere"\nrequired = true\n',
            ("-k", "tiny"),
            ALONE,
        ),
    ],
)
def test_a_model_that_was_asked_for_is_missed_whatever_k_left_out(
    pytester: pytest.Pytester,
    models: str,
    policy: str,
    options: tuple[str, ...],
    workers: tuple[str, ...],
) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(MET + policy)
    result = pytester.runpytest_inprocess(
        *SMALL, f"--robust-models={models}", *options, *workers
    )
    assert result.ret == 1
    assert "had to be tested and was not" in last_line(result)


def test_a_model_that_was_asked_for_is_missed_in_a_replay(
    bare_suite: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "robust.toml").write_text(MET)
    assert bare_suite("--robust-results=out").ret == 0
    replay = ("--robust-replay=out", "-p", "no:cacheprovider")
    assert pytester.runpytest_inprocess(*replay).ret == 0
    result = pytester.runpytest_inprocess(
        *replay, "--robust-models=tiny-cxr-clip,tiny-cxr-openclip"
    )
    assert (result.ret, "tiny-cxr-openclip had to be tested" in last_line(result)) == (
        1,
        True,
    )
    (pytester.path / "robust.toml").write_text(
        f'{MET}\n[models.ours]\ncheckpoint = "nowhere"\nrequired = true\n'
    )
    result = pytester.runpytest_inprocess(*replay)
    assert (result.ret, "ours had to be tested and was not" in last_line(result)) == (
        1,
        True,
    )
    (pytester.path / "robust.toml").unlink()
    result = pytester.runpytest_inprocess(*replay)
    assert (
        result.ret,
        last_line(result).startswith("RELEASE GATE: NOT JUDGED (there is no gate"),
    ) == (1, True)


def test_the_gates_of_a_model_of_the_policy_are_judged_whether_it_is_here_or_not(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    entry = (
        "[models.{0}]\nloader = 'open_clip'\narchitecture = 'RN50'\ncheckpoint ="
        " '{0}.pt'\n"
    )
    gate = '[[gate]]\nmodel = "ours-*"\nlevel = 0.0\nrecall = {{ 1 = 0.5 }}\n'.replace(
        "{{", "{"
    ).replace("}}", "}")
    (pytester.path / "robust.toml").write_text(
        entry.format("ours-a") + entry.format("ours-b") + gate
    )
    result = pytester.runpytest_inprocess(
        "--robust-limit=24", "--robust-levels=0.3", "-p", "no:cacheprovider"
    )
    assert result.ret == 1
    assert "2 gates were not judged" in last_line(result)


# Ended otherwise


ENDINGS = {
    "exit in a hook": (
        """
        def pytest_runtest_logfinish():
            pytest.exit("enough", returncode=0)
        """
    ),
    "exit in a test's setup": (
        """
        def pytest_runtest_setup(item):
            if "level0.30" in item.nodeid:
                pytest.exit("enough", returncode=0)
        """
    ),
    "a loop of its own": (
        """
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(session):
            item = session.items[0]
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            return True
        """
    ),
    "no loop at all": (
        """
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop():
            return True
        """
    ),
    "items taken away while they run": (
        """
        def pytest_runtest_logfinish():
            session = SESSIONS[-1]
            del session.items[1:]
        SESSIONS = []
        def pytest_sessionstart(session):
            SESSIONS.append(session)
        """
    ),
    "a protocol that skips": (
        """
        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item):
            return True if "level0.30" in item.nodeid else None
        """
    ),
    "the exit status set at the end": (
        """
        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            session.exitstatus = 0
        """
    ),
    "the exit status set around the end": (
        """
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_sessionfinish(session):
            yield
            session.exitstatus = 0
        """
    ),
    "the exit status set at the very end": (
        """
        SESSIONS = []
        def pytest_sessionstart(session):
            SESSIONS.append(session)
        def pytest_unconfigure():
            SESSIONS[-1].exitstatus = 0
        """
    ),
    "exit at the end": (
        """
        def pytest_sessionfinish():
            pytest.exit("enough", returncode=0)
        """
    ),
    "exit in the summary": (
        """
        @pytest.hookimpl(tryfirst=True)
        def pytest_terminal_summary():
            pytest.exit("enough", returncode=0)
        """
    ),
}
FAILING = {"exit", "a loop", "no loop", "items", "a protocol"}


@pytest.mark.parametrize("gates", [MET, MISSED], ids=["met", "missed"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_that_does_not_end_as_collected_is_not_green(
    pytester: pytest.Pytester, ending: str, gates: str
) -> None:
    pytester.makepyfile(test_mine=THREE_LINES)
    import textwrap

    pytester.makeconftest("import pytest\n" + textwrap.dedent(ENDINGS[ending]))
    (pytester.path / "robust.toml").write_text(gates)
    result = pytester.runpytest_inprocess(*SMALL, "--robust-results=out")
    ended_by_us = ending.startswith("the exit status") or ending in (
        "exit at the end",
        "exit in the summary",
    )
    if gates == MET and ended_by_us:
        assert last_line(result).startswith("RELEASE GATE: PASSED")
        return
    assert result.ret != 0
    assert last_line(result).startswith("RELEASE GATE: FAILED because ")
    if not ended_by_us:
        assert saved_run(pytester.path / "out")["partial"] is not None


OTHERS = {
    "a test": ("def test_other(): assert False\n", "1 other test failed"),
    "a setup": (
        (
            "import pytest\n@pytest.fixture\ndef bad(): assert False\ndef"
            " test_other(bad): pass\n"
        ),
        "1 other test failed",
    ),
    "a teardown": (
        (
            "import pytest\n@pytest.fixture\ndef bad():\n    yield\n    assert"
            " False\ndef test_other(bad): pass\n"
        ),
        "1 other test failed",
    ),
    "a teardown of ours": (
        (
            "import pytest\n@pytest.fixture\ndef bad():\n    yield\n    assert"
            " False\ndef test_own(bad, outcome): pass\n"
        ),
        "2 tests failed for another reason than a gate",
    ),
    "a file": ("import nothing_of_that_name\n", "1 file could not be collected"),
}


@pytest.mark.parametrize(
    ("what", "workers"),
    [
        *((what, ALONE) for what in OTHERS),
        ("a test", SPREAD),
        ("a teardown of ours", SPREAD),
    ],
)
def test_a_run_that_fails_elsewhere_has_not_passed(
    pytester: pytest.Pytester, what: str, workers: tuple[str, ...]
) -> None:
    test, why = OTHERS[what]
    pytester.makepyfile(test_mine=THREE_LINES, test_other=test)
    (pytester.path / "robust.toml").write_text(MET)
    result = pytester.runpytest_inprocess(
        *SMALL, *workers, "--continue-on-collection-errors", "--robust-results=out"
    )
    replay = pytester.runpytest_inprocess("--robust-replay=out")
    for ended in (result, replay):
        assert ended.ret == 1
        assert last_line(ended) == f"RELEASE GATE: FAILED because {why}"


@pytest.mark.parametrize("late", ["pytest_sessionfinish", "pytest_runtestloop"])
def test_a_run_that_another_plugin_fails_has_not_passed(
    bare_suite: Run, pytester: pytest.Pytester, late: str
) -> None:
    (pytester.path / "robust.toml").write_text(MET)
    status = (
        "session.exitstatus = 6"
        if late == "pytest_sessionfinish"
        else "session.testsfailed += 1"
    )
    pytester.makeconftest(
        f"import pytest\n@pytest.hookimpl(wrapper=True)\ndef {late}(session):\n   "
        f" result = yield\n    {status}\n    return result\n"
    )
    result = bare_suite("--robust-results=out")
    assert result.ret != 0
    assert last_line(result).startswith(
        "RELEASE GATE: FAILED because pytest ended with the exit status "
    )
    assert saved_run(pytester.path / "out")["status"] == "failed"
    pytester.makeconftest("")
    replay = pytester.runpytest_inprocess("--robust-replay=out")
    assert (replay.ret, last_line(replay)) == (1, last_line(result))


def test_a_session_that_cannot_be_concluded_still_ends_with_the_line(
    bare_suite: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a time-out while torch is imported: it cannot be imported again."""
    # Not by the package's attribute: an earlier inner run may have left a module there
    # that pytester forgot.
    concluding = import_module("pytest_retrieval_robust.run.concluding")

    def broken(*_: object, **__: object) -> None:
        raise ImportError("torch can only be initialized once per process, Mr Doe")

    # Undone afterwards: the runs of other tests use the same module.
    monkeypatch.setattr(concluding, "judge_run", broken)
    (pytester.path / "robust.toml").write_text(MET)
    result = bare_suite("--robust-results=out")
    assert result.ret == 1
    assert last_line(result).startswith(
        "RELEASE GATE: FAILED because its end failed with ImportError at "
    )
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.no_fnmatch_line("*Doe*")


def test_a_torch_that_is_half_imported_costs_no_verdict(
    bare_suite: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    from pytest_retrieval_robust.reports import saved_run as writer

    (pytester.path / "robust.toml").write_text(MET)
    real = builtins.__import__

    def broken(name: str, *args: Any, **kwargs: Any) -> Any:
        if (
            name == "torch"
            and args
            and (args[0] or {}).get("__name__") == writer.__name__
        ):
            raise ImportError("torch can only be initialized once per process")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    result = bare_suite("--robust-results=out")
    assert (result.ret, last_line(result).startswith("RELEASE GATE: PASSED")) == (
        0,
        True,
    )
    assert saved_run(pytester.path / "out")["host"]["torch"] is None


@pytest.mark.parametrize(
    "option",
    [
        "--fixtures",
        "--fixtures-per-test",
        "--setup-plan",
        "--setup-only",
        "--collect-only",
    ],
)
def test_a_look_at_the_suite_is_no_run(
    bare_suite: Run, pytester: pytest.Pytester, option: str
) -> None:
    (pytester.path / "robust.toml").write_text(MET)
    result = bare_suite(option, "--robust-results=out")
    assert (result.ret, last_line(result)) == (0, "")
    assert not (pytester.path / "out").exists()


# The policy lies beside the tests


TYPED = [
    (),
    (".",),
    ("gate",),
    ("unit", "gate"),
    ("gate/test_mine.py",),
    ("--rootdir=.", "."),
    ("-k", "mine"),
]


@pytest.mark.parametrize(
    ("arguments", "workers"), [*((typed, ALONE) for typed in TYPED), ((), SPREAD)]
)
def test_the_policy_lies_beside_the_tests_whatever_was_typed(
    pytester: pytest.Pytester, arguments: tuple[str, ...], workers: tuple[str, ...]
) -> None:
    gate, unit = pytester.mkdir("gate"), pytester.mkdir("unit")
    (gate / "robust.toml").write_text(
        '[models.ours]\ncheckpoint = "nowhere"\nrequired = true\n' + MET
    )
    (gate / "test_mine.py").write_text(THREE_LINES)
    (unit / "test_other.py").write_text(FOREIGN_TEST)
    result = pytester.runpytest_inprocess(
        "--robust-limit=16", "--robust-levels=0.3", *arguments, *workers
    )
    assert result.ret == 1
    sentence = last_line(result)
    assert sentence.startswith(
        "RELEASE GATE: FAILED because nothing was measured; ours had to be tested and"
        " was not"
    )


@both
def test_a_model_of_a_policy_beside_the_tests_is_known_by_its_name(
    pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    gate = pytester.mkdir("gate")
    (gate / "robust.toml").write_text('[models.ours]\ncheckpoint = "nowhere"\n' + MET)
    (gate / "test_mine.py").write_text(THREE_LINES)
    result = pytester.runpytest_inprocess("--robust-models=ours", *SMALL[1:], *workers)
    assert (result.ret, "ours had to be tested and was not" in last_line(result)) == (
        1,
        True,
    )


@pytest.mark.parametrize(
    ("others", "typed", "workers"),
    [
        (MISSED, (), ALONE),
        (MISSED, ("--robust-limit=16",), ALONE),
        (None, (), ALONE),
        (None, ("--robust-limit=16",), ALONE),
        (None, (), SPREAD),
    ],
)
def test_two_policies_in_one_run_are_an_error_that_names_both(
    pytester: pytest.Pytester,
    others: str | None,
    typed: tuple[str, ...],
    workers: tuple[str, ...],
) -> None:
    for name, gates in (("first", MET), ("second", others)):
        folder = pytester.mkdir(name)
        (folder / f"test_{name}.py").write_text(THREE_LINES)
        if gates is not None:
            (folder / "robust.toml").write_text(gates)
    result = pytester.runpytest_inprocess(*typed, *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    second = (
        "none for second/test_second.py"
        if others is None
        else "second/robust.toml for second/test_second.py"
    )
    result.stderr.fnmatch_lines(
        [f"*got first/robust.toml for first/test_first.py and {second}. *"]
    )


def test_a_policy_above_counts_where_the_tests_have_none_nearer(
    pytester: pytest.Pytester,
) -> None:
    """And not that of the folder which pytest was started in, where the tests have another."""
    gate = pytester.mkdir("gate")
    (gate / "test_mine.py").write_text(THREE_LINES)
    (pytester.path / "robust.toml").write_text(MISSED)
    assert pytester.runpytest_inprocess(*SMALL).ret == 1
    (gate / "robust.toml").write_text(MET)
    assert pytester.runpytest_inprocess(*SMALL).ret == 0


# Names


NAMED = """
import pytest
from pytest_retrieval_robust.datasets import DatasetEntry
from pytest_retrieval_robust.models import ModelEntry
from pytest_retrieval_robust.occluders import OccluderEntry

@pytest.hookimpl(optionalhook=True)
def pytest_robust_register(catalogues):
    from pytest_retrieval_robust import load_dataset, load_model, load_occluder

    model = ModelEntry("ours", "ours", lambda request: load_model("tiny-cxr-clip"))
    dataset = DatasetEntry("data", "data", lambda: load_dataset("synthetic-cxr"))
    hider = OccluderEntry("hider", "", {}, lambda: load_occluder("patches(fill=mean)"))
    catalogues.models.add(model)
    catalogues.datasets.add(dataset)
    catalogues.occluders.add(hider)
"""


@pytest.mark.parametrize(
    ("options", "status", "error"),
    [
        (
            "--robust-models=ours",
            1,
            (
                "ModelError: Expected the model of the entry 'ours' to have that name,"
                " got name=*"
            ),
        ),
        (
            "--robust-datasets=data",
            1,
            (
                "DatasetError: Expected the data set of the entry 'data' to have that"
                " name, *"
            ),
        ),
        (
            "--robust-occluders=hider",
            4,
            "*Expected the occluder of the entry 'hider' to have that name, got name=*",
        ),
    ],
)
def test_what_is_not_named_as_its_entry_is_refused_in_a_sentence(
    bare_suite: Run, pytester: pytest.Pytester, options: str, status: int, error: str
) -> None:
    pytester.makeconftest(NAMED)
    result = bare_suite(options)
    assert result.ret == status
    (result.stdout if status == 1 else result.stderr).fnmatch_lines([error])
    result.stdout.no_fnmatch_line("*KeyError*")
