"""The HTML report without a browser: its numbers, that it stands alone, and that no
name can harm it.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_retrieval_robust.core.cases import DIRECTIONS
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.html.svg import described
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.terminal.summary import summary_lines

from ..nasty_names import NASTY
from ..records import (
    multiplied,
    nothing,
    record,
    renamed,
    sample_sheet,
    searched,
    timed,
    whole_record,
)
from .elements import data_of, element_tag, find, parsed, rows_of, section_of, words

SVG = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return whole_record(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Something of everything, and little of it."""
    gates = "[[gate]]\nlevel = 0.2\nrecall = { 10 = 0.9 }\n"
    folder = tmp_path_factory.mktemp("small")
    return whole_record(folder, ("ours",), queries=30, gates=gates, levels=(0.0, 0.2))


@pytest.fixture(scope="module")
def usual_tags(small: RunRecord) -> Counter[str]:
    return Counter(re.findall("</?[a-z0-9]+", render_html(small)))


def test_it_is_valid_html_with_unique_ids_and_links_that_lead_somewhere(
    run: RunRecord,
) -> None:
    page = parsed(render_html(run))
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    links = [link.get("href", "") for link in find(page, "a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_it_asks_for_nothing_and_runs_nothing_but_its_own(run: RunRecord) -> None:
    page = parsed(render_html(run))
    for element in page.iter():
        assert not {"src", "srcset", "style", "action", "data", "background"} & set(
            element.keys()
        )
        assert not [name for name in element.keys() if name.startswith("on")]  # noqa: SIM118 - no mapping
        assert element.tag not in (
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "image",
            "use",
        )
    assert_only_its_own_may_run(page)
    style = "".join(one.text or "" for one in find(page, "style"))
    assert not re.search(r"@import|url\(", style)


def assert_only_its_own_may_run(page: Element) -> None:
    """The page's policy allows the style sheet and the scripts that stand in it."""
    (policy,) = (
        meta.get("content", "") for meta in find(page, "meta") if meta.get("http-equiv")
    )
    assert policy.startswith("default-src 'none'")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    own = [
        *find(page, "style"),
        *(script for script in find(page, "script") if script.get("type") is None),
    ]
    assert {
        base64.b64encode(hashlib.sha256((one.text or "").encode()).digest()).decode()
        for one in own
    } == allowed
    assert "unsafe" not in policy


def test_the_verdict_comes_first_with_its_reasons(run: RunRecord) -> None:
    page = parsed(render_html(run))
    main = find(page, "main")[0]
    assert main[0].get("id") == "verdict"
    shown = words(main[0])
    assert "Release gate failed" in shown
    for sentence in (
        *run.failures,
        *(v.sentence for v in run.verdicts if v.verdict == "fail"),
    ):
        assert sentence in shown
    assert "clip : its weights are not here" in shown.replace("clip:", "clip :")
    assert "test_x: it broke" in shown


def test_a_run_that_passes_says_so(tmp_path: Path) -> None:
    shown = render_html(
        record(tmp_path, gates="[[gate]]\nlevel = 0.2\nrecall = { 10 = 0.1 }\n")
    )
    assert "Release gate passed" in shown
    assert "Release gate failed" not in shown


def test_the_table_holds_the_recalls_that_were_measured(run: RunRecord) -> None:
    page = parsed(render_html(run))
    table = section_of(page, "table")
    shown = set()
    for row in find(table, "tbody/tr"):
        cells = [words(cell) for cell in row]
        numbers = [float(re.match(r"[\d.]+", cell)[0]) for cell in cells[3:6]]  # type: ignore[index]
        shown |= {
            (
                cells[0],
                cells[1],
                DIRECTIONS[int(row.get("data-direction", ""))],
                int(row.get("data-k", "")),
                *numbers,
            )
        }
    measured = {
        (
            curve.clean.case.model,
            curve.clean.case.occluder,
            direction,
            k,
            *(round(100 * recall, 1) for recall in curve.recall(k, direction).values()),
        )
        for curve in run.curves
        for direction in DIRECTIONS
        for k in (1, 10)
    }
    assert shown == measured


def test_the_downloads_hold_every_point_and_every_difference(run: RunRecord) -> None:
    data = data_of(parsed(render_html(run)))
    for row in rows_of(data["curves"]):
        (outcome,) = (
            one
            for one in run.outcomes
            if (one.case.model, one.case.occluder, one.case.level)
            == (row["model"], row["occluder"], row["level"])
        )
        assert row["recall"] == pytest.approx(
            outcome.recall(row["k"], row["direction"]), abs=1e-6
        )
    assert len(data["curves"]["rows"]) == len(run.outcomes) * 4
    assert run.baseline is not None
    assert len(data["baseline"]["rows"]) == len(run.baseline.cells)
    assert len(data["breaking"]["rows"]) == sum(len(one.shares) for one in run.breaking)
    maps = {(row["model"], row["finding"]): row for row in rows_of(data["sensitivity"])}
    assert len(maps) == sum(1 + len(one.by_label) for one in run.breaking)
    for one in run.breaking:
        shown = maps[one.model, "all images"]
        fall = one.sensitivity.rows[1][2]
        assert shown["r2c3"] == pytest.approx(
            fall, abs=0.001 * max(map(max, one.sensitivity.rows))
        )


def test_every_download_has_its_data_and_every_figure_its_words(run: RunRecord) -> None:
    page = parsed(render_html(run))
    asked = {
        button.get("data-csv")
        for button in find(page, "button")
        if button.get("data-csv")
    }
    assert asked == set(data_of(page))
    plots = [svg for svg in page.iter(SVG) if svg.get("role") == "img"]
    assert plots
    assert all(svg.get("aria-label") for svg in plots)
    figures = find(page, "figure")
    assert all(list(figure.iter(SVG)) for figure in figures)
    assert all(
        find(figure, "ul/li") or find(figure, "table") or find(figure, "p")
        for figure in figures
    )


def test_a_figure_in_words_says_where_a_line_begins_and_ends(run: RunRecord) -> None:
    curve = run.curves[0]
    first, *_, last = curve.recall(10).values()
    told = f"ours: {100 * first:.1f} % with nothing hidden, {100 * last:.1f} % at 40 %"
    assert told in words(parsed(render_html(run)))


def test_every_line_has_a_place_for_every_level_of_its_figure(run: RunRecord) -> None:
    lacking = [
        one
        for one in run.outcomes
        if (one.case.model, one.case.level) != ("theirs", 0.2)
    ]
    assert len(lacking) < len(run.outcomes)
    page = render_html(replace(run, outcomes=tuple(lacking)))
    figures = re.findall(r'<svg class="plot".*?</svg>', page, re.DOTALL)
    for figure in figures:
        (levels,) = re.findall(r'data-levels="([^"]*)"', figure)
        values = re.findall(r'data-values="([^"]*)"', figure)
        assert {one.count(",") for one in values} <= {levels.count(",")}
    assert any(",," in values for values in re.findall(r'data-values="([^"]*)"', page))


def test_losses_against_the_baseline_come_first(run: RunRecord) -> None:
    page = parsed(render_html(run))
    section = section_of(page, "baseline")
    rows = [
        row.get("class", "")
        for row in find(section, "tbody/tr")
        if row.get("data-on") is not None
    ]
    assert "lost" in rows
    assert rows == sorted(rows, key=["lost", "unclear", "gained"].index)
    assert [one.get("id") for one in find(page, "section")].index("baseline") == 1


def test_every_switch_and_button_has_a_name(run: RunRecord) -> None:
    page = parsed(render_html(run))
    parents = {child: parent for parent in page.iter() for child in parent}
    labels = {label.get("for") for label in find(page, "label")}
    for control in (*find(page, "input"), *find(page, "select")):
        assert control.get("id") in labels or words(parents[control])
    assert all(words(button) for button in find(page, "button"))
    assert all(
        region.get("aria-label")
        for region in page.iter()
        if region.get("role") == "region"
    )


def test_headings_rise_by_one_level_at_a_time_and_landmarks_have_names_of_their_own(
    run: RunRecord,
) -> None:
    page = parsed(render_html(run, [sample_sheet()]))
    levels = [
        int(element.tag[1])
        for element in page.iter()
        if re.fullmatch("h[1-6]", element_tag(element))
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    named = {
        element.get("id"): words(element)
        for element in page.iter()
        if element.get("id")
    }
    landmarks = [
        element
        for element in page.iter()
        if element.tag in ("section", "nav") or element.get("role") == "region"
    ]
    names = [
        one.get("aria-label") or named.get(one.get("aria-labelledby", ""))
        for one in landmarks
    ]
    assert all(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_no_name_can_add_to_the_page(small: RunRecord, name: str) -> None:
    usual = parsed(render_html(renamed(small, {"patches": "other(x=1)"})))
    nasty = parsed(
        render_html(renamed(small, {"ours": name, "patches": f"{name}(x=1)"}))
    )
    assert Counter(map(element_tag, nasty.iter())) == Counter(
        map(element_tag, usual.iter())
    )
    assert len(find(nasty, "script")) == len(find(usual, "script")) == 3


@settings(max_examples=25)
@given(name=st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_a_name(
    small: RunRecord, usual_tags: Counter[str], name: str
) -> None:
    page = render_html(renamed(small, {"ours": f"({name})"}))
    page.encode()
    assert Counter(re.findall("</?[a-z0-9]+", page)) == usual_tags


def test_turned_text_is_isolated_and_what_turns_it_is_written_out(
    run: RunRecord,
) -> None:
    page = render_html(renamed(run, {"ours": "مدل\u202eevil"}))
    assert "\u202e" not in page
    assert r"<bdi>مدل\u202eevil</bdi>" in page


def test_a_name_that_a_spreadsheet_would_run_is_in_the_data_as_it_is(
    run: RunRecord,
) -> None:
    data = data_of(parsed(render_html(renamed(run, {"ours": "=1+1"}))))
    assert "=1+1" in {row["model"] for row in rows_of(data["curves"])}


def test_a_long_command_is_shown_to_its_end(run: RunRecord) -> None:
    command = f"pytest {' '.join(f'--option-{place}' for place in range(200))}"
    assert command in words(
        parsed(render_html(replace(run, scope=replace(run.scope, command=command))))
    )


def test_an_empty_run_says_so(run: RunRecord) -> None:
    page = parsed(render_html(nothing(run)))
    shown = words(page)
    assert "Nothing was measured" in shown
    assert "Because nothing was measured." in shown
    assert not find(page, "figure")


def test_one_cell_is_a_table_and_no_curve(tmp_path: Path) -> None:
    shown = words(parsed(render_html(record(tmp_path, gates="", levels=(0.0,)))))
    assert "One level was measured: no curve, and nothing to keep." in shown
    assert "There is no gate: write [[gate]] tables into a robust.toml" in shown


def test_what_is_no_number_is_a_dash_and_breaks_nothing(run: RunRecord) -> None:
    broken = run.outcomes[1]
    scores = replace(
        broken.image_to_report,
        recall={1: float("nan"), 10: float("nan")},
        recall_interval={},
    )
    outcomes = (
        run.outcomes[0],
        replace(broken, image_to_report=scores),
        *run.outcomes[2:],
    )
    page = render_html(replace(run, outcomes=outcomes))
    found = data_of(parsed(page))
    assert None in {row["recall"] for row in rows_of(found["curves"])}
    assert not re.search(
        r"\bnan\b",
        re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL),
        re.IGNORECASE,
    )


def test_a_thousand_cells_are_one_readable_file(tmp_path: Path) -> None:
    one = record(
        tmp_path, 60, gates="", levels=tuple(place / 20 for place in range(20))
    )
    run = multiplied(
        one,
        [f"model-{place}" for place in range(10)],
        ["patches", "box", "a", "b", "c"],
    )
    assert len(run.by_case) == 1000
    page = render_html(run)
    assert len(page.encode()) < 4_000_000
    assert page.count("<tr ") == 10 * 5 * 4
    blocks = render_markdown(run).split("\n\n")
    assert (
        sum(
            line.startswith("| `")
            for line in "".join(blocks[: blocks.index("</details>")]).splitlines()
        )
        <= 2 * 50
    )


def test_in_a_terminal_so_many_tables_as_are_read_are_shown_and_the_rest_is_named(
    tmp_path: Path,
) -> None:
    one = record(tmp_path, 60, gates="", levels=(0.0, 0.2))
    run = multiplied(
        one,
        [f"model-{place}" for place in range(50)],
        [f"occluder-{place}" for place in range(20)],
    )
    brief, whole = (
        "\n".join("".join(span.text for span in line) for line in summary_lines(run, v))
        for v in (0, 1)
    )
    assert len(brief.splitlines()) < 1100
    assert "... and 10 more rows (`-v` shows them all" in brief
    assert "... and 8 more tables (`-v` shows them all" in brief
    assert "more tables" not in whole
    assert all(
        f"model-{place}\n" in whole or f"model-{place} " in whole for place in range(50)
    )


def test_levels_of_an_occluder_with_large_cells_are_shares_and_those_of_severities_are_not(
    tmp_path: Path,
) -> None:
    run = record(tmp_path, 40, gates="", levels=(0.0, 0.05))

    def labels(occluder: str, achieved: float) -> str:
        outcomes = (
            replace(one, achieved_level=achieved if one.case.level else 0.0)
            for one in run.outcomes
        )
        return render_html(
            renamed(replace(run, outcomes=tuple(outcomes)), {"patches": occluder})
        )

    assert "severity of the occlusion" not in labels("patches(grid=3)", 1 / 9)
    assert "severity of the occlusion" in labels("blur(grid=x)", 0.9)


def test_a_line_in_words_tells_of_a_fall_only_where_there_is_one() -> None:
    assert (
        described([(0.0, 0.8), (0.1, 0.7), (0.2, 0.2)], 0.15)
        == "80.0 % with nothing hidden, 20.0 % at 20 %, the steepest fall from 10 % to"
        " 20 %; half of it is gone at 15 %"
    )
    assert "no fall between any two levels" in described(
        [(0.0, 0.5), (0.1, 0.5), (0.2, 0.6)], None
    )
    assert described([(0.0, None)], None) == "no number"


def test_eight_models_six_levels_and_three_occluders_stay_below_two_megabytes(
    tmp_path: Path,
) -> None:
    models = [f"model-{place}" for place in range(8)]
    gates = "[[gate]]\nrecall = { 10 = 0.5 }\n"
    one = record(
        tmp_path,
        levels=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
        ks=(1, 5, 10),
        beside=True,
        gates=gates,
    )
    run = multiplied(one, models, ["patches", "box", "worst"])
    searches = tuple(
        searched(model, place, 100, 16, 14) for place, model in enumerate(models)
    )
    assert (
        len(render_html(replace(run, breaking=searches, costs=timed(run))).encode())
        < 2_000_000
    )


def test_several_mask_layouts_are_one_line_with_their_spread(tmp_path: Path) -> None:
    run = record(tmp_path, gates="", seeds=(0, 1, 2))
    found = data_of(parsed(render_html(run)))
    for row in rows_of(found["curves"]):
        recalls = [
            one.recall(row["k"], row["direction"])
            for one in run.outcomes
            if one.case.level == row["level"]
        ]
        assert row["recall"] == pytest.approx(sum(recalls) / 3, abs=1e-6)
        assert (
            row["level"] == 0 or row["recall low"] < row["recall"] < row["recall high"]
        )
    assert "Means over 3 mask layouts" in render_html(run)


@pytest.mark.parametrize("name", ["sample-report.html", "sample-report-samples.html"])
def test_the_sample_pages_are_those_of_this_version(run: RunRecord, name: str) -> None:
    sample = parsed(
        (Path(__file__).parents[3] / "docs" / name).read_text(encoding="utf-8")
    )
    assert_only_its_own_may_run(sample)
    for tag in ("style", "script"):
        ours, theirs = (
            [one.text for one in find(page, tag) if one.get("id") is None]
            for page in (parsed(render_html(run)), sample)
        )
        assert theirs == ours, (
            "run python -m training.sample_reports, and look at its pictures"
        )
