"""Parts as processes of the Slurm script: killed, told to end, and begun again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.atomic_files import PART
from pytest_retrieval_robust.measure.embeddings.store import FOLDER, EmbeddingStore

from ...forked_runs import forked_command
from .suites import BATCHES, PAIRS, Suite

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs bash and POSIX signals"),
    pytest.mark.usefixtures("one_thread"),
]
SCRIPT = Path(__file__).parents[3] / "docs" / "cluster" / "encode-array.sh"
MOST_SECONDS = 300


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    suite = Suite(pytester.path)
    suite.write()
    return suite


def task(suite: Suite, number: int, **variables: str) -> subprocess.Popen[str]:
    """Task `number` of two, by the script."""
    slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2"}
    return subprocess.Popen(
        # For a process that has no level that searches.
        ["bash", str(SCRIPT), *suite.options, "--robust-occluders=patches"],
        cwd=suite.folder,
        env={
            **os.environ,
            **slurm,
            **variables,
            "OMP_NUM_THREADS": "1",
            "ROBUST_STORE": "cache",
            # The script calls `python`, which is this one.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_killed_and_stopped_parts_go_on_where_they_were(
    suite: Suite, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first task has batches 0 and 2, of three cells each.
    stopped = task(suite, 1, WAIT_AT="5")
    # As the script starts it, with which it shares nothing but the store.
    words = suite.arguments(
        "cache", "--robust-occluders=patches", "--part=2/2", "--steal"
    )
    killed = forked_command(suite.folder, "encode", *words, variables={"DIE_AT": "2"})
    assert killed.ret == -signal.SIGKILL
    assert stopped.stdout is not None
    while "waiting" not in stopped.stdout.readline():
        assert stopped.poll() is None
    stopped.terminate()
    said = stopped.communicate(timeout=MOST_SECONDS)[0]
    assert stopped.returncode == 128 + signal.SIGTERM
    assert "batches 3 done, 0 found, 0 failed, 0 not kept" in said
    assert "stopped: the process was told to end" in said
    store = EmbeddingStore(suite.folder / "cache" / FOLDER)
    assert list(store.folder.rglob(f"*{PART}")) == []
    assert store.damaged() == []

    arguments = ["--robust-occluders=patches"]
    again = suite.arguments("cache", *arguments)
    kept = len(list(store.files()))
    assert main(["encode", *again, "--part=1/2", "--steal"]) == 0
    said = capsys.readouterr().out
    # Of its own, the batch at which it was stopped; of the other part's all but reports.
    assert "batches 1 done, 3 found" in said
    assert "taken over from other parts: batches 1 done" in said
    assert len(list(store.files())) > kept
    ranks = []
    for cache in ("cache", "alone"):
        results = f"--robust-results=results-{cache}"
        run = suite.arguments(cache, *arguments, results)
        assert pytester.runpytest_inprocess(*run).ret == 0
        ranks.append(suite.ranks(f"results-{cache}"))
    assert set(suite.from_store("results-cache")) == {PAIRS}
    assert ranks[0] == ranks[1]
    assert len(list(store.files())) == BATCHES * (1 + 3)
