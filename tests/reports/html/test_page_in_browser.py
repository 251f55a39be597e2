"""The HTML report in a real browser: it opens in silence, and everything on it works by
mouse and keyboard.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.html.page import render_html

from ..chromium import MISSING, chromium, console, requests
from ..nasty_names import NASTY
from ..records import renamed, sample_sheet, whole_record

pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return whole_record(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Chrome]:
    with chromium(folder) as found:
        yield found


@pytest.fixture
def page(browser: Chrome, run: RunRecord, tmp_path: Path) -> Iterator[Chrome]:
    """The report, opened from the disk; whatever a test does, no request may leave and
    the console stays silent.
    """
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size(1280))
    show(browser, tmp_path, render_html(run))
    yield browser
    assert console(browser) == []
    assert [
        url
        for url in requests(browser)
        if not url.startswith(("file:", "blob:null/", "data:,"))
    ] == []


def show(browser: Chrome, folder: Path, content: str) -> None:
    (folder / "report.html").write_text(content, encoding="utf-8")
    browser.get((folder / "report.html").as_uri())


def size(width: int) -> dict[str, Any]:
    return {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}


def choose(browser: Chrome, name: str, value: object) -> None:
    browser.find_element(
        By.CSS_SELECTOR, f"input[name={name}][value='{value}']"
    ).click()


def visible(browser: Chrome, selector: str) -> list[WebElement]:
    return [
        one
        for one in browser.find_elements(By.CSS_SELECTOR, selector)
        if one.is_displayed()
    ]


def test_k_and_direction_switch_every_figure_and_table(page: Chrome) -> None:
    (before,) = visible(page, "#curves figure strong")
    assert before.text.startswith("Recall@10, image to report, patches")
    choose(page, "k", 1)
    choose(page, "direction", 1)
    (after,) = visible(page, "#curves figure strong")
    assert after.text.startswith("Recall@1, report to image, patches")
    for selector in ("#table tbody tr", "#baseline tbody tr"):
        rows = visible(page, selector)
        assert rows
        assert {
            (row.get_attribute("data-k"), row.get_attribute("data-direction"))
            for row in rows
        } == {("1", "1")}


def test_the_occluder_and_the_model_are_chosen_from_lists(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "#choose-occluder option[value='1']").click()
    (curves,) = visible(page, "#curves figure strong")
    assert ", worst on d" in curves.text
    page.find_element(By.CSS_SELECTOR, "#choose-model option[value='1']").click()
    (beside,) = visible(page, "#occluders figure strong")
    assert ", theirs on d" in beside.text


def points(browser: Chrome) -> list[float]:
    return [
        float(cell.text)
        for cell in visible(browser, "#baseline tbody tr > :nth-child(2)")
    ]


def test_a_table_sorts_by_a_heading_both_ways_and_says_so(page: Chrome) -> None:
    head = page.find_element(By.CSS_SELECTOR, "#baseline th:nth-child(2)")
    button = head.find_element(By.TAG_NAME, "button")
    assert len(set(points(page))) > 1
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    assert points(page) == sorted(points(page), reverse=True)
    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"
    assert points(page) == sorted(points(page))


def test_the_data_comes_as_csv(page: Chrome, run: RunRecord, folder: Path) -> None:
    target = folder / "curves.csv"
    target.unlink(missing_ok=True)
    visible(page, "button[data-csv=curves]")[0].click()
    WebDriverWait(page, 10).until(lambda _: target.exists() and target.read_text())
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert len(rows) == len(run.outcomes) * 4
    first = run.outcomes[0]
    assert float(rows[0]["recall"]) == pytest.approx(
        first.recall(int(rows[0]["k"])), abs=1e-6
    )


def test_a_downloaded_name_is_no_formula(
    browser: Chrome, run: RunRecord, folder: Path, tmp_path: Path
) -> None:
    target = folder / "breaking.csv"
    target.unlink(missing_ok=True)
    show(browser, tmp_path, render_html(renamed(run, {"ours": '=1+1,"\n'})))
    visible(browser, "button[data-csv=breaking]")[0].click()
    # The file may be there before what it holds is.
    WebDriverWait(browser, 10).until(lambda _: target.exists() and target.read_text())
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert rows[0]["model"] == "'=1+1,\" "
    assert len(rows) == sum(len(one.shares) for one in run.breaking)


def ground(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").value_of_css_property(
        "background-color"
    )


def test_dark_and_light_follow_the_system_or_the_switch(page: Chrome) -> None:
    seen = {}
    for system in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": system}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for theme in ("auto", "light", "dark"):
            choose(page, "theme", theme)
            seen[system, theme] = ground(page)
    assert seen["light", "auto"] == seen["light", "light"] == seen["dark", "light"]
    assert seen["dark", "auto"] == seen["dark", "dark"] == seen["light", "dark"]
    assert seen["light", "light"] != seen["dark", "dark"]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_line_is_hidden_by_its_name_in_the_legend(page: Chrome) -> None:
    lines = "#curves figure[data-on] .trace"
    before = len(visible(page, lines))
    button = visible(page, "#curves .legend button")[0]
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert len(visible(page, lines)) == before - 2
    button.click()
    assert len(visible(page, lines)) == before


def test_the_pointer_reads_the_values_of_a_level(page: Chrome) -> None:
    ActionChains(page).move_to_element(visible(page, "#curves .plot")[0]).perform()
    (shown,) = visible(page, ".readout")
    assert shown.text.startswith("20 % hidden")
    assert "theirs" in shown.text


def test_every_control_is_reached_by_keyboard_and_has_a_name(page: Chrome) -> None:
    wanted = {
        one.id
        for one in visible(
            page, "a, button, select, summary, [tabindex='0'], input[type=checkbox]"
        )
    }
    reached, groups = set(), set()
    body = page.find_element(By.TAG_NAME, "body")
    ActionChains(page).send_keys(Keys.TAB).perform()
    for _ in range(len(wanted) + 40):
        focused = page.switch_to.active_element
        if focused == body:
            break
        assert focused.accessible_name, focused.get_attribute("outerHTML")
        reached.add(focused.id)
        if focused.get_attribute("type") == "radio":
            groups.add(focused.get_attribute("name"))
        ActionChains(page).send_keys(Keys.TAB).perform()
    assert wanted <= reached
    assert groups == {"k", "direction", "theme"}


def test_arrow_keys_move_within_a_switch(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "input[name=k][value='10']").send_keys(
        Keys.ARROW_LEFT
    )
    (figure,) = visible(page, "#curves figure strong")
    assert figure.text.startswith("Recall@1,")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(page: Chrome, width: int) -> None:
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size(width))
    assert page.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_no_name_runs_or_spoils_the_page(
    browser: Chrome, run: RunRecord, tmp_path: Path, name: str
) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size(400))
    console(browser), requests(browser)
    show(
        browser,
        tmp_path,
        render_html(renamed(run, {"ours": name, "patches": f"{name}(x=1)"})),
    )
    assert console(browser) == []
    assert {url.partition(":")[0] for url in requests(browser)} == {"file"}
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
    choose(browser, "k", 1)
    assert len(visible(browser, "#curves figure")) == 1


def test_paper_says_what_was_chosen(page: Chrome) -> None:
    choose(page, "k", 1)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    (told,) = visible(page, ".on-paper")
    assert told.text.startswith("Shown here: Recall@1, image to report")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert not visible(page, ".on-paper")


def test_a_link_to_a_folded_part_opens_it(page: Chrome) -> None:
    policy = page.find_element(By.ID, "policy")
    assert policy.get_attribute("open") is None
    visible(page, "a[href='#policy']")[0].click()
    # The page learns of its new address by an event, which may come after the click.
    WebDriverWait(page, 10).until(lambda _: policy.get_attribute("open") is not None)


def test_on_paper_everything_is_open(page: Chrome) -> None:
    assert page.find_elements(By.CSS_SELECTOR, "details:not([open])")
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert not page.find_elements(By.CSS_SELECTOR, "details:not([open])")
    assert len(page.print_page()) > 10_000


def test_without_scripts_every_view_is_there(
    browser: Chrome, run: RunRecord, tmp_path: Path
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, tmp_path, render_html(run))
        time.sleep(0.2)
        assert len(visible(browser, "#table tbody tr")) == len(run.curves) * 4
    finally:
        browser.execute_cdp_cmd(
            "Emulation.setScriptExecutionDisabled", {"value": False}
        )
        console(browser), requests(browser)


@pytest.mark.parametrize("width", [400, 1280])
def test_samples_are_drawn_from_the_page_alone(
    browser: Chrome, run: RunRecord, tmp_path: Path, width: int
) -> None:
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size(width))
    console(browser), requests(browser)
    show(browser, tmp_path, render_html(run, [sample_sheet("a long report " * 40)]))
    images = visible(browser, "#samples img")
    assert [image.get_property("naturalWidth") for image in images] == [32, 32]
    assert (
        browser.execute_script("return document.documentElement.scrollWidth") <= width
    )
    assert console(browser) == []
    assert [
        url
        for url in requests(browser)
        if not url.startswith(("file:", "data:image/jpeg;base64,"))
    ] == []
