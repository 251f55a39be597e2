"""Runs whose gates judge nothing, or cannot fail, beside honest ones."""

from __future__ import annotations

from .endings import (
    failed,
    measured_and_failed,
    measured_only,
    never_green,
    not_judged,
    not_passed,
    passed,
    says_nothing_false,
)
from .projects import POLICY, STRICT_POLICY, SUITE, TOY
from .trap import (
    BARE,
    DATA,
    FLOOR,
    FOREIGN_FAILURE,
    MODEL_ALONE,
    TIMING,
    Trap,
    gate,
)

GREEN_TRAPS = (
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
        files={"gate/test_other.py": FOREIGN_FAILURE},
        options=(*TOY, "gate", "--robust-measure-only"),
    ),
)
NOTHING_JUDGED = (
    Trap("no policy", not_judged, None),
    Trap("an empty policy", not_judged, ""),
    Trap("a policy with tolerances alone", not_passed, gate('decide = "point"')),
    Trap("gates on another data set", not_judged, gate(FLOOR, dataset="synthetic-cxr")),
    Trap("gates on another model", not_judged, gate(FLOOR, model="toy-second")),
    Trap(
        "gates on another occluder",
        not_judged,
        gate(FLOOR, occluder="patches(fill=mean)"),
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
    Trap("a test that takes the model alone", not_judged, suite=MODEL_ALONE),
    Trap("the model alone, no policy", not_judged, None, MODEL_ALONE),
    Trap(
        "the model alone, results asked for",
        not_judged,
        suite=MODEL_ALONE,
        options=(*TOY, "gate", "--robust-results=R"),
    ),
    Trap(
        "-k leaves the model alone",
        not_passed,
        suite=SUITE + MODEL_ALONE,
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
        options=BARE,
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
CANNOT_FAIL = (
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
        TIMING,
        options=("--robust-models=toy-chance", *DATA, "gate"),
    ),
    Trap(
        "a model at chance, a floor of 0",
        not_passed,
        gate("level = 0.2\nrecall = { 10 = 0.0 }"),
        options=("--robust-models=toy-chance", *DATA, "gate"),
    ),
    Trap(
        "a good model, a cost gate alone",
        not_passed,
        gate("level = 0.2\nrelative_cost = 0.0001"),
        TIMING,
    ),
)
