"""A small project with a suite of three lines, run on the embedded model and data set."""

from __future__ import annotations

import gc
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module

import fastjsonschema  # noqa: F401 - as the modules below
import pytest

import pytest_retrieval_robust
from pytest_retrieval_robust.core.atomic_files import CACHE_VARIABLE
from pytest_retrieval_robust.core.device import SLOT_VARIABLE

# pytester forgets the modules that an inner run imported. torch cannot be imported twice,
# and to import ours again takes half as long as a smoke run: all are imported here.
for _found in pkgutil.walk_packages(
    pytest_retrieval_robust.__path__, "pytest_retrieval_robust."
):
    import_module(_found.name)

THREE_LINES = """
def test_recall_under_occlusion(outcome, clean_outcome, gate):
    assert gate.violations(outcome, clean_outcome) == []
"""
SMALL = (
    "--robust-models=tiny-cxr-clip",
    "--robust-limit=24",
    "--robust-levels=0.3",
    "-p",
    "no:cacheprovider",
)
"""A smoke run: 24 pairs, levels 0 and 0.3."""

MET = """
[[gate]]
model = "tiny-cxr-clip"
level = 0.0
recall = { 1 = 0.2 }
"""
"""A gate that the smoke run meets, and that a random order would not."""


@pytest.fixture(autouse=True)
def _runs_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs within these tests write no step summary of GitHub, and are no workers."""
    for name in (
        "GITHUB_ACTIONS",
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT",
        SLOT_VARIABLE,
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The developer's own cache is neither read nor filled."""
    os.environ[CACHE_VARIABLE] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _all_collected_at_the_end() -> Iterator[None]:
    """The libraries complain at the end of the process about what was never freed."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def _imports_uncollected(_all_collected_at_the_end: None) -> None:
    """The garbage collector passes over what imports have made, those of earlier tests too.

    Every run of pytest collects garbage as it ends, which took 0.7 seconds of a million objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread of torch, for thousands of small tensors.

    A second thread gains little, and on a busy machine it waits for its turn.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


Run = Callable[..., pytest.RunResult]
ANY_MODEL = "[[gate]]\nlevel = 0.0\nrecall = { 1 = 0.05 }\n"
"""A gate that every embedded encoder meets in the smoke run."""


@pytest.fixture
def bare_suite(pytester: pytest.Pytester) -> Run:
    """Run pytest on the three-line suite, with the options of a smoke run and others."""
    pytester.makepyfile(test_mine=THREE_LINES)

    def run(*options: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*SMALL, *options)

    return run


@pytest.fixture
def run_suite(pytester: pytest.Pytester, bare_suite: Run) -> Run:
    """The same with a gate that is met, unless the test has a `robust.toml`.

    Without a policy nothing would be judged.
    """

    def run(*options: str) -> pytest.RunResult:
        policy = pytester.path / "robust.toml"
        if not policy.exists():
            policy.write_text(ANY_MODEL)
        return bare_suite(*options)

    return run


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of pytest-xdist begin with what this process has imported."""
    if hasattr(os, "fork"):
        from .forked_workers import ForkedIO

        monkeypatch.setattr("execnet.gateway_io.Popen2IOMaster", ForkedIO)


@pytest.fixture
def modules_forgotten() -> Iterator[None]:
    """Test modules that a command of this process imports are forgotten afterwards.

    Those of other projects may have the same names.
    """
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("test_"):
            del sys.modules[name]
