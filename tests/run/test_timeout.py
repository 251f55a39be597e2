"""A sweep that takes too long fails for its model alone, and says how far it came."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pytest_retrieval_robust.core import time_limit
from pytest_retrieval_robust.core.config_file import read_config_file
from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.run.typed_values import parse_seconds

from ..conftest import ANY_MODEL, THREE_LINES

CONFTEST = """
import time
from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models import ModelEntry

CALLS = []
# Libraries are imported before the limit counts.
load_model("tiny-cxr-clip", device="cpu")

def wait():
    time.sleep(600)

def load(request):
    model = load_model("tiny-cxr-clip", device="cpu")
    model.name = "slow"
    inner = model.encode_images

    def encode_images(pixels):
        CALLS.append(len(pixels))
        # The warm-up, and two batches in two cells.
        if len(CALLS) > 5:
            wait()
        return inner(pixels)

    model.encode_images = encode_images
    return model

def pytest_robust_register(catalogues):
    catalogues.models.add(ModelEntry("slow", "hangs", load))
"""


HANGING = [
    "TimedOutError: Expected the sweep of slow on synthetic-cxr to end within"
    " timeout=5 seconds, got 2 of 4 batches of images encoded in all 2 cells;"
    " the last that was begun was level 0. *",
    "Your own code was here (newest last):",
    "  conftest.py:* in encode_images",
    "  conftest.py:* in wait",
    "tiny-cxr-clip  *",
    "RELEASE GATE: FAILED because slow had to be tested and was not*",
]
OPTIONS = (
    "--robust-models=slow,tiny-cxr-clip",
    "--robust-limit=32",
    "--robust-batch-size=8",
    "--robust-levels=0.3",
    "--robust-no-cache",
    "-pno:cacheprovider",
)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with a model that hangs in its third batch, and five seconds."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_mine=THREE_LINES)
    (pytester.path / "robust.toml").write_text(f"timeout = 5\n{ANY_MODEL}")
    return pytester


@pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="nothing interrupts here")
def test_a_sweep_that_hangs_fails_for_its_model_alone(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "GRACE_SECONDS", 0.1)
    result = suite.runpytest_inprocess(*OPTIONS)
    result.assert_outcomes(errors=2, passed=2)
    result.stdout.fnmatch_lines(HANGING)


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.skipif(not hasattr(signal, "SIGURG"), reason="nothing interrupts here")
def test_a_sweep_that_hangs_in_a_worker_of_xdist_fails_for_its_model_alone(
    suite: pytest.Pytester,
) -> None:
    result = suite.runpytest_inprocess(*OPTIONS, "-n1")
    result.assert_outcomes(errors=2, passed=2)
    result.stdout.fnmatch_lines(HANGING)


def test_the_models_own_time_wins_over_the_files(tmp_path: Path) -> None:
    file = tmp_path / "robust.toml"
    file.write_text('timeout = 60\n[models.a]\ncheckpoint = "a"\ntimeout = 2.5\n')
    read = read_config_file(file)
    assert (read.timeout, read.models[0].timeout) == (60.0, 2.5)


@pytest.mark.parametrize("written", ["0", "-1", "true", "'1'", "inf", "nan", "1e9"])
@pytest.mark.parametrize("header", ["", '[models.a]\ncheckpoint = "a"\n'])
def test_seconds_are_a_number_above_0(
    written: str, header: str, tmp_path: Path
) -> None:
    file = tmp_path / "robust.toml"
    file.write_text(f"{header}timeout = {written}\n")
    with pytest.raises(ConfigError, match=r"line \d: expected seconds, .*timeout="):
        read_config_file(file)
    if not written.startswith(("t", "'")):
        with pytest.raises(ConfigError, match="Expected seconds"):
            parse_seconds("--robust-timeout", written)
