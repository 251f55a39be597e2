"""The embedded encoders: checked before they are loaded, and mendable when they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import ModelError
from pytest_retrieval_robust.models import tiny
from pytest_retrieval_robust.models.tiny import SUMS, WEIGHTS, check_sums

NAMES = (
    "tiny-cxr-clip",
    "tiny-cxr-clip-robust",
    "tiny-cxr-openclip",
    "tiny-general-clip",
)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped weights in a place where they may be damaged."""
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(tiny, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights" / "tiny-cxr-clip"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shipped_is_undamaged_and_loads_without_a_word(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    check_sums(WEIGHTS / name)
    model = load_model(name, device="cpu")
    assert capfd.readouterr() == ("", "")
    assert model.name == name
    assert model.card.source == "embedded"
    assert model.card.parameters is not None
    assert 1_500_000 < model.card.parameters < 2_600_000


def test_a_damaged_weight_is_an_error_that_says_how_to_mend_it(copied: Path) -> None:
    content = bytearray((copied / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copied / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(
        ModelError,
        match=(
            r"Expected tiny-cxr-clip/model.safetensors with sha256=\w{12}\.\.\., got"
            r" \w{12}\. .*"
            r"pip install --force-reinstall pytest-retrieval-robust.*git checkout"
        ),
    ):
        load_model("tiny-cxr-clip", device="cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", SUMS])
def test_a_missing_file_is_an_error_that_says_how_to_mend_it(
    copied: Path, name: str
) -> None:
    (copied / name).unlink()
    with pytest.raises(
        ModelError,
        match=f"Expected tiny-cxr-clip/{name} .*got no such fi.* reinstall the package",
    ):
        load_model("tiny-cxr-clip", device="cpu")


def test_a_damaged_encoder_fails_its_own_cells_alone(
    copied: Path, pytester: pytest.Pytester
) -> None:
    (copied / "tokenizer.json").write_text("{}")
    pytester.makepyfile(
        "def test_recall(outcome, clean_outcome, gate): gate.violations(outcome,"
        " clean_outcome)"
    )
    result = pytester.runpytest_inprocess(
        "--robust-models=tiny-cxr-clip,tiny-cxr-openclip",
        "--robust-levels=0",
        "--robust-limit=20",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*Expected tiny-cxr-clip/tokenizer.json with sha256=*"]
    )
