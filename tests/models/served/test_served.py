"""An encoder in a process of its own gives the rows that it gives in this one."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_retrieval_robust import (
    DualEncoder,
    encoder_from_callables,
    encoder_from_command,
    evaluate,
    load_dataset,
)
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.models import token_lengths_of, truncated_by

from ...conftest import Run
from .servers import FUNCTIONS, SIZE, WIDTH, bare_file, helper_file, served, started

OLD_PYTHON = "RETRIEVAL_ROBUST_OLD_PYTHON"
"""The variable that names a Python 3.8 with numpy."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> DualEncoder:
    return started(helper_file(tmp_path_factory.mktemp("served")))


@pytest.fixture(scope="module")
def in_process() -> DualEncoder:
    names: dict[str, Any] = {"os": os, "__file__": ""}
    exec(FUNCTIONS.replace("os.system", "str"), names)
    return encoder_from_callables(
        "ours", names["embed_images"], names["embed_texts"], size=SIZE
    )


def pid_of(encoder: DualEncoder) -> int:
    server: Any = vars(encoder)["_server"]
    pid: int = server._process._process.pid
    return pid


def ends(is_over: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not is_over() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_over()


def is_gone(pid: int) -> bool:
    """Whether a process has ended: it may wait for a parent that never asks."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        )
    except OSError:
        return True


def test_a_curve_is_that_of_the_encoder_in_this_process(
    encoder: DualEncoder, in_process: DualEncoder
) -> None:
    data = load_dataset("synthetic-cxr", pairs=12)
    served_curve = evaluate(encoder, data, "patches", levels=(0.3,))
    assert served_curve.recall(5) == (
        evaluate(in_process, data, "patches", levels=(0.3,)).recall(5)
    )
    pixels = torch.rand(5, 3, SIZE, SIZE)
    same = in_process.encode_images(pixels)
    assert torch.equal(encoder.encode_images(pixels), same)
    assert same.shape == (5, WIDTH)


def test_more_inputs_than_a_request_takes_come_back_in_order(
    encoder: DualEncoder, in_process: DualEncoder
) -> None:
    texts = ["word " * (number % 9) for number in range(150)]
    assert torch.equal(encoder.encode_reports(texts), in_process.encode_reports(texts))
    assert list(token_lengths_of(encoder, texts) or ()) == [n % 9 for n in range(150)]
    assert truncated_by(encoder, texts) == 0
    assert encoder.encode_reports([]).shape == (0, WIDTH)


def test_texts_of_any_signs_pass(encoder: DualEncoder, in_process: DualEncoder) -> None:
    texts = ["Größe <5 mm", "", "\n\x00", "lone \ud800", "x" * 300_000]
    assert torch.equal(encoder.encode_reports(texts), in_process.encode_reports(texts))


def test_a_server_that_was_written_from_the_page_alone(tmp_path: Path) -> None:
    file = bare_file(
        tmp_path,
        "greet(preprocessing={'resize': 'pad'}, batch=2)\nwhile True:\n    answer()\n",
    )
    encoder = started(file)
    rows = encoder.encode_images(torch.rand(5, 3, SIZE, SIZE))
    assert torch.allclose(rows[0], torch.tensor([1.0, 2, 3]) / 14**0.5)
    # Three requests of two, two and one.
    assert torch.equal(rows[0], rows[2])
    assert encoder.card.sha256 is None
    assert token_lengths_of(encoder, ["text"]) is None


def test_the_helper_runs_on_python_38(tmp_path: Path) -> None:
    python = os.environ.get(OLD_PYTHON)
    if python is None:
        pytest.skip(f"{OLD_PYTHON} names no Python 3.8 with numpy")
    file = helper_file(tmp_path)
    encoder = encoder_from_command(
        "ours", [python, file.name], folder=tmp_path, device="cpu"
    )
    assert encoder.encode_reports(["a", "bc"]).shape == (2, WIDTH)


def test_the_helper_is_written_once_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "serve.py"
    assert main(["serve", "--write", str(file)]) == 0
    assert main(["serve", "--write", str(file)]) == 2
    assert "which exists. Choose another name." in capsys.readouterr().err
    tried = subprocess.run(
        [sys.executable, str(file), "--try"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fill in load()" in tried.stderr
    tried = subprocess.run(
        [sys.executable, str(helper_file(tmp_path)), "--try"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "images: (2, 64)\ntexts: (2, 64)\n" in tried.stderr


def test_the_process_ends_with_the_encoder_and_with_what_it_began(
    tmp_path: Path,
) -> None:
    started_child = '\n\nimport subprocess\nCHILD = subprocess.Popen(["sleep", "60"])\n'
    write = f"\nopen({str(tmp_path / 'child')!r}, 'w').write(str(CHILD.pid))\n"
    encoder = started(helper_file(tmp_path, FUNCTIONS + started_child + write))
    pid = pid_of(encoder)
    child = int((tmp_path / "child").read_text())
    assert not is_gone(child)
    del encoder
    gc.collect()
    assert ends(lambda: is_gone(pid) and is_gone(child))


def test_the_process_ends_if_the_one_that_asks_is_killed(tmp_path: Path) -> None:
    file = helper_file(tmp_path)
    asks = (
        "import subprocess, sys, time\n"
        f"command = [sys.executable, {str(file)!r}]\n"
        "pipe = subprocess.PIPE\n"
        "process = subprocess.Popen(command, stdin=pipe, start_new_session=True)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    run.kill()
    run.wait()
    run.stdout.close()
    assert ends(lambda: is_gone(pid))


def test_a_process_that_died_is_started_again_and_counted(tmp_path: Path) -> None:
    encoder: Any = started(helper_file(tmp_path))
    rows = encoder.encode_reports(["a", "bc"])
    os.kill(pid_of(encoder), signal.SIGKILL)
    assert torch.equal(encoder.encode_reports(["a", "bc"]), rows)
    assert encoder.restarts == 1


def test_a_fork_has_a_process_of_its_own(encoder: DualEncoder) -> None:
    rows = encoder.encode_reports(["a"])
    mine = pid_of(encoder)
    forked = os.fork()
    if forked == 0:
        same = torch.equal(encoder.encode_reports(["a"]), rows)
        own = pid_of(encoder) != mine
        os.kill(pid_of(encoder), signal.SIGKILL)
        os._exit(0 if same and own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    assert torch.equal(encoder.encode_reports(["a"]), rows)
    assert pid_of(encoder) == mine


def test_a_suite_measures_it_and_notes_a_restart(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    # The models' keys are made of single pictures.
    dies_once = (
        "\n\ndef embed_images(pixels):\n"
        "    if len(pixels) > 4 and not os.path.exists('died'):\n"
        "        open('died', 'w').close()\n        os._exit(3)\n"
        "    return pixels.reshape(len(pixels), -1)[:, :64] - 0.5\n"
    )
    helper_file(pytester.path, FUNCTIONS + dies_once)
    words = ", ".join(f'"{word}"' for word in served(Path("serve.py")))
    (pytester.path / "robust.toml").write_text(
        f'[models.served]\nloader = "command"\ncommand = [{words}]\nrequired = true\n'
    )
    result = bare_suite("--robust-measure-only", "--robust-models=served")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*command of served ended once while synthetic-cxr*"])
