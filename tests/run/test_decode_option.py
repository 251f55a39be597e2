"""`--robust-decode device`: said wherever results are read, and refused beside another decoding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_retrieval_robust import load_dataset

from ..conftest import Run

OPTIONS = ("--robust-datasets=table", "--robust-no-cache")
POLICY = """
[datasets.table]
path = "films/table.csv"

[[gate]]
level = 0.0
recall = { 1 = 0.02 }
"""


@pytest.fixture
def films(pytester: pytest.Pytester) -> Path:
    """A data set of JPEGs, configured by `robust.toml`."""
    folder = pytester.path / "films"
    folder.mkdir()
    drawn = load_dataset("synthetic-cxr", pairs=24)
    lines = ["image,report"]
    for number in range(24):
        drawn.image(number).save(folder / f"{number}.jpg", quality=92)
        report = drawn.reports[number % len(drawn.reports)].replace('"', "")
        lines.append(f'{number}.jpg,"{report}"')
    (folder / "table.csv").write_text("\n".join(lines))
    (pytester.path / "robust.toml").write_text(POLICY)
    return folder


def test_a_run_says_where_it_decoded_and_is_compared_with_its_like(
    run_suite: Run, pytester: pytest.Pytester, films: Path
) -> None:
    assert films.is_dir()
    host = run_suite(*OPTIONS, "--robust-results=host")
    host.stdout.no_fnmatch_line("decoded:*")
    device = run_suite(*OPTIONS, "--robust-decode=device", "--robust-results=device")
    device.stdout.fnmatch_lines(["decoded: table: JPEGs that the device could decode*"])
    saved = {}
    for name in ("host", "device"):
        document = json.loads((pytester.path / name / "run.json").read_text())
        (saved[name],) = document["datasets"]
    assert "decoding" not in saved["host"]
    assert saved["device"]["decoding"] == "device"
    again = run_suite("--robust-replay=device", "--robust-report=page.html")
    again.stdout.fnmatch_lines(["decoded: table: JPEGs that the device could decode*"])
    assert (
        "JPEGs that the device could decode"
        in (pytester.path / "page.html").read_text()
    )
