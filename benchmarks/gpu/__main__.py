"""Check what a GPU gives against the processor, and measure how fast it is.

`python -m benchmarks.gpu [--device cuda] [--quick] [--out DIR] [--only STEP,...]`

Steps check that masks, fills, ranks, embeddings and sweeps on the device are what the
processor gives, that memory which runs out spoils nothing, and what occlusion, ranks,
sweeps and searches cost beside what they cannot do without. A check prints PASS or FAIL;
a figure prints its target, and aborts nothing. The whole takes at most 345 s, as planned
for one H100 with 16 cores: a step that no longer fits is skipped, and said to be.
`gpu.json` in DIR has everything; `--page docs/gpu.md` writes it into that page, if there
is a card. The exit status is 1 where a check failed.

`--device cpu --quick` runs every step but `memory` at small sizes in less than two minutes; its
checks hold the code, and its times say nothing of a card.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

from ..pages import write_into
from . import (
    embeddings,
    machine,
    masks,
    mimic_ranks,
    occlusion,
    out_of_memory,
    parity,
    ranks,
    searches,
    throughput,
    two_processes,
)
from .page import tables
from .steps import Notebook, Setting, Step

STEPS: tuple[Step, ...] = (
    Step("machine", 6, machine.run),
    Step("masks", 35, masks.run),
    Step("ranks", 35, ranks.run),
    Step("embeddings", 30, embeddings.run),
    Step("parity", 45, parity.run),
    Step("memory", 25, out_of_memory.run, needs_card=True),
    Step("occlusion", 20, occlusion.run),
    Step("mimic-ranks", 50, mimic_ranks.run),
    Step("sweep", 60, throughput.run),
    Step("searches", 20, searches.run),
    Step("processes", 18, two_processes.run),
)
LIMIT = 345.0
"""Seconds, of which each step is given its share."""
_GRACE = 30.0
"""Seconds over the limit after which a device that hangs is given up."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [step.name for step in STEPS]
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu-results"))
    parser.add_argument("--only", metavar="STEP,...", help=", ".join(names))
    parser.add_argument("--page", type=Path, metavar="FILE")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS")
    parsed = parser.parse_args(arguments)
    chosen = names if parsed.only is None else parsed.only.split(",")
    unknown = sorted(set(chosen) - set(names))
    if unknown:
        parser.error(f"Expected steps out of {', '.join(names)}, got only={unknown}.")
    steps = [step for step in STEPS if step.name in chosen]
    if parsed.page is not None and not torch.cuda.is_available():
        parser.error("Expected a card for --page, got none: a page shows what it did.")

    # So that embeddings of an earlier run are neither read nor written.
    scratch = Path(tempfile.mkdtemp(prefix="gpu-benchmark-"))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    setting = Setting(_device(parsed.device), parsed.quick, scratch)
    notebook = Notebook()
    watchdog = threading.Timer(parsed.limit + _GRACE, _give_up, [notebook, parsed.out])
    watchdog.daemon = True
    watchdog.start()
    try:
        _run(steps, setting, notebook, parsed.limit)
    finally:
        watchdog.cancel()
        shutil.rmtree(scratch, ignore_errors=True)
        _write(notebook, parsed.out)
    if parsed.page is not None:
        write_into(parsed.page, tables(notebook.as_json()))
    return int(bool(notebook.failures))


def _device(name: str) -> str:
    return "cuda:0" if name == "cuda" else name


def _run(
    steps: Sequence[Step], setting: Setting, notebook: Notebook, limit: float
) -> None:
    began = time.monotonic()
    for step in steps:
        if step.needs_card and not setting.on_real_gpu:
            notebook.skip(step.name, "it needs a card")
            continue
        left = limit - (time.monotonic() - began)
        if left < step.seconds and not setting.quick:
            notebook.skip(
                step.name, f"{left:.0f} s are left, it takes {step.seconds:g}"
            )
            continue
        notebook.step = step.name
        start = time.monotonic()
        try:
            step.run(setting, notebook)
        except Exception as error:
            # The other steps still run: what one of them raises is a check that failed.
            traceback.print_exc()
            notebook.check("runs to its end", False, f"{type(error).__name__}: {error}")
        finally:
            notebook.seconds[step.name] = time.monotonic() - start
            if setting.on_real_gpu:
                torch.cuda.empty_cache()
    print(
        f"{len(notebook.checks)} checks, {len(notebook.failures)} failed;"
        f" {len(notebook.figures)} figures; {time.monotonic() - began:.0f} s"
    )
    for check in notebook.failures:
        print(check)


def _write(notebook: Notebook, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(notebook.as_json(), indent=2, allow_nan=False)
    (folder / "gpu.json").write_text(text + "\n", encoding="utf-8")


def _give_up(notebook: Notebook, folder: Path) -> None:
    """End a process whose device does not answer, with what is known."""
    notebook.check("ends in time", False, "the device was given up")
    _write(notebook, folder)
    sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
