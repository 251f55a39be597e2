"""A run that version 0.1 saved is judged again and compared, as docs/versions.md promises."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main

OLD = Path(__file__).parent / "run_of_version_0_1"


@pytest.mark.parametrize(
    ("floor", "verdict"),
    [
        (0.1, "NOT JUDGED (no model that meets a gate retrieves better than chance*"),
        (0.9, "FAILED because 1 of 1 gate was not met"),
    ],
)
def test_an_old_run_is_judged_again(
    pytester: pytest.Pytester, floor: float, verdict: str
) -> None:
    pytester.path.joinpath("robust.toml").write_text(
        f"[[gate]]\nlevel = 0.0\nrecall = {{ 1 = {floor} }}\n"
    )
    result = pytester.runpytest_inprocess(
        f"--robust-replay={OLD}", "--robust-config=robust.toml"
    )
    result.stdout.fnmatch_lines([f"RELEASE GATE: {verdict}"])


def test_an_old_run_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    another = tmp_path / "another"
    shutil.copytree(OLD, another)
    data = json.loads((OLD / "run.json").read_text())
    data["run"]["id"] = "0" * 16
    del data["run"]["content_sha256"]
    (another / "run.json").write_text(json.dumps(data))
    assert main(["compare", str(OLD), str(another)]) == 0
    assert "0 of 8 cells lost" in capsys.readouterr().out
