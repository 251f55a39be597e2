"""A leaderboard from its submissions to its files."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_retrieval_robust.__main__ import main
from pytest_retrieval_robust.core.errors import RobustError
from pytest_retrieval_robust.gate.measurements import Scope
from pytest_retrieval_robust.gate.side_by_side import Apart, Entry, side_by_side
from pytest_retrieval_robust.gate.standings import Standings
from pytest_retrieval_robust.reports.leaderboard.board import Board, board_of
from pytest_retrieval_robust.reports.leaderboard.files import board_csv, render_board
from pytest_retrieval_robust.reports.leaderboard.picture import picture, standalone
from pytest_retrieval_robust.reports.saved.submission import (
    Submission,
    SubmissionError,
    read_submission,
)

from ..saved_runs import Made, make_run
from .chromium import MISSING, chromium, console, requests
from .html.elements import find, parsed, section_of, words
from .nasty_names import NASTY

QUERIES = 200
MODELS = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leaderboard")


def made_run(folder: Path, name: str, shift: int = 0) -> Made:
    return make_run(
        folder / f"store of {name}", QUERIES, shift=shift, models=(name,), studies=2
    )


@pytest.fixture(scope="module")
def saved(folder: Path) -> Mapping[str, Path]:
    """Three whole runs, one of fewer levels, a limited one and a partial one."""
    whole = {
        name: made_run(folder, name, shift).save(folder / name)
        for name, shift in (("best", 0), ("good", 4), ("worst", 100))
    }
    levels = make_run(
        folder / "store of few", QUERIES, models=("few",), levels=(0.0, 0.2)
    )
    limited = made_run(folder, "limited").measured(limit=QUERIES)
    partial = made_run(folder, "partial", 2).measured(scope=Scope("-k", "pytest -k x"))
    return {
        **whole,
        "few": levels.save(folder / "few"),
        "limited": limited.save(folder / "limited"),
        "partial": partial.save(folder / "partial"),
    }


def submission_file(folder: Path, saved_run: Path, /, **fields: object) -> Path:
    """A submission's file with a copy of the run beside it."""
    folder.mkdir()
    shutil.copytree(saved_run, folder / "run")
    file = folder / "submission.json"
    file.write_text(json.dumps({"name": "team", "run": "run", **fields}))
    return file


def leaderboard(*arguments: object) -> int:
    return main(["leaderboard", *map(str, arguments)])


# Submissions


def test_a_submission_gives_its_run_a_name_and_a_link(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    link = "https://example.org/model?x=1&y=2"
    file = submission_file(tmp_path / "sent", saved["best"], link=link, model="best")
    submission = read_submission(file)
    board = board_of([submission])
    (row,) = board.tables[0].rows
    assert row.name == "team"
    assert row.link == link
    page = parsed(render_board(board))
    assert link in [each.get("href") for each in find(page, "a")]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": ""}, "Expected name to be 1 to 96 printable characters, got name=''"),
        ({"name": "x" * 97}, "Expected name to be 1 to 96"),
        ({"name": "a\nb"}, "Expected name to be 1 to 96"),
        ({"name": 3}, r"Expected `str`, got `int` - at `\$\.name`"),
        ({"nmae": "x"}, "Object contains unknown field `nmae`"),
        ({"link": "javascript:alert(1)"}, "Expected link to be an address"),
        ({"link": "https://user:secret@example.org"}, "Expected link to be an address"),
        ({"link": "https://"}, "Expected link to be an address"),
        ({"link": 'https://x.org/"><script>'}, "Expected link to be an address"),
        ({"link": "//example.org"}, "Expected link to be an address"),
        ({"run": "../best"}, "Expected run to be a folder beside or below the file"),
        ({"run": "/etc"}, "Expected run to be a folder beside or below the file"),
        ({"run": "gone"}, "got 'gone' without a readable run.json"),
        ({"model": "best*"}, r"Expected model to be a model of the run, one of best"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_bad_submission_is_refused_by_its_field(
    saved: Mapping[str, Path], tmp_path: Path, fields: dict[str, object], problem: str
) -> None:
    file = submission_file(tmp_path / "sent", saved["best"], **fields)
    with pytest.raises(RobustError, match=problem):
        read_submission(file)


def test_a_link_of_the_file_system_does_not_lead_out(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    file = submission_file(tmp_path / "sent", saved["best"], run="elsewhere")
    (file.parent / "elsewhere").symlink_to(saved["good"])
    with pytest.raises(SubmissionError, match="Expected run to be a folder beside"):
        read_submission(file)


def test_changed_numbers_are_refused_with_ranks_and_without(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    changed = shutil.copytree(saved["worst"], tmp_path / "changed")
    data = json.loads((changed / "run.json").read_text())
    data["outcomes"][-1]["image-to-report"]["recall"]["10"] = 1.0
    (changed / "run.json").write_text(json.dumps(data))
    with pytest.raises(RobustError, match="changed after it was written"):
        read_submission(changed)
    (changed / "ranks.npz").unlink()
    with pytest.raises(RobustError, match="it was changed after it was written"):
        read_submission(changed)


# The board


@pytest.fixture(scope="module")
def board(saved: Mapping[str, Path]) -> Board:
    return board_of([read_submission(path) for path in saved.values()])


def names_of(board: Board) -> list[list[str]]:
    return [[row.name for row in table.rows] for table in board.tables]


def test_what_cannot_be_compared_stands_in_another_table(board: Board) -> None:
    assert names_of(board) == [
        ["best", "partial", "good", "worst"],
        ["few"],
        ["limited"],
    ]
    reasons = [table.table.why_apart or "" for table in board.tables]
    assert reasons[0] == ""
    assert reasons[1].endswith("because of levels=0,0.2 and there 0,0.2,0.4.")
    assert reasons[2].endswith(f"because of limit={QUERIES} and there None.")


def test_partial_and_limited_runs_are_marked(board: Board) -> None:
    marks = {row.name: row.marks for table in board.tables for row in table.rows}
    assert marks["partial"] == ("partial run: tests were left out",)
    assert marks["limited"] == (f"smoke run: the first {QUERIES} pairs",)
    assert marks["best"] == ()


def test_numbers_without_ranks_stand_without_a_rank(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    bare = shutil.copytree(saved["good"], tmp_path / "bare")
    (bare / "ranks.npz").unlink()
    paths = (saved["best"], bare, saved["worst"])
    (table,) = board_of([read_submission(path) for path in paths]).tables
    best, good, worst = table.rows
    assert good.standing.rank is None
    assert good.standing.interval is None
    assert good.marks == (
        "no ranks of its queries: numbers as submitted, without a rank",
    )
    assert (best.standing.rank, worst.standing.rank) == (1, 2)
    whole = board_of([read_submission(saved["good"])]).tables[0].rows[0]
    assert (good.value, good.clean, good.last) == (whole.value, whole.clean, whole.last)


def test_json_and_csv_say_the_same(board: Board) -> None:
    data = json.loads(json.dumps(board.as_json(), allow_nan=False))
    rows = list(csv.DictReader(board_csv(board).splitlines()))
    models = [
        (table["number"], table["perturbation"], model)
        for table in data["tables"]
        for model in table["models"]
    ]
    assert len(models) == len(rows) == 6
    for (number, perturbation, model), row in zip(models, rows, strict=True):
        assert row["table"] == str(number)
        assert row["perturbation"] == perturbation
        assert row["model"] == model["name"]
        assert float(row["value"]) == pytest.approx(model["value"], abs=1e-6)
        interval = model["rank_interval"] or ["", ""]
        assert [row["best rank"], row["worst rank"]] == [str(end) for end in interval]


@pytest.fixture(scope="module")
def crowd(saved: Mapping[str, Path]) -> Board:
    """Fifty submissions: copies of three runs under other names."""
    read = [read_submission(saved[name]) for name in ("best", "good", "worst")]
    many = []
    for number in range(MODELS):
        one = read[number % 3]
        identity = replace(one.run.measured.identity, id=f"{number:016x}")
        measured = replace(one.run.measured, identity=identity)
        run = replace(one.run, measured=measured)
        name = NASTY[number] if number < len(NASTY) else f"model {number}"
        many.append(replace(one, run=run, name=f"{name} {number}"))
    return board_of(many, [Apart("<b>bad</b>", "Expected <i>x</i>, got y.")])


def test_equal_models_share_their_ranks(crowd: Board) -> None:
    (table,) = crowd.tables
    best = [row for row in table.rows if row.standing.rank == 1]
    assert len(best) == 17
    assert {row.ranks for row in best} == {"1 to 17"}
    assert len(table.table.standings.differences) == MODELS * (MODELS - 1) // 2


def test_the_page_stands_alone_and_no_name_harms_it(crowd: Board) -> None:
    text = render_board(crowd)
    page = parsed(text)
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    inner = [
        each.get("href", "")[1:]
        for each in find(page, "a")
        if "#" in each.get("href", "")
    ]
    assert set(inner) <= set(ids)
    for element in page.iter():
        attributes = set(element.keys())
        assert not {"src", "srcset", "style", "action", "background"} & attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert element.tag not in ("link", "iframe", "object", "b", "i")
    assert len(find(page, "script")) == 3
    assert len(find(section_of(page, "table-1"), "tbody/tr")) == MODELS
    assert "<b>bad</b>: Expected <i>x</i>, got y." in words(section_of(page, "refused"))


def test_nothing_written_names_a_folder_a_command_or_a_query(
    saved: Mapping[str, Path], folder: Path, tmp_path: Path
) -> None:
    assert leaderboard(*saved.values(), "--out", tmp_path / "board") == 0
    for path in (tmp_path / "board").iterdir():
        text = path.read_text()
        assert str(folder) not in text
        assert str(folder.parent.name) not in text
        assert "pytest -k x" not in text
        # Keys of queries begin at this number.
        assert re.search(r"\b10000\d\d\b", text) is None


def test_a_picture_has_a_bar_for_each_stretch_and_a_point_for_each_model(
    crowd: Board,
) -> None:
    standings: Standings = crowd.tables[0].table.standings
    assert standings.bars == ((0, 16), (17, 33), (34, 49))
    drawn = parsed(f"<!doctype html><title>x</title>{picture(standings)}")
    assert len(find(drawn, "{*}circle")) == MODELS
    bars = [each for each in find(drawn, "{*}path") if each.get("class") == "bar"]
    assert len(bars) == 3
    alone = standalone([standings, standings])
    assert alone.startswith("<svg xmlns=")
    assert alone.count("<circle") == 2 * MODELS


# The command


def test_the_others_make_the_board_where_one_is_refused(
    saved: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = submission_file(tmp_path / "sent", saved["best"], link="ftp://x")
    paths = (saved["best"], saved["good"], bad, saved["good"], tmp_path / "gone")
    assert leaderboard(*paths, "--out", tmp_path / "board") == 1
    shown = capsys.readouterr()
    assert "table 1: 2 models of d, patches at levels 0, 0.2, 0.4" in shown.out
    assert "Refused submission.json: Expected link to be an address" in shown.err
    assert "Refused good: Expected a run of its own, got that of 'good'" in shown.err
    assert "Refused gone: Expected a folder that --robust-results wrote" in shown.err
    data = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert [each["name"] for each in data["refused"]] == [
        "submission.json",
        "good",
        "gone",
    ]


def test_without_a_submission_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaderboard(tmp_path / "gone", "--out", tmp_path / "board") == 2
    assert "Refused gone" in capsys.readouterr().err
    assert not (tmp_path / "board").exists()


def test_a_file_in_place_of_the_folder_is_named(
    saved: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board").write_text("mine")
    assert leaderboard(saved["best"], "--out", tmp_path / "board") == 2
    assert "Expected a folder for --out that can be written" in capsys.readouterr().err
    assert (tmp_path / "board").read_text() == "mine"


def test_the_order_follows_what_is_sorted_by(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    paths = (saved["worst"], saved["best"])
    values = {}
    for criterion in ("mean", "clean", "hardest", "auc"):
        place = tmp_path / criterion
        assert leaderboard(*paths, "--out", place, "--sort", criterion, "--k", 1) == 0
        (table,) = json.loads((place / "leaderboard.json").read_text())["tables"]
        assert (table["criterion"], table["k"]) == (criterion, 1)
        values[criterion] = [model["value"] for model in table["models"]]
        assert values[criterion] == sorted(values[criterion], reverse=True)
    # With nothing hidden the two are alike.
    assert values["clean"][0] == values["clean"][1]
    assert values["hardest"][0] > values["hardest"][1]


def test_pages_of_runs_are_written_and_linked(
    saved: Mapping[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "board"
    assert leaderboard(saved["best"], saved["good"], "--out", place, "--pages") == 0
    page = parsed((place / "index.html").read_text())
    links = [
        each.get("href", "")
        for each in find(page, "a")
        if each.get("href", "").startswith("runs/")
    ]
    assert len(links) == 2
    for link in links:
        assert "Retrieval under occlusion" in (place / link).read_text()


def test_two_models_of_one_run_are_no_repetition(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", 60, models=("x", "y[1]"))
    run = made.save(tmp_path / "saved")
    first = submission_file(tmp_path / "a", run, name="one", model="x")
    second = submission_file(tmp_path / "b", run, name="two", model="y[1]")
    place = tmp_path / "board"
    assert leaderboard(first, second, "--out", place) == 0
    data = json.loads((place / "leaderboard.json").read_text())
    assert sorted(each["name"] for each in data["tables"][0]["models"]) == [
        "one",
        "two",
    ]
    # The run itself shows both of them.
    assert leaderboard(first, run, "--out", place) == 1


def test_submissions_are_entries_of_their_runs(saved: Mapping[str, Path]) -> None:
    read: Submission = read_submission(saved["best"])
    (table,) = side_by_side([Entry(read.run, read.place)]).tables
    assert table.names == ("best",)


@pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
def test_it_fits_a_phone_and_a_desk_and_asks_for_nothing(
    crowd: Board, tmp_path: Path
) -> None:
    file = tmp_path / "board.html"
    file.write_text(render_board(crowd))
    with chromium(tmp_path) as browser:
        for width in (400, 1280):
            size = {
                "width": width,
                "height": 900,
                "deviceScaleFactor": 1,
                "mobile": False,
            }
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.get(file.as_uri())
            root = "document.documentElement"
            script = f"return {root}.scrollWidth <= {root}.clientWidth"
            assert browser.execute_script(script) is True
        assert {each for each in requests(browser) if not each.startswith("data:")} == {
            file.as_uri()
        }
        assert console(browser) == []
