"""`--robust-show-samples`: what it shows and by which rule, that it stays in the page,
and that no text harms it.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.core.cases import CLEAN, Cell, PlannedPerturbation
from pytest_retrieval_robust.core.sample_sheets import (
    expect_sheets,
    hand_over,
    handed_over,
)
from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.measure.samples.choice import (
    middle_level,
    queries_to_show,
)
from pytest_retrieval_robust.measure.samples.pictures import SIDE, picture
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.run.sample_notes import note_of_missing

from ..conftest import SMALL, THREE_LINES, Run
from ..saved_runs import make_run
from .html.elements import find, parsed, words
from .nasty_names import NASTY
from .records import record, sample_sheet, searched
from .saved.test_read import DATASETS

pytestmark = pytest.mark.usefixtures("one_thread")
SHOW = "--robust-show-samples"
PIXELS = ("<img", "data:image", "base64,", "/9j/", "iVBOR")
RANKS = arrays(np.int64, 12, elements=st.integers(1, 12))


@pytest.fixture
def page_of(pytester: pytest.Pytester) -> Any:
    def read(name: str = "a.html") -> str:
        return (pytester.path / name).read_text(encoding="utf-8")

    return read


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return record(tmp_path_factory.mktemp("small"), 40, gates="", levels=(0.0, 0.2))


def section(page: str) -> Element:
    (found,) = (
        one for one in find(parsed(page), "section") if one.get("id") == "samples"
    )
    return found


def shown_texts() -> list[str]:
    """The beginnings of the reports of the smoke run's gallery."""
    dataset = load_dataset("synthetic-cxr")
    groups = set(dataset.image_groups[:24].tolist())
    return [
        text[:40]
        for text, group in zip(dataset.reports, dataset.report_groups, strict=True)
        if group in groups
    ]


# What is chosen


@given(RANKS, RANKS)
def test_queries_are_chosen_by_the_rules_that_the_page_states(
    before: Any, after: Any
) -> None:
    chosen = queries_to_show(before, after)
    assert 1 <= len(chosen) <= 5
    by_rule: dict[str, list[int]] = {}
    for place, why in chosen.items():
        by_rule.setdefault(why, []).append(place)
    falls = after - before
    fallen = by_rule.get("Fell furthest", [])
    assert len(fallen) == min(3, int((falls > 0).sum()))
    assert sorted(falls[fallen]) == sorted(falls[falls > 0])[-3:]
    stayed = np.flatnonzero((before == 1) & (after == 1)).tolist()
    assert by_rule.get("Stayed first", []) == stayed[:1]
    rest = [place for place in range(12) if place not in (*fallen, *stayed[:1])]
    for place in by_rule.get("Typical", []):
        assert place in rest
        assert after[place] >= sorted(after)[5]


def test_the_level_shown_is_the_middle_one_of_the_first_occluder_and_seed() -> None:
    cells = [
        Cell(name, level, seed)
        for name in ("b", "a")
        for level in (0.1, 0.3, 0.2, 0.4)
        for seed in (3, 1)
    ]
    changes = [PlannedPerturbation("occlusion", name) for name in ("b", "a")]
    assert middle_level([CLEAN, *cells], changes) == Cell("b", 0.2, 1)
    assert middle_level([CLEAN], changes) is None


def test_a_corruption_is_shown_where_nothing_is_hidden_and_a_text_noise_never() -> None:
    corrupted = [Cell("b", level, 0, "corruption") for level in (0.6, 0.2, 1)]
    noised = [Cell("a", 0.2, 0, "text-noise")]
    changes = [PlannedPerturbation("corruption", "b")]
    assert middle_level([CLEAN, *noised, *corrupted], changes) == corrupted[0]
    assert middle_level([CLEAN, *noised], changes) is None


def test_a_picture_is_small_and_clamps_what_overshoots() -> None:
    pixels = torch.full((3, 400, 400), 1.5)
    pixels[:, :200] = -2.0
    pixels[:, :, 399] = torch.nan
    image = Image.open(io.BytesIO(picture(pixels)))
    assert (image.format, image.size, image.mode) == ("JPEG", (SIDE, SIDE), "L")
    assert image.getpixel((10, 10)) < 9  # type: ignore[operator]
    assert image.getpixel((10, 150)) > 246  # type: ignore[operator]


# What is written where


def test_pixels_and_texts_are_in_the_page_with_the_option_and_nowhere_else(
    run_suite: Run,
    pytester: pytest.Pytester,
    page_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "step.md"))
    others = (
        "--robust-report=a.md",
        "--robust-report=a.json",
        "--robust-results=saved",
        "--junit-xml=j.xml",
    )
    result = run_suite("--robust-report=a.html", *others, SHOW)
    assert result.ret == 0
    shown = section(page_of())
    assert "may show patients' data" in words(shown)
    texts = shown_texts()
    assert sum(text in words(shown) for text in texts) >= 3
    pictures = [image.get("src", "") for image in find(shown, "img")]
    assert 4 <= len(pictures) <= 10
    for source in pictures:
        content = base64.b64decode(
            source.removeprefix("data:image/jpeg;base64,"), validate=True
        )
        assert max(Image.open(io.BytesIO(content)).size) <= SIDE
    assert len(page_of()) < 250_000
    files = [
        path
        for path in pytester.path.rglob("*")
        if path.is_file() and path.suffix not in (".html", ".pyc")
    ]
    assert {"a.md", "a.json", "run.json", "ranks.npz", "j.xml", "step.md"} <= {
        path.name for path in files
    }
    for written in (
        *(path.read_bytes() for path in files),
        str(result.stdout).encode(),
        str(result.stderr).encode(),
    ):
        for sign in (*texts, *PIXELS):
            assert sign.encode() not in written


def test_a_long_report_is_shown_to_its_end(run: RunRecord) -> None:
    text = " ".join(f"sentence {place}." for place in range(300))
    assert text in words(section(render_html(run, [sample_sheet(text)])))


def test_without_the_option_the_page_holds_neither(
    run_suite: Run, page_of: Any
) -> None:
    assert run_suite("--robust-report=a.html").ret == 0
    for sign in (*shown_texts(), *PIXELS, "data:", 'id="samples"'):
        assert sign not in page_of()
    assert "no image, no report's text, no patient's id" in page_of()


def test_by_the_ini_twin_too_every_image_says_what_it_is_and_ranks_are_those_of_the_reports_shown(
    run_suite: Run, pytester: pytest.Pytester, page_of: Any
) -> None:
    pytester.makeini("[pytest]\nrobust_show_samples = true\n")
    assert run_suite("--robust-report=a.html").ret == 0
    articles = find(section(page_of()), "article")
    assert 2 <= len(articles) <= 5
    for article in articles:
        before, after = re.findall(
            r"\d+", words(find(article, "h4")[0]).split("rank")[1]
        )[:2]
        for rank, kept in zip((before, after), find(article, "ol"), strict=True):
            items = find(kept, "li")
            assert len(items) == 3
            first = [
                place
                for place, item in enumerate(items, 1)
                if item.get("class") == "right"
            ][:1]
            assert first == ([int(rank)] if int(rank) <= 3 else [])
        alts = [image.get("alt", "") for image in find(article, "img")]
        assert alts[0].endswith("nothing hidden")
        assert alts[1].endswith("% of it hidden")


def test_the_smallest_breaking_occlusions_are_shown_where_they_were_searched(
    pytester: pytest.Pytester, page_of: Any
) -> None:
    pytester.makepyfile(test_mine="def test_it(breaking): pass\n")
    search = ("--robust-search-grid=4", "--robust-search-images=6", "--robust-k=5")
    options = (*search, "--robust-report=a.html", SHOW, "--robust-measure-only")
    assert (
        pytester.runpytest_inprocess(*SMALL, *options, "--robust-results=out").ret == 0
    )
    (facts,), saved = (
        json.loads((pytester.path / "out/run.json").read_text())[key]
        for key in ("datasets", "run")
    )
    assert (facts["name"], facts["images"], facts["pixel_digest"]) == (
        "synthetic-cxr",
        24,
        None,
    )
    assert saved["failures"] == []
    shown = section(page_of())
    assert "out of the top 5, 4 x 4 cells, black" in words(shown)
    assert "No recall was measured" in page_of()
    assert "Data set <bdi>synthetic-cxr</bdi>" in page_of()
    for heading in find(shown, "h4"):
        before, after = map(
            int, re.findall(r"\d+", words(heading).split("rank")[1])[:2]
        )
        assert before <= 5 < after
    assert words(find(shown, "h4")[0]).startswith("The smallest:")
    hidden = [
        re.search(r"([\d.]+) % of it", image.get("alt", ""))
        for image in find(shown, "img")[1::2]
    ]
    for image, told in zip(find(shown, "img")[1::2], hidden, strict=True):
        content = base64.b64decode(image.get("src", "").split(",")[1])
        cells = np.asarray(
            Image.open(io.BytesIO(content))
            .convert("L")
            .resize((4, 4), Image.Resampling.BOX)
        )
        assert told is not None
        assert f"{100 * (cells < 12).mean():.1f}" == told[1]


def test_sensitivity_maps_lie_over_the_mean_of_the_searched_images_where_asked_for(
    pytester: pytest.Pytester, page_of: Any
) -> None:
    pytester.makepyfile(test_mine="def test_it(breaking): pass\n")
    options = (
        "--robust-search-grid=2",
        "--robust-search-images=24",
        "--robust-report=a.html",
        "--robust-measure-only",
    )
    assert pytester.runpytest_inprocess(*SMALL, *options).ret == 0
    for sign in ("<image", "<use", *PIXELS):
        assert sign not in page_of()
    assert "Maps are means over many images and show none." in page_of()

    assert pytester.runpytest_inprocess(*SMALL, *options, SHOW).ret == 0
    (drawn,) = find(parsed(page_of()), "{*}image")
    content = base64.b64decode(
        drawn.get("href", "").removeprefix("data:image/jpeg;base64,"), validate=True
    )
    seen = np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=np.float64)
    dataset = load_dataset("synthetic-cxr")  # whose images are squares
    expected = sum(
        np.asarray(
            dataset.image(number).convert("L").resize(seen.shape, Image.Resampling.BOX),
            dtype=np.float64,
        )
        / 24
        for number in range(24)
    )
    assert np.abs(seen - expected).mean() < 3  # grey levels, of what JPEG takes away
    maps = [
        one
        for one in find(parsed(page_of()), "{*}svg")
        if (one.get("class") or "").startswith("map")
    ]
    assert maps
    for one in maps:
        assert [use.get("href") for use in find(one, "{*}use")] == [
            f"#{drawn.get('id')}"
        ]


def test_where_nothing_breaks_there_is_the_mean_alone(run: RunRecord) -> None:
    sheet = replace(sample_sheet(), kind="breaking", samples=(), mean=b"JPEG")
    page = render_html(run, [sheet])
    assert 'id="samples"' not in page
    assert "no image, no report's text" not in page
    assert "img-src data:" in page


# Why there is nothing to see


def test_a_replay_says_why_it_shows_nothing(
    pytester: pytest.Pytester, page_of: Any
) -> None:
    make_run(pytester.path / "store").save(pytester.path / "mine")
    pytester.makeconftest(DATASETS)
    result = pytester.runpytest_inprocess(
        "--robust-replay=mine", "--robust-report=a.html", SHOW
    )
    assert result.ret == 1  # without a gate nothing is judged
    assert "a saved run holds no images and no report texts" in " ".join(
        result.stdout.str().split()
    )
    assert "a saved run holds no images" in page_of()
    assert 'id="samples"' not in page_of()


def test_without_a_page_it_says_where_samples_are_shown(run_suite: Run) -> None:
    result = run_suite("--robust-report=a.md", SHOW)
    assert result.ret == 0
    assert "Add --robust-report FILE.html" in " ".join(result.stdout.str().split())


def test_samples_of_a_search_that_are_missing_are_said(tmp_path: Path) -> None:
    run = replace(
        record(tmp_path, 40, gates="", levels=(0.0, 0.2)), breaking=(searched("ours"),)
    )
    hidden = sample_sheet()
    note = note_of_missing(run, [hidden], has_page=True)
    assert "lacks samples of ours on d:" in (note or "")
    sheets = [hidden, replace(hidden, kind="breaking")]
    assert note_of_missing(run, sheets, has_page=True) is None


def test_images_that_cannot_be_shown_again_fail_no_test(
    pytester: pytest.Pytester, page_of: Any
) -> None:
    pytester.makeconftest(
        "from itertools import count\nimport pytest\nfrom pytest_retrieval_robust"
        " import load_model\nfrom pytest_retrieval_robust.models import ModelEntry\ndef"
        " load(request):\n    model, calls = load_model('tiny-cxr-clip',"
        " device=request.device), count()\n    prepare, model.name = model.prepare,"
        " 'ours'\n    model.prepare = lambda image: prepare(image) if next(calls) < 24"
        " else 1 / 0\n    return model\n@pytest.hookimpl(optionalhook=True)\ndef"
        " pytest_robust_register(catalogues):\n   "
        " catalogues.models.add(ModelEntry('ours', 'reads once', load))\n"
    )
    pytester.makepyfile(test_mine=THREE_LINES)
    options = (
        "--robust-models=ours",
        "--robust-no-cache",
        "--robust-report=a.html",
        SHOW,
        "--robust-measure-only",
    )
    result = pytester.runpytest_inprocess(*SMALL, *options)
    assert result.ret == 0
    assert "lacks samples of ours on synthetic-cxr" in " ".join(
        result.stdout.str().split()
    )
    assert "<img" not in page_of()


# From workers to their controller


def test_a_sheet_crosses_whole_and_only_where_the_controller_made_a_folder(
    tmp_path: Path,
) -> None:
    hand_over(sample_sheet(), tmp_path)
    assert list(tmp_path.rglob("*")) == []
    expect_sheets(tmp_path)
    hand_over(sample_sheet("text 😀 é"), tmp_path)
    breaking = replace(sample_sheet(), kind="breaking", mean=b"\xff\xd8 a JPEG")
    hand_over(breaking, tmp_path)
    assert sorted(handed_over(tmp_path), key=lambda one: one.kind) == [
        breaking,
        sample_sheet("text 😀 é"),
    ]
    assert not list(tmp_path.rglob("*.part"))


# What the page makes of it


@pytest.mark.parametrize(
    "text",
    [*NASTY, "تقرير الأشعة: لا يوجد انصباب\u202e txet"],
    ids=range(len(NASTY) + 1),
)
def test_no_text_of_a_report_changes_what_the_page_is(
    run: RunRecord, text: str
) -> None:
    usual, nasty = (render_html(run, [sample_sheet(one)]) for one in ("a report", text))
    assert Counter(re.findall("</?[a-z0-9]+", nasty)) == Counter(
        re.findall("</?[a-z0-9]+", usual)
    )
    assert not set("\u202e\u2066\x00\x07\x1b") & set(nasty)
    parsed(nasty)


def test_only_a_page_with_samples_may_show_images_and_only_its_own(
    run: RunRecord,
) -> None:
    policies = []
    for page in (render_html(run), render_html(run, [sample_sheet()])):
        policies += [
            meta.get("content", "")
            for meta in find(parsed(page), "meta")
            if meta.get("http-equiv")
        ]
    assert policies[1] == policies[0].replace("; base-uri", "; img-src data:; base-uri")
    assert "img-src" not in policies[0]


def test_a_record_has_no_place_for_samples(run: RunRecord) -> None:
    shown = render_html(run, [sample_sheet("THE-TEXT")])
    assert "THE-TEXT" in shown
    assert "THE-TEXT" not in render_html(run)
    assert not [name for name in vars(run) if "sample" in name]
