"""What a report takes, of 8 models x 6 levels x 3 occluders x 2 directions x 3 k.

`python -m benchmarks.reports [--models N]`

Writing: seconds of each report beside those of `run.json`, in turns, each the median
over rounds after one that is not counted. Opening: seconds until Chromium has drawn the
page from the disk, beside an empty page, in turns; left out where there is no Chromium.
The run has gates, a baseline, costs, and a search with 15 maps for each model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from pytest_retrieval_robust.gate.record import RunRecord
from pytest_retrieval_robust.reports.html.page import render_html
from pytest_retrieval_robust.reports.markdown.report import render_markdown
from pytest_retrieval_robust.reports.saved_run import render_json
from tests.reports.chromium import MISSING, chromium
from tests.reports.records import multiplied, record, searched, timed

MODELS = 8
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
ROUNDS = 7


def main() -> None:
    """Print a table for writing and, where it can be measured, one for opening."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=MODELS)
    models = parser.parse_args().models
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = big_run(folder, models)
        _writing(run)
        if MISSING is None:
            _opening(run, folder)
        else:
            print(f"opening: {MISSING}")


def big_run(folder: Path, count: int = MODELS) -> RunRecord:
    """A run of so many models, as large as the reports promise to be quick for."""
    models = [f"model-{number}" for number in range(count)]
    gates = "[[gate]]\nrecall = { 10 = 0.5 }\n"
    single = record(
        folder, 500, gates=gates, levels=LEVELS, ks=(1, 5, 10), shift=60, beside=True
    )
    run = multiplied(single, models, ["patches", "border", "worst"])
    searches = tuple(
        searched(model, number, 100, 16, 14) for number, model in enumerate(models)
    )
    return replace(run, breaking=searches, costs=timed(run))


def _writing(run: RunRecord) -> None:
    reports: dict[str, Callable[[RunRecord], str]] = {
        "run.json": render_json,
        "report.md": render_markdown,
        "report.html": render_html,
    }
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS + 1):
        seconds = {}
        for name, render in reports.items():
            seconds[name] = _seconds(partial(render, run))
        rounds.append(seconds)
    del rounds[0]  # a warm-up
    print(
        f"{len(run.outcomes)} cells\n\n| | seconds | times run.json | MB |\n| --- | ---"
        " | --- | --- |"
    )
    for name, render in reports.items():
        ratio = median(seconds[name] / seconds["run.json"] for seconds in rounds)
        middle = median(seconds[name] for seconds in rounds)
        size = len(render(run).encode()) / 1e6
        print(f"| {name} | {middle:.2f} | {ratio:.1f} | {size:.2f} |")


def _opening(run: RunRecord, folder: Path) -> None:
    pages = {
        "empty.html": "<!doctype html><title>empty</title>",
        "report.html": render_html(run),
    }
    for name, content in pages.items():
        (folder / name).write_text(content, encoding="utf-8")
    with chromium(folder) as browser:
        # The second frame comes only after the first one was drawn.
        second_frame = (
            "return new Promise(done => requestAnimationFrame(() =>"
            " requestAnimationFrame(done)))"
        )

        def open_page(name: str) -> None:
            browser.get((folder / name).as_uri())
            browser.execute_script(second_frame)

        rounds: list[dict[str, float]] = []
        for _ in range(ROUNDS + 1):
            rounds.append({name: _seconds(partial(open_page, name)) for name in pages})
        del rounds[0]  # a warm-up
        version = browser.capabilities["browserVersion"]
    print(
        f"\nChromium {version}, from `get` to the second frame\n\n| | seconds | slowest"
        " |\n| --- | --- | --- |"
    )
    for name in pages:
        times = [seconds[name] for seconds in rounds]
        print(f"| {name} | {median(times):.2f} | {max(times):.2f} |")


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
