"""The compiled pass gives the bits of plain operations, and is compiled for a device that
is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pytest_retrieval_robust import load_occluder
from pytest_retrieval_robust.occluders import WHOLE, _compiled

from .. import interpreted_kernels
from ..device_errors import AcceleratorError
from .generators import picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def triton() -> None:
    pytest.importorskip("triton")


def test_it_gives_the_bits_of_plain_operations(tmp_path: Path) -> None:
    ended = interpreted_kernels.run("tests.occluders.interpreted", tmp_path)
    assert ended.status == 0, ended.printed
    assert ended.printed.splitlines()[-1] == "72 equal"


def test_it_is_compiled_and_reads_sixteen_bytes_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.occluders.compile_kernels"]
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_what_triton_cannot_do_is_done_by_plain_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no C compiler")

    pixels = picture(2, 3, 16, 16)
    occluder = load_occluder("patches(grid=4,fill=mean)")
    expected = occluder.occlude(pixels, ["a", "b"], 0.5, 0, WHOLE)
    monkeypatch.setattr(_compiled, "_DEVICES", {"cpu"})
    monkeypatch.setattr(_compiled, "_failures", [])
    monkeypatch.setattr(_compiled, "_launch", fail)
    hidden = occluder.occlude(pixels, ["a", "b"], 0.5, 0, WHOLE)
    assert torch.equal(hidden, expected)
    why = _compiled.why_not_compiled()
    assert why is not None
    assert why.startswith("RuntimeError")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        AcceleratorError("CUDA error: unspecified launch failure"),
    ],
)
def test_what_the_device_reports_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(_compiled, "_DEVICES", {"cpu"})
    monkeypatch.setattr(_compiled, "_failures", [])
    monkeypatch.setattr(_compiled, "_launch", fail)
    with pytest.raises(type(error)):
        load_occluder("patches").occlude(picture(1, 3, 16, 16), ["a"], 0.5, 0, WHOLE)
    assert _compiled.why_not_compiled() is None


@pytest.mark.parametrize("in_place", [False, True])
def test_a_pass_that_gives_other_pixels_is_noticed_and_put_right(
    monkeypatch: pytest.MonkeyPatch, in_place: bool
) -> None:
    """A compiler may be wrong on a card that nobody tried."""
    launches = []

    def darken(pixels: torch.Tensor, *inputs: torch.Tensor) -> None:
        launches.append(pixels)
        inputs[2].zero_()

    pixels = picture(2, 3, 16, 16)
    occluder = load_occluder("patches(grid=4,fill=mean)")
    expected = occluder.occlude(pixels, ["a", "b"], 0.5, 0, WHOLE)
    monkeypatch.setattr(_compiled, "_DEVICES", {"cpu"})
    monkeypatch.setattr(_compiled, "_failures", [])
    monkeypatch.setattr(_compiled, "_proved", set())
    monkeypatch.setattr(_compiled, "_launch", darken)
    out = pixels if in_place else torch.empty_like(pixels)
    occluder.occlude(pixels, ["a", "b"], 0.5, 0, WHOLE, out=out)
    assert torch.equal(out, expected)
    assert _compiled.why_not_compiled() == "other pixels than the plain operations give"
    hidden = occluder.occlude(picture(2, 3, 16, 16), ["a", "b"], 0.5, 0, WHOLE)
    assert torch.equal(hidden, expected)
    assert len(launches) == 1


def test_a_kind_of_pass_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "_DEVICES", {"cpu"})
    monkeypatch.setattr(_compiled, "_failures", [])
    monkeypatch.setattr(_compiled, "_proved", set())
    compared = []

    def prove(*inputs: object) -> None:
        compared.append(inputs[0])
        _compiled._proved.add(inputs[0])

    monkeypatch.setattr(_compiled, "_prove", prove)
    monkeypatch.setattr(_compiled, "_launch", lambda *_: None)
    for name in ("patches", "patches(fill=mean)", "patches(fill=blur)"):
        occluder = load_occluder(name)
        for level in (0.2, 0.4):
            occluder.occlude(picture(2, 3, 16, 16), ["a", "b"], level, 0, WHOLE)
    assert len(compared) == len(set(compared)) == 3
