"""Runs that an overtrusting gate would pass: what each is made of, and how it must end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .endings import (
    Expectation,
    failed,
    measured_and_failed,
    measured_only,
    never_green,
    not_judged,
    not_passed,
    passed,
    passed_in_part,
    refused,
    says_nothing_false,
)
from .projects import POLICY, STRICT_POLICY, SUITE, TOY


@dataclass(frozen=True)
class Trap:
    """A run that must end as `expected`: what it is made of."""

    name: str
    expected: Expectation
    policy: str | None = POLICY
    suite: str = SUITE
    files: Mapping[str, str] = field(default_factory=dict)
    conftest: str = ""
    """Added to the conftest of the project."""
    options: Sequence[str] = (*TOY, "gate")
    first: Sequence[str] = ()
    """Options of a run that is made before it."""
    folder: str = "."
    plugins: Sequence[str] = ()


def gate(text: str, **keys: str) -> str:
    """A table of the policy: `text` and further keys."""
    return "\n".join(
        ["[[gate]]", *(f'{key} = "{value}"' for key, value in keys.items()), text, ""]
    )


_FLOOR = "level = 0.2\nrecall = { 10 = 0.3 }"
_BARE = ("gate", "-p", "no:cacheprovider")
_TWO = ("--robust-models=toy,toy-second", *TOY[1:], "gate")
_DATA = TOY[1:]
_MODEL_ALONE = "def test_loads(retrieval_model):\n    assert retrieval_model.name\n"
_TIMING = (
    "def test_timing(occlusion_timer, gate):\n    assert"
    " gate.cost_violations(occlusion_timer()) == []\n"
)
_FOREIGN_FAILURE = "def test_elsewhere():\n    assert False\n"
_EXIT = """
def pytest_runtest_logreport(report):
    if report.when == "call":
        pytest.exit("bye", returncode=0)
"""
_DROPS_SECOND = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "toy-second" not in item.name]
"""
_SET_UP_FAILS = """
import pytest

@pytest.fixture
def broken():
    raise ValueError

def test_z(broken):
    pass
"""
_TEARDOWN_FAILS = _SET_UP_FAILS.replace("    raise", "    yield\n    raise")
_OTHER_NAME = """
@pytest.hookimpl(optionalhook=True, specname="pytest_robust_register")
def pytest_robust_register_another(catalogues):
    import dataclasses

    entry = toy.model_entry("real-name")
    catalogues.models.add(dataclasses.replace(entry, name="entry-name"))
"""
_DEFAULTS = (
    '[models.toy-third]\nloader = "transformers"\ncheckpoint = "nowhere"\nrequired ='
    " true\n"
)


def _sets_status(decorator: str, body: str) -> str:
    return f"\n{decorator}\ndef pytest_sessionfinish(session):\n{body}"


_GREEN_TRAPS = (
    Trap("an honest run passes", passed),
    Trap("an honest run fails", failed, STRICT_POLICY),
    Trap(
        "a test that asserts nothing, gates not met",
        failed,
        STRICT_POLICY,
        "def test_it(outcome):\n    pass\n",
    ),
    Trap(
        "measured only",
        measured_only,
        None,
        options=(*TOY, "gate", "--robust-measure-only"),
    ),
    Trap(
        "measured only, with gates that fail",
        measured_only,
        STRICT_POLICY,
        options=(*TOY, "gate", "--robust-measure-only"),
    ),
    Trap(
        "measured only, a foreign test fails",
        measured_and_failed,
        files={"gate/test_other.py": _FOREIGN_FAILURE},
        options=(*TOY, "gate", "--robust-measure-only"),
    ),
)
_NOTHING_JUDGED = (
    Trap("no policy", not_judged, None),
    Trap("an empty policy", not_judged, ""),
    Trap("a policy with tolerances alone", not_passed, gate('decide = "point"')),
    Trap(
        "gates on another data set", not_judged, gate(_FLOOR, dataset="synthetic-cxr")
    ),
    Trap("gates on another model", not_judged, gate(_FLOOR, model="toy-second")),
    Trap(
        "gates on another occluder",
        not_judged,
        gate(_FLOOR, occluder="patches(fill=mean)"),
    ),
    Trap(
        "gates at a level that was not asked for",
        not_passed,
        gate("level = 0.4\nrecall = { 10 = 0.3 }"),
    ),
    Trap(
        "a level left out by the option",
        passed,
        POLICY + gate("level = 0.4\nrecall = { 10 = 0.3 }"),
    ),
    Trap("a test that takes the model alone", not_judged, suite=_MODEL_ALONE),
    Trap("the model alone, no policy", not_judged, None, _MODEL_ALONE),
    Trap(
        "the model alone, results asked for",
        not_judged,
        suite=_MODEL_ALONE,
        options=(*TOY, "gate", "--robust-results=R"),
    ),
    Trap(
        "-k leaves the model alone",
        not_passed,
        suite=SUITE + _MODEL_ALONE,
        options=(*TOY, "gate", "-k", "loads"),
    ),
    Trap("-k leaves nothing", never_green, options=(*TOY, "gate", "-k", "zzz")),
    Trap("--ignore leaves nothing", never_green, options=(*TOY, ".", "--ignore=gate")),
    Trap(
        "no test of ours, options typed",
        not_passed,
        suite="def test_nothing():\n    pass\n",
    ),
    Trap(
        "no test of ours, a policy",
        not_passed,
        suite="def test_nothing():\n    pass\n",
        options=_BARE,
    ),
    Trap(
        "all tests skipped",
        not_passed,
        conftest="def pytest_runtest_setup():\n    pytest.skip('no')\n",
    ),
    Trap("listing tests", says_nothing_false, options=(*TOY, "gate", "--collect-only")),
    Trap("listing fixtures", says_nothing_false, options=(*TOY, "gate", "--fixtures")),
    Trap("planning set-up", says_nothing_false, options=(*TOY, "gate", "--setup-plan")),
    Trap(
        "a baseline gate without a baseline",
        not_passed,
        gate("not_worse_than_baseline = { k = 10, margin = 0.02 }"),
    ),
)
_CANNOT_FAIL = (
    Trap(
        "k equal to a limited gallery",
        not_passed,
        options=(*TOY, "gate", "--robust-limit=10"),
    ),
    Trap(
        "k equal to the gallery",
        not_passed,
        options=(TOY[0], "--robust-datasets=toy-ten", *TOY[2:], "gate"),
    ),
    Trap(
        "retention at such a k",
        not_passed,
        gate("level = 0.2\nretention = { 10 = 0.9 }"),
        options=(*TOY, "gate", "--robust-limit=10"),
    ),
    Trap(
        "area at such a k",
        not_passed,
        gate("auc = { 10 = 0.9 }"),
        options=(*TOY, "gate", "--robust-limit=10"),
    ),
    Trap(
        "half level at such a k",
        not_passed,
        gate("half_level = { 10 = 0.1 }"),
        options=(*TOY, "gate", "--robust-limit=10"),
    ),
    Trap(
        "a model at chance, a cost gate",
        not_passed,
        gate("level = 0.2\nrelative_cost = 50.0"),
        _TIMING,
        options=("--robust-models=toy-chance", *_DATA, "gate"),
    ),
    Trap(
        "a model at chance, a floor of 0",
        not_passed,
        gate("level = 0.2\nrecall = { 10 = 0.0 }"),
        options=("--robust-models=toy-chance", *_DATA, "gate"),
    ),
    Trap(
        "a good model, a cost gate alone",
        not_passed,
        gate("level = 0.2\nrelative_cost = 0.0001"),
        _TIMING,
    ),
)
_CUT_SHORT = (
    Trap("pytest.exit(0) in a hook", not_passed, conftest=_EXIT, options=_TWO),
    Trap(
        "pytest.exit(0) in a test",
        not_passed,
        suite=SUITE + "def test_z(outcome):\n    import pytest\n    pytest.exit('bye',"
        " returncode=0)\n",
    ),
    Trap(
        "pytest.exit(0) in a fixture",
        not_passed,
        suite=(
            "import pytest\n@pytest.fixture\ndef leave():\n    pytest.exit('bye',"
            " returncode=0)\n"
        )
        + SUITE
        + "def test_z(leave):\n    pass\n",
    ),
    Trap(
        "pytest.exit(0) at the end",
        never_green,
        STRICT_POLICY,
        conftest=(
            "\ndef pytest_sessionfinish():\n    pytest.exit('bye', returncode=0)\n"
        ),
    ),
    Trap(
        "an interrupt",
        never_green,
        suite=SUITE + "def test_z():\n    raise KeyboardInterrupt\n",
    ),
    Trap(
        "SystemExit(0) in a test",
        not_passed,
        suite=SUITE + "def test_z():\n    raise SystemExit(0)\n",
    ),
    Trap(
        "a conftest drops a named model",
        not_passed,
        options=_TWO,
        conftest=_DROPS_SECOND,
    ),
    Trap(
        "a conftest drops half of the cells",
        not_passed,
        conftest="\ndef pytest_collection_modifyitems(items):\n    del items[1:]\n",
    ),
    Trap(
        "-k leaves a named model out", not_passed, options=(*_TWO, "-k", "toy-second")
    ),
    Trap(
        "--deselect leaves a named model out",
        not_passed,
        options=(
            *_TWO,
            "--deselect",
            "gate/test_recall.py::test_recall[toy-second-toy-set-patches-level0.20-seed0]",
            "--deselect",
            "gate/test_recall.py::test_recall[toy-second-toy-set-patches-level0.00-seed0]",
        ),
    ),
    Trap(
        "a required model that is not here",
        not_passed,
        POLICY + _DEFAULTS,
        options=(*_DATA, "gate"),
    ),
    Trap(
        "a required model, under -k",
        not_passed,
        POLICY + _DEFAULTS + "[models.toy]\nrequired = true\n",
        options=("--robust-models=toy,toy-third", *_DATA, "gate", "-k", "not third"),
    ),
    Trap(
        "a named model that is not here",
        not_passed,
        options=("--robust-models=toy,toy-absent", *_DATA, "gate"),
    ),
    Trap(
        "-m leaves tests out",
        passed_in_part,
        suite=SUITE
        + "\nimport pytest\n@pytest.mark.slow\ndef test_slow(outcome):\n    pass\n",
        files={"pytest.ini": "[pytest]\nmarkers = slow\naddopts = -m 'not slow'\n"},
    ),
    Trap(
        "-k leaves tests out",
        passed_in_part,
        suite=SUITE + "\ndef test_other(outcome):\n    pass\n",
        options=(*TOY, "gate", "-k", "not other"),
    ),
    Trap(
        "-x after a failure",
        not_passed,
        files={"gate/test_a.py": _FOREIGN_FAILURE},
        options=(*TOY, "gate", "-x"),
    ),
)
_ELSEWHERE = (
    Trap(
        "a foreign test fails", not_passed, files={"gate/test_z.py": _FOREIGN_FAILURE}
    ),
    Trap(
        "a foreign set-up fails",
        not_passed,
        files={"gate/test_z.py": _SET_UP_FAILS},
    ),
    Trap(
        "a foreign teardown fails",
        not_passed,
        files={"gate/test_z.py": _TEARDOWN_FAILS},
    ),
    Trap(
        "a teardown of ours fails",
        not_passed,
        suite=(
            "import pytest\n@pytest.fixture(autouse=True)\ndef f():\n    yield\n   "
            " raise ValueError\n"
        )
        + SUITE,
    ),
    Trap(
        "a file that cannot be collected",
        never_green,
        files={"gate/test_z.py": "import nothing_of_that_name\n"},
    ),
    Trap(
        "a gate test marked xfail",
        not_passed,
        STRICT_POLICY,
        "import pytest\n@pytest.mark.xfail(strict=False)\n" + SUITE,
    ),
    Trap(
        "status set to 0 afterwards",
        not_passed,
        STRICT_POLICY,
        conftest=_sets_status("", "    session.exitstatus = 0\n"),
    ),
    Trap(
        "status set to 0, last",
        not_passed,
        STRICT_POLICY,
        conftest=_sets_status(
            "@pytest.hookimpl(trylast=True)", "    session.exitstatus = 0\n"
        ),
    ),
    Trap(
        "status set to 0, first",
        not_passed,
        STRICT_POLICY,
        conftest=_sets_status(
            "@pytest.hookimpl(tryfirst=True)", "    session.exitstatus = 0\n"
        ),
    ),
    Trap(
        "status set to 0 by a wrapper",
        not_passed,
        STRICT_POLICY,
        conftest=_sets_status(
            "@pytest.hookimpl(wrapper=True, tryfirst=True)",
            "    yield\n    session.exitstatus = 0\n",
        ),
    ),
    Trap(
        "status set to 0, nothing judged",
        not_passed,
        None,
        conftest=_sets_status("", "    session.exitstatus = 0\n"),
    ),
    Trap(
        "a model that bears another name",
        not_passed,
        conftest=_OTHER_NAME,
        policy=STRICT_POLICY,
        options=("--robust-models=entry-name", *_DATA, "gate"),
    ),
)
_ROOT_OPTIONS = (*TOY,)
_WHERE = (
    Trap("pytest in the root", failed, STRICT_POLICY, options=_ROOT_OPTIONS),
    Trap("pytest . in the root", failed, STRICT_POLICY, options=(*_ROOT_OPTIONS, ".")),
    Trap(
        "testpaths name the suite",
        failed,
        STRICT_POLICY,
        files={"pytest.ini": "[pytest]\ntestpaths = gate\n"},
        options=_ROOT_OPTIONS,
    ),
    Trap(
        "within the suite's folder",
        failed,
        STRICT_POLICY,
        folder="gate",
        files={"pytest.ini": "[pytest]\n"},
        options=_ROOT_OPTIONS,
    ),
    Trap(
        "two folders, one policy",
        failed,
        STRICT_POLICY,
        files={"other/test_o.py": "def test_o():\n    pass\n"},
        options=(*_ROOT_OPTIONS, "gate", "other"),
    ),
    Trap(
        "a node id",
        not_passed,
        STRICT_POLICY,
        options=(*_ROOT_OPTIONS, "gate/test_recall.py::test_recall"),
    ),
    Trap(
        "the policy names the model",
        failed,
        STRICT_POLICY.replace("[[gate]]", '[[gate]]\nmodel = "toy"'),
        options=_ROOT_OPTIONS,
    ),
    Trap(
        "two different policies",
        refused,
        files={"gate2/robust.toml": STRICT_POLICY, "gate2/test_r.py": SUITE},
        options=_ROOT_OPTIONS,
    ),
    Trap(
        "a policy above and one beside",
        failed,
        STRICT_POLICY,
        files={"robust.toml": POLICY},
        options=_ROOT_OPTIONS,
    ),
    Trap(
        "a policy that is named",
        failed,
        None,
        files={"mine.toml": STRICT_POLICY},
        options=(*_ROOT_OPTIONS, "gate", "--robust-config=mine.toml"),
    ),
)
_REPLAYED = (
    Trap(
        "a replay that passes",
        passed,
        first=(*TOY, "gate", "--robust-results=R"),
        options=("gate", "--robust-replay=R", "-p", "no:cacheprovider"),
    ),
    Trap(
        "a replay without a policy",
        not_passed,
        None,
        first=(*TOY, "gate", "--robust-results=R"),
        options=("gate", "--robust-replay=R", "-p", "no:cacheprovider"),
    ),
    Trap(
        "a replay in the root",
        passed,
        first=(*TOY, "gate", "--robust-results=R"),
        options=(
            "--robust-replay=R",
            "-p",
            "no:cacheprovider",
            "--robust-config=gate/robust.toml",
        ),
    ),
    Trap(
        "a replay without a required model",
        not_passed,
        POLICY + "[models.toy-second]\nrequired = true\n",
        first=(*TOY, "gate", "--robust-results=R"),
        options=("gate", "--robust-replay=R", "-p", "no:cacheprovider"),
    ),
    Trap(
        "a replay, measured only",
        refused,
        STRICT_POLICY,
        first=(*TOY, "gate", "--robust-results=R"),
        options=(
            "gate",
            "--robust-replay=R",
            "--robust-measure-only",
            "-p",
            "no:cacheprovider",
        ),
    ),
    Trap(
        "a limited run as a baseline",
        not_passed,
        gate("not_worse_than_baseline = { k = 10, margin = 0.5 }"),
        first=(*TOY, "gate", "--robust-results=R", "--robust-limit=60"),
        options=(*TOY, "gate", "--robust-baseline=R"),
    ),
    Trap(
        "an honest baseline",
        passed,
        gate("not_worse_than_baseline = { k = 10, margin = 0.2 }"),
        first=(*TOY, "gate", "--robust-results=R"),
        options=(*TOY, "gate", "--robust-baseline=R"),
    ),
)
_WORKERS = (
    Trap("workers, passes", passed, options=(*_TWO, "-n2"), plugins=("xdist",)),
    Trap(
        "workers, fails",
        failed,
        STRICT_POLICY,
        options=(*_TWO, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, nothing judged",
        not_judged,
        None,
        options=(*_TWO, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, in the root",
        failed,
        STRICT_POLICY,
        options=(*TOY, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, one dies",
        not_passed,
        suite=SUITE + "def test_z(outcome):\n    import os\n    os._exit(0)\n",
        options=(*_TWO, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, a foreign test fails first",
        not_passed,
        files={"gate/test_a.py": _FOREIGN_FAILURE},
        options=(*_TWO, "-n2", "--maxfail=1"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, a conftest drops a model",
        not_passed,
        options=(*_TWO, "-n2"),
        plugins=("xdist",),
        conftest=_DROPS_SECOND,
    ),
)
TRAPS = (
    *(*_GREEN_TRAPS, *_NOTHING_JUDGED, *_CANNOT_FAIL, *_CUT_SHORT),
    *(*_ELSEWHERE, *_WHERE, *_REPLAYED, *_WORKERS),
)
