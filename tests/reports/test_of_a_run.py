"""`card`, `table` and `plot` of a saved run."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.errors import ArgumentError, RobustError
from pytest_retrieval_robust.core.outcomes import ModelRecord
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.card import model_card
from pytest_retrieval_robust.reports.figure import draw_figure
from pytest_retrieval_robust.reports.markdown.provenance import provenance_block
from pytest_retrieval_robust.reports.paper_table import long_csv, paper_csv
from pytest_retrieval_robust.reports.run_series import series_of

from ..saved_runs import Made, make_run
from .nasty_names import NASTY
from .records import record, renamed
from .test_markdown import kinds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    found = make_run(
        tmp_path_factory.mktemp("store"),
        models=("ours", "theirs"),
        occluders=("patches", "box"),
    )
    absent = ModelRecord("clip", False, "its weights are not here", {}, named=True)
    return found.measured(models=(*found.run.measured.models, absent))


@pytest.fixture(scope="module")
def folder(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.save(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return record(tmp_path_factory.mktemp("small"), 40, gates="", levels=(0.0, 0.2))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_the_hub_reads_every_recall_from_the_card(
    made: Made, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = ModelCard(call(capsys, "card", folder, "--model", "ours"))
    data: Any = card.data
    results = data.eval_results
    assert data.model_name == "ours"
    told = {(one.task_name, one.metric_name, one.metric_value) for one in results}
    for outcome in made.run.measured.outcomes:
        if outcome.case.model == "ours":
            hidden = (
                f"{100 * outcome.case.level:g} % hidden"
                if outcome.case.level
                else "nothing hidden"
            )
            name = f"Recall@10, report to image, {hidden} (%)"
            value = round(100 * outcome.recall(10, "report-to-image"), 2)
            assert (
                f"Image-report retrieval, {outcome.case.occluder}",
                name,
                value,
            ) in told
    assert len(results) == 2 * 3 * 2 * 2
    assert {one.dataset_name for one in results} == {"d"}
    assert {one.dataset_revision for one in results} == {"f" * 64}


def test_the_cards_section_holds_its_own_model_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = call(capsys, "card", folder, "--model", "ours")
    section = shown.split("---\n")[2]
    assert section.startswith("\n## Retrieval under occlusion")
    assert section.count("| Recall@10 |") == 4
    assert "theirs" not in shown


def test_a_card_states_the_licence_of_the_weights(run: RunRecord) -> None:
    facts = {"source": "hf:a/b", "licence": "CC BY-NC 4.0", "terms": "to be accepted"}
    models = tuple(replace(model, card=facts) for model in run.models)
    stated = replace(run, models=models)
    expected = "licence `CC BY-NC 4.0`, terms `to be accepted`"
    assert expected in model_card(stated, "ours")
    assert expected in provenance_block(stated)


def test_a_card_names_the_data_that_its_model_was_measured_on_and_no_other(
    run: RunRecord,
) -> None:
    other = {**run.datasets[0], "name": "another"}
    assert "another" not in model_card(
        replace(run, datasets=(*run.datasets, other)), "ours"
    )


def test_a_run_without_numbers_has_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(RobustError, match="in which no recall was measured"):
        draw_figure([], tmp_path / "a.pdf", direction="image-to-report")


def metadata(card: str) -> Any:
    return YAML(typ="safe", pure=True).load(card.split("\n---\n")[0])


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_no_name_changes_what_a_cards_parts_are(run: RunRecord, name: str) -> None:
    def keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: keys(inner) for key, inner in value.items()}
        return list(map(keys, value)) if isinstance(value, list) else type(value)

    usual, nasty = (
        model_card(renamed(run, {"ours": one}), one) for one in ("ours", name)
    )
    assert keys(metadata(nasty)) == keys(metadata(usual))
    assert kinds(nasty.split("\n---\n", 1)[1]) == kinds(usual.split("\n---\n", 1)[1])


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("our", "Did you mean 'ours'?"),
        ("clip", "its weights are not here. Run its tests first."),
    ],
)
def test_a_model_without_numbers_has_no_card(
    folder: Path, capsys: pytest.CaptureFixture[str], model: str, told: str
) -> None:
    assert main(["card", str(folder), "--model", model]) == 2
    assert told in capsys.readouterr().err


def test_the_table_is_models_by_levels_by_k(
    made: Made, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(call(capsys, "table", folder))))
    assert list(rows[0])[4:] == [
        f"R@{k} at {level} %" for level in (0, 20, 40) for k in (1, 10)
    ]
    assert len(rows) == 2 * 2 * 2
    for row in rows:
        for outcome in made.run.measured.outcomes:
            case = outcome.case
            if (case.model, case.occluder) == (row["model"], row["occluder"]):
                recall = outcome.scores(row["direction"]).recall[10]  # type: ignore[arg-type]
                assert float(row[f"R@10 at {100 * case.level:g} %"]) == pytest.approx(
                    100 * recall, abs=0.005
                )


def test_the_long_table_has_a_row_a_point_with_its_interval(
    folder: Path, tmp_path: Path
) -> None:
    assert (
        main(["table", str(folder), "--long", "--out", str(tmp_path / "long.csv")]) == 0
    )
    rows = list(
        csv.DictReader((tmp_path / "long.csv").open(encoding="utf-8", newline=""))
    )
    assert len(rows) == 2 * 2 * 3 * 2 * 2
    assert all(
        float(row["recall low"]) <= float(row["recall"]) <= float(row["recall high"])
        for row in rows
    )


@pytest.mark.parametrize("write", [paper_csv, long_csv])
def test_no_name_is_a_formula_or_another_column(run: RunRecord, write: Any) -> None:
    rows = list(
        csv.reader(io.StringIO(write(series_of(renamed(run, {"ours": '=1+1,"'})))))
    )
    assert {len(row) for row in rows} == {len(rows[0])}
    assert {row[0] for row in rows[1:]} == {"'=1+1,\""}


@pytest.mark.parametrize(
    ("suffix", "sign"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")]
)
def test_a_figure_is_drawn_and_the_same_twice(
    folder: Path, tmp_path: Path, suffix: str, sign: bytes
) -> None:
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{suffix}"
        assert main(["plot", str(folder), "--out", str(path), "--k", "10"]) == 0
        written.append(path.read_bytes())
    assert written[0].startswith(sign)
    assert written[0] == written[1]


def test_a_figure_has_a_panel_for_each_k_and_occluder_and_a_line_for_each_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    saved = Figure.savefig

    def keep(self: Figure, *arguments: Any, **more: Any) -> None:
        drawn.append(self)
        saved(self, *arguments, **more)

    monkeypatch.setattr(Figure, "savefig", keep)
    assert main(["plot", str(folder), "--out", str(tmp_path / "a.svg")]) == 0
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == ["patches", "box", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == [
        "Recall@1 (%)",
        "Recall@10 (%)",
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours", "theirs"]


@pytest.mark.parametrize("name", ["$x^$", "_hidden", r"\frac", "long " * 99, "مدل"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_any_name_can_be_drawn(run: RunRecord, tmp_path: Path, name: str) -> None:
    draw_figure(
        series_of(renamed(run, {"ours": name})),
        tmp_path / "a.png",
        direction="image-to-report",
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--out=a.doc",), "got --out='a.doc'. Choose .pdf for a paper."),
        (
            ("--out=a.pdf", "--k", "7"),
            "Expected k that were measured ([1, 10]), got k=[7]",
        ),
    ],
)
def test_what_cannot_be_drawn_says_why(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    told: str,
) -> None:
    assert main(["plot", str(folder), *options]) == 2
    assert told in capsys.readouterr().err


def test_no_run_says_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", str(tmp_path)]) == 2
    assert "Expected a folder that --robust-results wrote" in capsys.readouterr().err


def test_none_of_it_loads_a_model_library_and_matplotlib_comes_late(
    folder: Path,
) -> None:
    code = (
        "import sys\nfrom pytest_retrieval_robust.__main__ import main\nmain(['card',"
        f" {str(folder)!r}, '--model', 'ours']); main(['table',"
        f" {str(folder)!r}])\nprint([m for m in ('torch', 'transformers', 'open_clip',"
        " 'PIL', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_matplotlib_the_extra_is_named(
    run: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        Exception, match=r"pip install 'pytest-retrieval-robust\[plots\]'"
    ):
        draw_figure(series_of(run), tmp_path / "a.pdf", direction="image-to-report")


def test_the_only_model_of_a_run_needs_no_name(run: RunRecord) -> None:
    assert model_card(run) == model_card(run, "ours")


def test_of_several_models_one_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", str(folder)]) == 2
    assert "Expected a run that tested one model, got 2 (" in capsys.readouterr().err


def test_a_figure_knows_the_two_directions(run: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'image-to-report'"):
        draw_figure(series_of(run), tmp_path / "figure.svg", direction="i2t")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="FIFOs")
@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")]
)
@pytest.mark.parametrize("command", [("card", "--model=ours"), ("table",), ("plot",)])
def test_what_is_no_file_is_not_waited_for(
    folder: Path,
    tmp_path: Path,
    command: tuple[str, ...],
    make: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.svg"
    make(out)
    assert main([*command, str(folder), f"--out={out}"]) == 2
    assert "Expected a file or nothing at --out='out.svg'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("card", "--model=ours"), ("table",), ("plot",)])
def test_a_folder_that_is_not_there_is_told_without_its_path(
    folder: Path,
    tmp_path: Path,
    command: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*command, str(folder), f"--out={tmp_path / 'nowhere/out.svg'}"]) == 2
    told = capsys.readouterr().err
    assert (
        told == "Expected a place for --out that can be written, got: No such file or"
        " directory. Choose another one.\n"
    )
