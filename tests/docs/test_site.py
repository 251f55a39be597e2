"""The documentation site: built without a network, its links lead somewhere, it can be
searched from its files, and no page is wider than a phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import pytest_retrieval_robust
from pytest_retrieval_robust import strategies

from .. import forked_commands
from ..reports import chromium
from .pages import ROOT, read

WITHOUT_NETWORK = """
import gc, socket, sys
from sphinx.cmd.build import main


def refuse(*arguments):
    raise OSError("the site is built without a network")


socket.socket.connect = socket.getaddrinfo = refuse
# The documents stay to the end: looking for rubbish among them takes a fifth of the time.
gc.set_threshold(50_000, 50, 50)
sys.exit(main(sys.argv[1:]))
"""
STATED_WHOLE = ("docs/sample-report", "docs/sample-leaderboard")
"""Pages that a run wrote: `tests/reports` has tests of their kind."""
WIDE = ("README", "docs/gates", "docs/options", "docs/task", "docs/api-results")
"""Long code, long tables, formulae and signatures."""


class Page(HTMLParser):
    """What a page links to, loads and can be linked to at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.anchors |= {attributes.get("id", ""), attributes.get("name", "")}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "link" and attributes.get("rel") == "stylesheet":
            self.loaded.append(attributes["href"])
        if tag in ("script", "img", "iframe", "source") and "src" in attributes:
            self.loaded.append(attributes["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site: by the command of `make docs`, with neither git nor a network."""
    folder = tmp_path_factory.mktemp("site")
    options = made_by_make()
    options[options.index("build/doctrees")] = str(folder / "doctrees")
    options[options.index("build/site")] = str(folder / "site")
    done = forked_commands.run(
        ["python", "-c", WITHOUT_NETWORK, *options],
        ROOT,
        {"PATH": "", "HOME": str(folder)},
    )
    assert done.status == 0, done.printed
    return folder / "site"


def made_by_make() -> list[str]:
    """The options that `make docs` gives Sphinx."""
    (recipe,) = re.findall(
        r"^docs:.*\n\t.* -m sphinx ((?:.*\\\n)*.*)$", read("Makefile"), re.MULTILINE
    )
    return str(recipe).replace("\\\n", " ").split()


@pytest.fixture(scope="module")
def pages(site: Path) -> Mapping[Path, Page]:
    """Every page of the site but those of runs."""
    return {
        path: Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if not str(path.relative_to(site)).startswith(STATED_WHOLE)
    }


def test_a_warning_fails_the_build() -> None:
    assert {"--fail-on-warning", "--nitpicky", "--fresh-env"} <= {*made_by_make()}


def test_every_link_leads_somewhere(site: Path, pages: Mapping[Path, Page]) -> None:
    assert len(pages) > 60
    assert [f"{path.name}: {link}" for path, link in dead_links(pages)] == []
    assert (site / "index.html").exists()


def dead_links(pages: Mapping[Path, Page]) -> Iterator[tuple[Path, str]]:
    """Links and pictures of the site that are not there, and anchors that no page has."""
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            if re.match(r"[a-z]+:", link):
                continue
            place, _, anchor = unquote(link).partition("#")
            place = place.partition("?")[0]
            target = (path.parent / place).resolve() if place else path
            beside = pages.get(target)
            is_no_anchor = beside is not None and anchor not in {"", *beside.anchors}
            if not target.exists() or is_no_anchor:
                yield path, link


def test_nothing_is_loaded_from_elsewhere(
    site: Path, pages: Mapping[Path, Page]
) -> None:
    loaded = {address for page in pages.values() for address in page.loaded}
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []
    sheets = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert sheets
    assert (
        re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", "".join(sheets)) == []
    )


def test_the_api_is_every_public_name_and_no_other(pages: Mapping[Path, Page]) -> None:
    package = pytest_retrieval_robust.__name__
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    described = {
        anchor.removeprefix(f"{package}.")
        for anchor in anchors
        if re.fullmatch(rf"{package}\.(strategies\.)?\w+", anchor)
    }
    drawn = {f"strategies.{name}" for name in strategies.__all__}
    assert described == {*pytest_retrieval_robust.__all__} | drawn


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if chromium.MISSING:
        pytest.skip(chromium.MISSING)
    with chromium.chromium(tmp_path_factory.mktemp("downloads")) as started:
        yield started


def test_a_search_needs_no_server(site: Path, browser: Chrome) -> None:
    browser.get(f"{(site / 'search.html').as_uri()}?q=reciprocal")
    link = "#search-results a[href^='docs/task.html']"
    WebDriverWait(browser, 30).until(
        lambda shown: shown.find_elements(By.CSS_SELECTOR, link)
    )
    assert chromium.console(browser) == []


@pytest.mark.parametrize("page", WIDE)
def test_no_page_is_wider_than_a_phone(page: str, site: Path, browser: Chrome) -> None:
    # A window of the browser cannot be made as narrow.
    phone = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    browser.get((site / f"{page}.html").as_uri())
    widths = "return [document.documentElement.scrollWidth, window.innerWidth]"
    assert browser.execute_script(widths) == [400, 400]
