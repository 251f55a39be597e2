"""Chromium and its driver as the distribution has them; without these, what needs them
is skipped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
MISSING = (
    None
    if BROWSER and DRIVER
    else "no chromium and chromedriver here: apt-get install chromium chromium-driver"
)


@contextmanager
def chromium(downloads: Path) -> Iterator[Chrome]:
    """A browser without a window, that keeps what it downloads there, and logs its
    console and requests.
    """
    options = ChromeOptions()
    options.binary_location = BROWSER or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--force-prefers-reduced-motion",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(downloads)}
    )
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    browser = Chrome(options, Service(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


def console(browser: Chrome) -> list[dict[str, Any]]:
    """What the console was told since it was last asked."""
    return browser.get_log("browser")  # type: ignore[no-any-return, no-untyped-call]


def requests(browser: Chrome) -> list[str]:
    """The addresses that were asked for since this was last asked."""
    events = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")  # type: ignore[no-untyped-call]
    ]
    sent = [
        event["params"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    return [one["request"]["url"] for one in sent]
