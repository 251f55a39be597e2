"""Whole runs with actors of Ray: the same bytes as without, whatever is killed meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.atomic_files import CACHE_VARIABLE

from ...conftest import THREE_LINES
from ...forked_runs import forked, forked_pytest

pytest.importorskip("ray")

CONFTEST = """
import os, signal
from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models import ModelEntry

HARM = os.environ.get("RETRIEVAL_ROBUST_TEST_HARM")
CONTROLLER = os.environ.setdefault("RETRIEVAL_ROBUST_TEST_CONTROLLER", str(os.getpid()))
IS_ACTOR = CONTROLLER != str(os.getpid())

if IS_ACTOR and HARM == "node":
    # A folder that the controller does not see.
    os.environ["RETRIEVAL_ROBUST_CACHE"] = os.path.abspath("of-the-node")

def is_first(name):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

class Ours:
    name, device = "ours", "cpu"
    def __init__(self):
        inner = load_model("tiny-cxr-clip", device="cpu")
        self.inner, self.card, self.prepare = inner, inner.card, inner.prepare
        self.encode_reports = inner.encode_reports
        self.batches = 0
    def encode_images(self, pixels):
        if len(pixels) > 4:  # not when the model's identity is found out
            assert IS_ACTOR or HARM is None
            self.batches += 1
            if HARM and self.batches == 3 and is_first("killed"):
                os.kill(os.getppid() if HARM == "node" else os.getpid(), signal.SIGKILL)
        return self.inner.encode_images(pixels)

def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("ours", "of tests", lambda request: Ours()))
"""
GATE = "[[gate]]\nlevel = 0.0\nrecall = { 1 = 0.05 }\n"
OPTIONS = (
    "--robust-models=ours",
    "--robust-limit=40",
    "--robust-batch-size=8",
    "--robust-levels=0.3",
    "--robust-corruptions=contrast",
    "--robust-text-noise=case",
    "--robust-severities=0.6",
    "--robust-results=out",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    conftest = pytester.makeconftest(CONFTEST)
    # Code that is younger than the process is not trusted to be what was loaded.
    os.utime(conftest, (0, 0))
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(GATE)
    return pytester


FOR_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray reads the mode once, when it is imported: in this process without tokens.
    "RAY_AUTH_MODE": "disabled",
    # Of 15 otherwise: beside other tests its actors would hardly have their turn.
    "RAY_worker_niceness": "0",
    "PYTHONPATH": str(Path(__file__).parents[3]),
}


@contextmanager
def cluster_of_two() -> Iterator[str]:
    """The address of a cluster on this machine.

    Two nodes have room for an actor each, and the head, by which a run is connected, for none.
    """
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=0, include_dashboard=False)
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def ranks_of(run: pytest.RunResult, folder: Path) -> bytes:
    """The bytes of the ranks that a run has saved."""
    assert run.ret == 0, "\n".join(run.outlines[-30:])
    return (folder / "out" / "ranks.npz").read_bytes()


def shards(folder: Path) -> set[str]:
    return {
        path.name for path in folder.rglob("*.npz") if "identities" not in path.parts
    }


# A lost node, below, loses its actors too; `test_crew.py` replaces one without Ray.
@pytest.mark.slow
def test_a_run_is_the_same_although_an_actor_is_killed(
    suite: pytest.Pytester,
) -> None:
    local = forked_pytest(suite.path, *OPTIONS, "--robust-cache-dir=of-local")
    alone = ranks_of(local, suite.path)
    actors = ("--robust-engine=ray", "--robust-ray-actors=2", "--robust-overwrite")
    options = (*actors, "--robust-cache-dir=of-ray")
    harm = FOR_RAY | {"RETRIEVAL_ROBUST_TEST_HARM": "actor"}
    run = forked_pytest(suite.path, *OPTIONS, *options, variables=harm)
    assert ranks_of(run, suite.path) == alone
    assert (suite.path / "killed").exists()
    assert "An actor of Ray on" in run.stdout.str()
    # Actors keep what they encode, under the keys of any run.
    kept = shards(suite.path / "of-ray")
    assert kept == shards(suite.path / "of-local") != set()


def test_a_run_is_the_same_although_a_node_is_lost_that_does_not_see_the_store(
    suite: pytest.Pytester,
) -> None:
    folder = suite.path
    cache = {CACHE_VARIABLE: str(folder / "cache-of-local")}
    alone = ranks_of(forked_pytest(folder, *OPTIONS, variables=cache), folder)

    def on_the_cluster() -> int:
        with cluster_of_two() as address:
            actors = ("--robust-engine=ray", f"--robust-ray-address={address}")
            options = (*actors, "--robust-ray-actors=2", "--robust-overwrite")
            return pytest.main([*OPTIONS, *options])

    variables = {
        **FOR_RAY,
        CACHE_VARIABLE: str(folder / "cache-of-ray"),
        "RETRIEVAL_ROBUST_TEST_HARM": "node",
    }
    run = forked(on_the_cluster, folder, variables)
    assert ranks_of(run, folder) == alone
    assert (folder / "killed").exists()
    said = " ".join(run.stdout.str().split())
    assert f"is not seen by workers of node {socket.gethostname()}" in said
    assert not (folder / "of-the-node").exists()
    kept = shards(folder / "cache-of-ray")
    assert kept == shards(folder / "cache-of-local") != set()


def test_an_address_without_a_cluster_is_an_error_in_bounded_time(
    suite: pytest.Pytester,
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        run = suite.runpytest_inprocess(
            *OPTIONS, "--robust-engine=ray", f"--robust-ray-address={address}"
        )
    assert run.ret == 1
    run.stdout.fnmatch_lines(
        ["*Expected a Ray cluster at*got: ConnectionRefusedError*"]
    )
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
