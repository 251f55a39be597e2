"""Makes the sample pages of docs/reports.md and their pictures.

`python -m training.sample_reports`

A candidate that is worse than its baseline: both are embedded encoders, under the name
that a release would have. It takes some minutes, and Chromium with its driver.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from selenium.webdriver import Chrome

import pytest_retrieval_robust
from tests.reports.chromium import chromium
from training.contact_sheet import DOCS

_WEIGHTS = Path(pytest_retrieval_robust.__file__).parent / "models" / "weights"
_CANDIDATES = {"step-80000": "tiny-cxr-clip", "step-90000": "tiny-cxr-openclip"}
_DATA = ("--robust-datasets", "synthetic-cxr(pairs=80)")
_GATES = """[models.candidate]
checkpoint = "candidates/CHECKPOINT"

[[gate]]
model = "candidate"
level = 0.0
recall = { 1 = 0.70, 10 = 0.95 }

[[gate]]
model = "candidate"
occluder = "patches"
level = 0.2
recall = { 10 = 0.70 }
retention = { 10 = 0.60 }
decide = "bound"

[[gate]]
model = "candidate"
occluder = "patches"
auc = { 10 = 0.40 }
not_worse_than_baseline = { k = 10, margin = 0.05 }
"""
_SEARCH = """
[[gate]]
model = "MODEL"
breaking_share = { k = 10, quantile = QUANTILE, min = 0.01, images = IMAGES, grid = 8 }
"""


@dataclass(frozen=True)
class Shot:
    """A picture of a part of a page."""

    name: str
    page: str
    part: str
    """What is at the top, as a selector."""
    width: int
    height: int
    theme: str = "light"
    above: int = 24


SHOTS = (
    Shot("report-1280.png", "sample-report.html", "body", 1280, 1560, above=0),
    Shot("report-400.png", "sample-report.html", "#curves", 400, 1300, "dark"),
    Shot("report-samples.png", "sample-report-samples.html", "#samples", 1280, 900),
    Shot("report-maps.png", "sample-report-samples.html", "#sensitivity", 1280, 620),
)


def main() -> None:
    """Run the suites, write the pages into `docs/`, and their pictures into `docs/images/`."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _arrange(folder)
        _run_suites(folder)
        for page in {shot.page for shot in SHOTS}:
            shutil.copyfile(folder / page, DOCS / page)
        with chromium(folder) as browser:
            for shot in SHOTS:
                _take(browser, shot)


def _run_suites(folder: Path) -> None:
    """The baseline, then the candidate beside it, then the candidate with samples."""
    policy = folder / "robust.toml"
    two_models = "--robust-models=candidate,tiny-cxr-clip-robust"
    _run(
        folder,
        two_models,
        "--robust-occluders=patches,border",
        "--robust-results=baseline",
    )
    policy.write_text(_gates("step-90000") + _search("0.1", 20))
    _run(
        folder,
        "--robust-models=candidate,tiny-cxr-clip-robust,tiny-general-clip",
        "--robust-occluders=patches,border,worst",
        "--robust-baseline=baseline",
        "--robust-report=sample-report.html",
    )
    policy.write_text(_gates("step-90000") + _search("0.25", 40))
    _run(
        folder,
        two_models,
        "--robust-show-samples",
        "--robust-report=sample-report-samples.html",
    )


def _arrange(folder: Path) -> None:
    """A release's folder: two checkpoints, gates, the suite."""
    for name, encoder in _CANDIDATES.items():
        shutil.copytree(_WEIGHTS / encoder, folder / "candidates" / name)
    (folder / "robust.toml").write_text(_gates("step-80000"))
    _call(folder, "pytest_retrieval_robust", "init", "gate")


def _gates(checkpoint: str) -> str:
    return _GATES.replace("CHECKPOINT", checkpoint)


def _search(quantile: str, images: int) -> str:
    """For the models that find something with nothing hidden."""
    table = _SEARCH.replace("QUANTILE", quantile).replace("IMAGES", str(images))
    tables = [table.replace("MODEL", model) for model in ("candidate", "tiny-cxr-*")]
    return "".join(tables)


def _run(folder: Path, *options: str) -> None:
    _call(folder, "pytest", "gate", "--robust-config=robust.toml", *_DATA, *options)


def _call(folder: Path, *arguments: str) -> None:
    """Run a module, whatever its exit status: these candidates are there to fail."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, check=False
    )


def _take(browser: Chrome, shot: Shot) -> None:
    size = {
        "width": shot.width,
        "height": 900,
        "deviceScaleFactor": 1,
        "mobile": shot.width < 600,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((DOCS / shot.page).as_uri())
    browser.execute_script(
        "document.documentElement.dataset.theme = arguments[0]", shot.theme
    )
    script = (
        "return document.querySelector(arguments[0]).getBoundingClientRect().top +"
        " scrollY"
    )
    top = max(0, browser.execute_script(script, shot.part) - shot.above)
    clip = {"x": 0, "y": top, "width": shot.width, "height": shot.height, "scale": 1}
    screenshot = browser.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    content = io.BytesIO(base64.b64decode(screenshot["data"]))
    picture = Image.open(content).convert("RGB").quantize(255)
    picture.save(DOCS / "images" / shot.name, optimize=True)


if __name__ == "__main__":
    main()
