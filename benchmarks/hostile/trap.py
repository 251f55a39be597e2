"""What a trap is made of: policies, suites and conftests that several traps share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .endings import Expectation
from .projects import POLICY, SUITE, TOY


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
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    return "\n".join(["[[gate]]", *lines, text, ""])


FLOOR = "level = 0.2\nrecall = { 10 = 0.3 }"
BARE = ("gate", "-p", "no:cacheprovider")
TWO_MODELS = ("--robust-models=toy,toy-second", *TOY[1:], "gate")
DATA = TOY[1:]
MODEL_ALONE = "def test_loads(retrieval_model):\n    assert retrieval_model.name\n"
TIMING = (
    "def test_timing(occlusion_timer, gate):\n    assert"
    " gate.cost_violations(occlusion_timer()) == []\n"
)
FOREIGN_FAILURE = "def test_elsewhere():\n    assert False\n"
EXIT = """
def pytest_runtest_logreport(report):
    if report.when == "call":
        pytest.exit("bye", returncode=0)
"""
DROPS_SECOND = """
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "toy-second" not in item.name]
"""
SET_UP_FAILS = """
import pytest

@pytest.fixture
def broken():
    raise ValueError

def test_z(broken):
    pass
"""
TEARDOWN_FAILS = SET_UP_FAILS.replace("    raise", "    yield\n    raise")
OTHER_NAME = """
@pytest.hookimpl(optionalhook=True, specname="pytest_robust_register")
def pytest_robust_register_another(catalogues):
    import dataclasses

    entry = toy.model_entry("real-name")
    catalogues.models.add(dataclasses.replace(entry, name="entry-name"))
"""
DEFAULTS = (
    '[models.toy-third]\nloader = "transformers"\ncheckpoint = "nowhere"\nrequired ='
    " true\n"
)


def sets_status(decorator: str, body: str) -> str:
    return f"\n{decorator}\ndef pytest_sessionfinish(session):\n{body}"
