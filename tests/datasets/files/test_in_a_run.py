"""Data sets of files in a run: configured by robust.toml, inspected, with broken images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import evaluate, load_dataset, load_model, load_occluder
from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.cases import CLEAN
from pytest_retrieval_robust.core.errors import DatasetError, UnreadableImageError
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepOptions, run_sweep
from pytest_retrieval_robust.measure.timing.rounds import prepare_batch
from pytest_retrieval_robust.models import DualEncoder

from .trees import mimic, save, write_table

SUITE = "def test_recall(outcome): pass"


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


def make_table(folder: Path, *, broken: tuple[int, ...] = (), count: int = 12) -> Path:
    for number in range(count):
        save(folder / f"{number}.png", number)
        if number in broken:
            (folder / f"{number}.png").write_bytes(b"broken")
    rows = [
        (f"{number}.png", f"Report number {number // 2}.", number)
        for number in range(count)
    ]
    return write_table(folder / "table.csv", ["image", "report", "number"], rows)


def measured(
    model: DualEncoder, dataset: Any, **options: Any
) -> tuple[Measured, dict[str, Any]]:
    result = run_sweep(model, pairs_of(dataset), [], (1, 5), SweepOptions(**options))
    cell = result.cells[CLEAN]
    assert isinstance(cell, Measured)
    return cell, result.dataset


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_broken_images_are_skipped_counted_and_change_nothing_else(
    tmp_path: Path, model: DualEncoder, batch_size: int
) -> None:
    """Images 2 and 3 share a report, which leaves the gallery with them; 7's report
    keeps image 6.
    """
    table = make_table(tmp_path / "broken", broken=(2, 3, 7))
    dataset = load_dataset("table", path=table, on_error="skip", most_skipped=0.3)
    cell, record = measured(model, dataset, batch_size=batch_size)
    rows = [
        line
        for line in table.read_text().splitlines()
        if not line.startswith(("2.png", "3.png", "7.png"))
    ]
    (table.parent / "rest.csv").write_text("\n".join(rows) + "\n")
    expected, whole = measured(
        model,
        load_dataset("table", path=table.parent / "rest.csv"),
        batch_size=batch_size,
    )
    assert np.array_equal(cell.image_ranks, expected.image_ranks)
    assert np.array_equal(cell.report_ranks, expected.report_ranks)
    assert (record["skipped"], record["images"], record["reports"]) == (3, 9, 5)
    assert (whole["skipped"], whole["images"], whole["reports"]) == (0, 9, 5)
    assert record["pixel_digest"] == whole["pixel_digest"]


def test_too_many_broken_images_are_an_error(
    tmp_path: Path, model: DualEncoder
) -> None:
    dataset = load_dataset(
        "table", path=make_table(tmp_path, broken=(2,)), on_error="skip"
    )
    with pytest.raises(
        DatasetError, match=r"at most 5 % broken images in .*, got skipped=1 of 12"
    ):
        measured(model, dataset)


def test_a_broken_image_ends_the_run_by_default(
    tmp_path: Path, model: DualEncoder
) -> None:
    dataset = load_dataset("table", path=make_table(tmp_path, broken=(7,)))
    with pytest.raises(UnreadableImageError, match="row 8 of its table"):
        evaluate(model, dataset, load_occluder("patches"), levels=(0.3,), ks=(1,))


@pytest.fixture
def run(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    pytester.makepyfile(test_mine=SUITE)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest(
            "--robust-models=tiny-cxr-clip",
            "--robust-levels=0,0.5",
            "--robust-k=1,5",
            "--robust-device=cpu",
            *arguments,
        )

    return run


def configure(folder: Path, text: str) -> None:
    (folder / "robust.toml").write_text(text)


def test_a_configured_data_set_is_measured_under_its_name(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    make_table(pytester.path / "data", broken=(7,))
    configure(
        pytester.path,
        '[datasets.ours]\nloader = "table"\npath = "data/table.csv"\non_error ='
        " \"skip\"\nmost_skipped = 0.1\n[[gate]]\ndataset = 'ours'\nlevel = 0.5\nrecall"
        " = { 5 = 0.0 }\n",
    )
    result = run(
        "--robust-datasets=ours", "--robust-results=out", "--robust-measure-only"
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "ours, patches: *",
            "all, full, same-text, 45.5 % repeated texts, 1 broken image skipped",
        ]
    )
    result.stdout.fnmatch_lines(["MEASURED ONLY (2 measurements)"])
    saved = json.loads((pytester.path / "out/run.json").read_text())
    assert [
        (one["name"], one["skipped"], one["images"]) for one in saved["datasets"]
    ] == [("ours", 1, 11)]
    assert "Report number" not in (pytester.path / "out/run.json").read_text()


def test_the_shipped_suite_skips_broken_images_everywhere(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    make_table(pytester.path / "data", broken=(0, 7), count=24)
    main(["init", str(pytester.path / "suite")])
    configure(
        pytester.path / "suite",
        '[datasets.ours]\nloader = "table"\npath = "../data/table.csv"\non_error ='
        ' "skip"\nmost_skipped = 0.1\n',
    )
    # The project's own suite may be loaded in this process, under the same module names.
    result = run("suite", "--robust-datasets=ours", "--import-mode=importlib")
    assert result.parseoutcomes().get("failed", 0) == 0
    assert result.parseoutcomes()["passed"] >= 6


def test_no_image_that_can_be_read(tmp_path: Path, model: DualEncoder) -> None:
    dataset = load_dataset(
        "table",
        path=make_table(tmp_path, broken=(0, 1), count=2),
        on_error="skip",
        most_skipped=1,
    )
    with pytest.raises(DatasetError, match="Expected images that can be read"):
        prepare_batch(model, dataset, 4)
    with pytest.raises(DatasetError, match="Expected images that can be read"):
        run_sweep(model, pairs_of(dataset), [], (1,))


def test_parameters_of_a_configured_data_set_are_part_of_its_name(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    make_table(pytester.path / "data")
    configure(
        pytester.path, '[datasets.ours]\nloader = "table"\npath = "data/table.csv"\n'
    )
    result = run("--robust-datasets=ours(relevance=strict-id)")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["ours(relevance=strict-id), patches: *"])


def test_globs_and_all_mean_what_is_configured(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    make_table(pytester.path / "data")
    configure(
        pytester.path, '[datasets.ours]\nloader = "table"\npath = "data/table.csv"\n'
    )
    result = run("--robust-datasets=all", "--collect-only", "-q")
    listed = {
        name
        for name in ("ours", "mimic-cxr", "open-i", "synthetic-cxr", "synthetic-scenes")
        if name in result.stdout.str()
    }
    assert listed == {"ours", "synthetic-cxr", "synthetic-scenes"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[datasets.mimic-cxr]\nimges = 'x'\n",
            "robust.toml, line 2: *Did you mean 'images'*",
        ),
        (
            "[datasets.ours]\npath = 'x'\n",
            "robust.toml, line 1: *'ours'* A table of another name needs a loader.",
        ),
        (
            "[datasets.ours]\nloader = 'tabel'\n",
            "robust.toml, line 2: *Did you mean 'table'*",
        ),
        (
            "[datasets.ours]\nloader = 'synthetic-cxr'\n",
            "robust.toml, line 1: *takes its parameters in parentheses*",
        ),
        (
            "[datasets.open-i]\nloader = 'table'\n",
            "robust.toml, line 1: *name of its own*",
        ),
        (
            "[datasets.open-i]\nimages_per_study = '1'\n",
            "robust.toml, line 2: *whole number, got images_per_study='1'*",
        ),
        (
            "[datasets.open-i]\nloader = 3\n",
            "robust.toml, line 2: expected a text, got loader=3*",
        ),
        ("datasets = { open-i = 3 }\n", "*expected a table [[]datasets.open-i]*"),
    ],
)
def test_a_wrong_table_is_a_usage_error(
    pytester: pytest.Pytester,
    run: Callable[..., pytest.RunResult],
    text: str,
    said: str,
) -> None:
    configure(pytester.path, text)
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}"])


def test_missing_data_fails_with_a_sentence(
    pytester: pytest.Pytester, run: Callable[..., pytest.RunResult]
) -> None:
    configure(pytester.path, "[datasets.mimic-cxr]\nimages = '/nowhere'\n")
    result = run("--robust-datasets=mimic-cxr")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*Expected reports=FOLDER or ZIP of mimic-cxr*"])


def test_inspect_says_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ROBUST_CACHE", str(tmp_path / "cache"))
    images, reports = mimic(tmp_path)
    (tmp_path / "robust.toml").write_text(
        f'[datasets.mimic-cxr]\nimages = "{images.relative_to(tmp_path)}"\nreports ='
        f' "{reports}"\nview = "frontal"\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", "mimic-cxr", "--model", "tiny-cxr-clip", "--images"]) == 0
    said = capsys.readouterr().out
    for line in (
        "mimic-cxr: split test, text findings+impression, relevance same-text",
        "  images of train: 1",
        "  view frontal: 3",
        "  left out: other view: 2",
        "  left out: empty findings+impression: 0",
        "  gallery: 3 reports in 3 groups",
        "    ceiling, ties against the model (as measured): @1 100.0",
        "  tiny-cxr-clip reads 77 tokens: 1 report is longer (33.3 %)",
        "  L images: 3",
    ):
        assert line in said
    assert "acute" not in said
    assert "10000032" not in said
    assert main(["inspect", "mimic-cx"]) == 2
    assert "Did you mean 'mimic-cxr'" in capsys.readouterr().err


def test_inspect_names_broken_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = make_table(tmp_path, broken=(7,))
    assert main(["inspect", f"table(path={table})", "--images"]) == 1
    assert (
        "broken: Expected a whole image, got no PNG, JPEG, TIFF, WebP or DICOM: row 8"
        " of its table" in (capsys.readouterr().out)
    )


def test_a_damaged_compressed_dicom_is_skipped_as_any_broken_image(
    tmp_path: Path, model: DualEncoder
) -> None:
    """Its codec is installed: nothing to install would help."""
    from .test_dicom import of_jpeg_2000, whole_file

    table = make_table(tmp_path)
    file = of_jpeg_2000()
    file.PixelData = file.PixelData[:120] + b"\x55" * (len(file.PixelData) - 120)
    (tmp_path / "3.png").write_bytes(whole_file(file))
    _, record = measured(
        model, load_dataset("table", path=table, on_error="skip", most_skipped=0.1)
    )
    assert (record["skipped"], record["images"]) == (1, 11)
