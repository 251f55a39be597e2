"""Fuzz every parser: `python -m benchmarks.fuzz [--minutes N] [--only TARGET] ...`.

Prints how many inputs each parser refused and accepted, and exits with 1 where one broke
the promise of docs/fuzzing.md: the input is kept, and `--replay FILE` tries it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Before numpy and torch: a process that is to be forked must have no threads.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

if TYPE_CHECKING:
    from .target import Target

FOLDER = Path(".fuzz")
"""Where everything that fuzzing finds is kept."""
COUNTS = "counts.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="of all targets")
    parser.add_argument("--only", action="append", metavar="TARGET")
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="try one input again"
    )
    parser.add_argument(
        "--total", action="store_true", help="print the counts of all runs so far"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the table into a page"
    )
    parsed = parser.parse_args(arguments)
    if parsed.replay is not None:
        return _replay(parsed.replay)
    if parsed.total:
        return _print_total(parsed.write)
    return _fuzz_all(parsed.minutes, parsed.only)


def _fuzz_all(minutes: float, only: Sequence[str] | None) -> int:
    targets = _instrumented()
    chosen = _chosen(targets, only)
    from . import tally
    from .engine import fuzz

    folder = FOLDER.absolute()
    tallies = []
    for target in chosen:
        counted = fuzz(target, 60 * minutes / len(chosen), folder)
        tallies.append(counted)
        tally.append([counted], folder / COUNTS)
        for crash in counted.crashes:
            print(f"{target.name}: {crash.problem}", file=sys.stderr)
            if crash.file is not None:
                again = f"python -m benchmarks.fuzz --replay {crash.file}"
                print(f"  again: {again}", file=sys.stderr)
        print(f"{target.name}: {counted.inputs:,} inputs", file=sys.stderr, flush=True)
    print(tally.table(tallies, targets))
    return int(any(counted.crashes or not counted.inputs for counted in tallies))


def _instrumented() -> Mapping[str, Target]:
    """The targets, imported so that branches of the package are counted."""
    try:
        import atheris
    except ImportError:
        raise SystemExit(
            "Expected Atheris, got none. Install it on Linux with Python 3.11 to 3.13:"
            " pip install 'pytest-retrieval-robust[fuzz]', or try the committed corpora"
            " without it: pytest tests/test_fuzz.py."
        ) from None
    # Of the libraries nothing is counted; this imports them before.
    import torch
    import transformers  # noqa: F401

    from .engine import INSTRUMENTED

    torch.set_num_threads(1)
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        import pydicom  # noqa: F401

        from pytest_retrieval_robust.core.catalogue import Catalogues

        from .targets import TARGETS

        # Each child would import these once more.
        catalogues = Catalogues()
        for catalogue in (catalogues.models, catalogues.datasets, catalogues.occluders):
            catalogue.names()
    return TARGETS


def _chosen(targets: Mapping[str, Target], only: Sequence[str] | None) -> list[Target]:
    for name in only or ():
        if name not in targets:
            raise SystemExit(
                f"Expected one of {', '.join(targets)}, got --only={name}. Fix the name."
            )
    return [targets[name] for name in only or targets]


def _replay(file: Path) -> int:
    """Examine one input, which lies in a folder that is named after its target."""
    from benchmarks.hostile.children import in_children

    from .target import examine
    from .targets import TARGETS

    (target,) = _chosen(TARGETS, [file.absolute().parent.name])
    content = file.read_bytes()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        os.environ["RETRIEVAL_ROBUST_CACHE"] = f"{scratch}/cache"
        home = Path(scratch) / "beside"
        home.mkdir()
        read = target.prepare(home)
        endings = Path(scratch) / "ending"

        def check() -> str | None:
            endings.write_text(examine(target, read, content).value)
            return None

        (trial,) = in_children([(file.name, check)])
        print(trial.problem or endings.read_text())
    return int(not trial.held)


def _print_total(page: Path | None) -> int:
    from benchmarks.pages import write_into

    from . import tally
    from .targets import TARGETS

    tallies = tally.read(FOLDER / COUNTS)
    text = tally.table(tallies, TARGETS)
    print(text)
    if page is not None:
        write_into(page, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
