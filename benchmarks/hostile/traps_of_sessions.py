"""Runs that end early, or in which something else fails or changes the status."""

from __future__ import annotations

from .endings import (
    never_green,
    not_passed,
    passed_in_part,
)
from .projects import POLICY, STRICT_POLICY, SUITE, TOY
from .trap import (
    DATA,
    DEFAULTS,
    DROPS_SECOND,
    EXIT,
    FOREIGN_FAILURE,
    OTHER_NAME,
    SET_UP_FAILS,
    TEARDOWN_FAILS,
    TWO_MODELS,
    Trap,
    sets_status,
)

CUT_SHORT = (
    Trap("pytest.exit(0) in a hook", not_passed, conftest=EXIT, options=TWO_MODELS),
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
        options=TWO_MODELS,
        conftest=DROPS_SECOND,
    ),
    Trap(
        "a conftest drops half of the cells",
        not_passed,
        conftest="\ndef pytest_collection_modifyitems(items):\n    del items[1:]\n",
    ),
    Trap(
        "-k leaves a named model out",
        not_passed,
        options=(*TWO_MODELS, "-k", "toy-second"),
    ),
    Trap(
        "--deselect leaves a named model out",
        not_passed,
        options=(
            *TWO_MODELS,
            "--deselect",
            "gate/test_recall.py::test_recall[toy-second-toy-set-patches-level0.20-seed0]",
            "--deselect",
            "gate/test_recall.py::test_recall[toy-second-toy-set-patches-level0.00-seed0]",
        ),
    ),
    Trap(
        "a required model that is not here",
        not_passed,
        POLICY + DEFAULTS,
        options=(*DATA, "gate"),
    ),
    Trap(
        "a required model, under -k",
        not_passed,
        POLICY + DEFAULTS + "[models.toy]\nrequired = true\n",
        options=("--robust-models=toy,toy-third", *DATA, "gate", "-k", "not third"),
    ),
    Trap(
        "a named model that is not here",
        not_passed,
        options=("--robust-models=toy,toy-absent", *DATA, "gate"),
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
        files={"gate/test_a.py": FOREIGN_FAILURE},
        options=(*TOY, "gate", "-x"),
    ),
)
ELSEWHERE = (
    Trap("a foreign test fails", not_passed, files={"gate/test_z.py": FOREIGN_FAILURE}),
    Trap(
        "a foreign set-up fails",
        not_passed,
        files={"gate/test_z.py": SET_UP_FAILS},
    ),
    Trap(
        "a foreign teardown fails",
        not_passed,
        files={"gate/test_z.py": TEARDOWN_FAILS},
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
        conftest=sets_status("", "    session.exitstatus = 0\n"),
    ),
    Trap(
        "status set to 0, last",
        not_passed,
        STRICT_POLICY,
        conftest=sets_status(
            "@pytest.hookimpl(trylast=True)", "    session.exitstatus = 0\n"
        ),
    ),
    Trap(
        "status set to 0, first",
        not_passed,
        STRICT_POLICY,
        conftest=sets_status(
            "@pytest.hookimpl(tryfirst=True)", "    session.exitstatus = 0\n"
        ),
    ),
    Trap(
        "status set to 0 by a wrapper",
        not_passed,
        STRICT_POLICY,
        conftest=sets_status(
            "@pytest.hookimpl(wrapper=True, tryfirst=True)",
            "    yield\n    session.exitstatus = 0\n",
        ),
    ),
    Trap(
        "status set to 0, nothing judged",
        not_passed,
        None,
        conftest=sets_status("", "    session.exitstatus = 0\n"),
    ),
    Trap(
        "a model that bears another name",
        not_passed,
        conftest=OTHER_NAME,
        policy=STRICT_POLICY,
        options=("--robust-models=entry-name", *DATA, "gate"),
    ),
)
