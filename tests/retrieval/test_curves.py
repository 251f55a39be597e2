"""Several curves: found by name, tabulated, drawn, and shown in a notebook."""

from __future__ import annotations

import sys
from itertools import product
from typing import Any

import html5lib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_retrieval_robust import Curve, Curves
from pytest_retrieval_robust.core.cases import DIRECTIONS, Case
from pytest_retrieval_robust.core.errors import (
    ArgumentError,
    NotMeasuredError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.core.outcomes import Outcome, Scores, Timing

TIMING = Timing(None, 0.0, 0.0, "cpu", "fp32")
MODELS = ("ours", "<b>theirs</b>")
OCCLUDERS = ("patches(fill=mean)", "side")
SEEDS = (0, 1)


def scores(recall: float, ks: tuple[int, ...] = (1, 10)) -> Scores:
    by_k = {k: min(1.0, recall * k) for k in ks}
    bounds = {k: (value * 0.9, min(1.0, value * 1.1)) for k, value in by_k.items()}
    chance = {k: k / 50 for k in ks}
    return Scores(50, 50, chance, by_k, bounds, 2.0, 0.5)


def curve(
    model: str,
    occluder: str = "side",
    seed: int = 0,
    levels: tuple[float, ...] = (0.0, 0.5),
    ks: tuple[int, ...] = (1, 10),
) -> Curve:
    outcomes = []
    for level in levels:
        case = Case(model, "data(pairs=50)", occluder, level, seed)
        images = scores(0.9 - level, ks)
        reports = scores(0.8 - level, ks)
        outcomes.append(Outcome(case, level, level, images, reports, TIMING))
    return Curve(tuple(outcomes))


CURVES = Curves(
    tuple(curve(*names) for names in product(MODELS, OCCLUDERS, SEEDS)),
    failures=("bad on <i>data</i>: Expected rows.",),
)


def test_several_names_give_the_one_curve_that_has_them() -> None:
    for model, occluder, seed in product(MODELS, OCCLUDERS, SEEDS):
        found = CURVES[model, occluder, seed]
        assert found is CURVES[seed, occluder, model]
        case = found.clean.case
        assert (case.model, case.occluder, case.seed) == (model, occluder, seed)


def test_one_name_gives_a_part() -> None:
    part = CURVES["ours"]
    assert isinstance(part, Curves)
    assert (part.models, part.occluders, len(part)) == (("ours",), OCCLUDERS, 4)
    assert CURVES[:2].curves == tuple(CURVES)[:2]
    assert CURVES[-1] is CURVES.curves[-1]
    # Parameters may be left out where that is clear.
    assert len(CURVES["patches"]) == len(CURVES["patches(fill=mean)"]) == 4
    assert len(CURVES["data"]) == len(CURVES)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("our", "Did you mean 'ours'"),
        (("ours", "sidee"), "Did you mean 'side'"),
        (("ours", 7), "Known: ours"),
        (("ours", "side"), "Expected names that one curve has, .* which 2 have"),
    ],
)
def test_a_name_that_fits_none_or_several_is_an_error(key: Any, said: str) -> None:
    with pytest.raises(NotMeasuredError, match=said):
        CURVES[key]


def test_the_columns_are_those_of_each_curve_after_the_other() -> None:
    columns = CURVES.to_dict()
    parts = [each.to_dict() for each in CURVES]
    for name, values in columns.items():
        assert values == [value for part in parts for value in part[name]]
    pandas = pytest.importorskip("pandas")
    frame = CURVES.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(MODELS) * len(OCCLUDERS) * len(SEEDS) * 2 * 2 * 2


def test_a_table_has_a_row_for_each_curve_and_direction() -> None:
    title, heads, *rows = str(CURVES[:2]).splitlines()
    assert title == "2 curves, 1 model, 1 data set, 1 occluder, 1 failure"
    assert heads.split() == ["Recall@10", "in", "%,", "share", "hidden:", "0", "0.5"]
    assert rows[0].startswith("ours, seed 0, image-to-report")
    assert len(rows) == 2 * 2 + 1
    assert rows[-1] == "Not measured: bad on <i>data</i>: Expected rows."


def test_curves_of_other_levels_and_ks_stand_in_one_table() -> None:
    mixed = Curves((curve("a"), curve("b", levels=(0.0, 0.1), ks=(1,))))
    rows = [line.split() for line in str(mixed).splitlines()[2:]]
    assert rows[0][-3:] == ["100.0", "-", "100.0"]
    assert rows[1][-3:] == ["-", "-", "-"]
    assert mixed.ks == (1, 10)


def test_nothing_is_shown_too() -> None:
    assert repr(Curves(())) == "<Curves: 0 curves, 0 models, 0 data sets>"
    assert str(Curves(()))
    assert Curves(()).to_dict()["recall"] == []
    with pytest.raises(ArgumentError, match="Expected curves to draw, got none"):
        Curves(()).plot()


def parsed(page: str) -> Any:
    """The page as a strict parser of HTML reads it."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parseFragment(page)


@given(st.text(min_size=1).filter(str.isprintable))
def test_a_notebook_runs_no_name(name: str) -> None:
    page = Curves((curve(f"<script>{name}"),), (f"<img>{name}",))._repr_html_()
    tree = parsed(page)
    tags = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
    assert tags <= {
        "DOCUMENT_FRAGMENT",
        *("div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"),
    }
    assert f"<script>{name}" in "".join(tree.itertext())


HOSTILE = "a\nb\u202ec\x1b[31m"
SHOWN = "a b\\u202ec\\x1b[31m"


def test_no_name_breaks_a_line_or_turns_it_round() -> None:
    one = curve(HOSTILE)
    several = Curves((one, curve("ours")), (f"{HOSTILE} on set: no",))
    for shown in (
        *(str(one), repr(one), one._repr_html_()),
        *(str(several), several._repr_html_()),
    ):
        assert SHOWN in shown
        assert not any(sign in shown for sign in ("a\nb", "\u202e", "\x1b"))
    # Columns of numbers stay below one another.
    lines = str(several).splitlines()
    assert len({len(line) for line in lines[2:-1]}) == 1
    assert lines[-1] == f"Not measured: {SHOWN} on set: no"


def test_a_long_table_is_cut_with_a_word() -> None:
    many = Curves(tuple(curve(f"model-{number}") for number in range(40)))
    page = parsed(many._repr_html_())
    assert len(page.findall(".//tbody/tr")) == 60
    assert "20 rows more: to_dataframe() has all of them." in page.find(".//p").text


@pytest.fixture
def pyplot(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


def test_lines_are_recalls_in_percent(pyplot: Any) -> None:
    axes = CURVES["ours", "side", 1].plot(k=1, direction="report-to-image")
    (line, chance) = axes.get_lines()
    assert np.allclose(line.get_xdata(), [0, 50])
    assert np.allclose(line.get_ydata(), [80, 30])
    assert np.allclose(chance.get_ydata(), [2, 2])
    assert len(axes.collections) == 1
    assert axes.get_ylabel() == "Recall@1 (%)"
    figure, own = pyplot.subplots()
    assert CURVES.plot(axes=own) is own
    assert len(own.get_legend_handles_labels()[1]) == len(CURVES)
    figure.canvas.draw()


def test_a_name_is_no_formula_and_is_never_left_out(pyplot: Any) -> None:
    axes = Curves((curve("_a\n$\\frac$"),)).plot()
    axes.figure.canvas.draw()
    assert axes.get_legend_handles_labels()[1] == [" _a $\\frac$"]
    assert pyplot.get_fignums()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 3}, "Expected a k that was measured"),
        ({"direction": "i2t"}, "Did you mean 'image-to-report'"),
        ({"axes": 3}, "Expected axes of matplotlib, got axes of type int"),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        CURVES.plot(**arguments)


def test_without_matplotlib_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotOnThisMachineError, match=r"pip install .*\[plots\]"):
        CURVES.plot()


def test_both_directions_are_shown() -> None:
    assert all(direction in CURVES._repr_html_() for direction in DIRECTIONS)
