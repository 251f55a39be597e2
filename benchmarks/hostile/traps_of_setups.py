"""Runs in other folders, replayed runs, and runs with workers."""

from __future__ import annotations

from .endings import (
    failed,
    not_judged,
    not_passed,
    passed,
    refused,
)
from .projects import POLICY, STRICT_POLICY, SUITE, TOY
from .trap import (
    DROPS_SECOND,
    FOREIGN_FAILURE,
    TWO_MODELS,
    Trap,
    gate,
)

WHERE = (
    Trap("pytest in the root", failed, STRICT_POLICY, options=TOY),
    Trap("pytest . in the root", failed, STRICT_POLICY, options=(*TOY, ".")),
    Trap(
        "testpaths name the suite",
        failed,
        STRICT_POLICY,
        files={"pytest.ini": "[pytest]\ntestpaths = gate\n"},
        options=TOY,
    ),
    Trap(
        "within the suite's folder",
        failed,
        STRICT_POLICY,
        folder="gate",
        files={"pytest.ini": "[pytest]\n"},
        options=TOY,
    ),
    Trap(
        "two folders, one policy",
        failed,
        STRICT_POLICY,
        files={"other/test_o.py": "def test_o():\n    pass\n"},
        options=(*TOY, "gate", "other"),
    ),
    Trap(
        "a node id",
        not_passed,
        STRICT_POLICY,
        options=(*TOY, "gate/test_recall.py::test_recall"),
    ),
    Trap(
        "the policy names the model",
        failed,
        STRICT_POLICY.replace("[[gate]]", '[[gate]]\nmodel = "toy"'),
        options=TOY,
    ),
    Trap(
        "two different policies",
        refused,
        files={"gate2/robust.toml": STRICT_POLICY, "gate2/test_r.py": SUITE},
        options=TOY,
    ),
    Trap(
        "a policy above and one beside",
        failed,
        STRICT_POLICY,
        files={"robust.toml": POLICY},
        options=TOY,
    ),
    Trap(
        "a policy that is named",
        failed,
        None,
        files={"mine.toml": STRICT_POLICY},
        options=(*TOY, "gate", "--robust-config=mine.toml"),
    ),
)
REPLAYED = (
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
WORKERS = (
    Trap("workers, passes", passed, options=(*TWO_MODELS, "-n2"), plugins=("xdist",)),
    Trap(
        "workers, fails",
        failed,
        STRICT_POLICY,
        options=(*TWO_MODELS, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, nothing judged",
        not_judged,
        None,
        options=(*TWO_MODELS, "-n2"),
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
        options=(*TWO_MODELS, "-n2"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, a foreign test fails first",
        not_passed,
        files={"gate/test_a.py": FOREIGN_FAILURE},
        options=(*TWO_MODELS, "-n2", "--maxfail=1"),
        plugins=("xdist",),
    ),
    Trap(
        "workers, a conftest drops a model",
        not_passed,
        options=(*TWO_MODELS, "-n2"),
        plugins=("xdist",),
        conftest=DROPS_SECOND,
    ),
)
