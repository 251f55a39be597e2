"""Whole runs with actors of Ray: the same bytes as without, whatever is killed meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_retrieval_robust.core.atomic_files import CACHE_VARIABLE

from ...conftest import THREE_LINES

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
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(GATE)
    return pytester


@pytest.fixture
def cluster_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster on this machine.

    Two nodes have room for actors, and the head, by which a run is connected, for none.
    """
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray reads the mode once, when it is imported: in this process without tokens.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    source = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", str(source))
    cluster = Cluster()
    try:
        cluster.add_node(num_cpus=0, include_dashboard=False)
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=2)
        yield cluster.address
    finally:
        cluster.shutdown()


def ranks(suite: pytest.Pytester, *options: str) -> bytes:
    """The bytes of a run's ranks."""
    run = suite.runpytest_subprocess(*OPTIONS, "--robust-results=out", *options)
    assert run.ret == 0, run.outlines[-30:]
    (suite.path / "run.txt").write_text("\n".join(run.outlines))
    return (suite.path / "out" / "ranks.npz").read_bytes()


def shards(folder: Path) -> set[str]:
    return {
        path.name for path in folder.rglob("*.npz") if "identities" not in path.parts
    }


# A lost node, below, loses its actors too; `test_crew.py` replaces one without Ray.
@pytest.mark.slow
def test_a_run_is_the_same_although_an_actor_is_killed(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = ranks(suite, "--robust-cache-dir=of-local")
    monkeypatch.setenv("RETRIEVAL_ROBUST_TEST_HARM", "actor")
    options = ("--robust-engine=ray", "--robust-cache-dir=of-ray", "--robust-overwrite")
    assert ranks(suite, *options, "--robust-ray-actors=2") == alone
    assert (suite.path / "killed").exists()
    said = (suite.path / "run.txt").read_text()
    assert "An actor of Ray on" in said
    # Actors keep what they encode, under the keys of any run.
    kept = shards(suite.path / "of-ray")
    assert kept == shards(suite.path / "of-local") != set()


def test_a_run_is_the_same_although_a_node_is_lost_that_does_not_see_the_store(
    suite: pytest.Pytester, cluster_of_two: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv(CACHE_VARIABLE, str(suite.path / "cache-of-local"))
    alone = ranks(suite)
    monkeypatch.setenv(CACHE_VARIABLE, str(suite.path / "cache-of-ray"))
    monkeypatch.setenv("RETRIEVAL_ROBUST_TEST_HARM", "node")
    options = ("--robust-engine=ray", f"--robust-ray-address={cluster_of_two}")
    assert (
        ranks(suite, *options, "--robust-ray-actors=3", "--robust-overwrite") == alone
    )
    assert (suite.path / "killed").exists()
    said = " ".join((suite.path / "run.txt").read_text().split())
    assert f"is not seen by workers of node {socket.gethostname()}" in said
    assert not (suite.path / "of-the-node").exists()
    kept = shards(suite.path / "cache-of-ray")
    assert kept == shards(suite.path / "cache-of-local") != set()


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
