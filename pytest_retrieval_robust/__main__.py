"""`retrieval-robust COMMAND`, or `python -m pytest_retrieval_robust COMMAND`.

`init DIR` copies a ready suite, `serve --write FILE` writes the file that serves a
model from an environment of its own, `inspect NAME` shows what a data set holds, `rank
MODEL NAME` shows what hiding does to the ranks of single images, `compare RUN...` sets
runs side by side, `leaderboard RUN...` does so as a page, `plan` says how many queries
and patients a gate needs and what a policy sees today, `suggest RUN` writes gates with
limits that an unchanged model meets, `fingerprint MODEL` writes what a model makes of
fixed inputs, `store` shows and prunes the embeddings that are kept from run to run, and
`encode` makes those that a suite needs, in parts on any machines. `plan-run` says what a
suite needs before it runs. Of a saved run `card RUN` prints a model's card, `table RUN` a
CSV, and `plot RUN` draws curves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .core.shown_values import current_folder
from .run.commands import COMMANDS
from .run.commands._closed_pipe import ended_quietly
from .run.commands._errors import report_error

_SCRIPT = "retrieval-robust"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    return ended_quietly(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    by_script = Path(sys.argv[0]).stem == _SCRIPT
    prog = _SCRIPT if by_script else "python -m pytest_retrieval_robust"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument(
        "--version", action="version", version=f"pytest-retrieval-robust {__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    parsed, others = parser.parse_known_args(arguments)
    if getattr(parsed, "takes_others", False):
        parsed.others = others
    elif others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    # Paths, pytest and even libraries of torch depend on it.
    if current_folder() is None:
        return report_error(
            "Expected a current folder, got one that was deleted or may not be read."
            " Change to another one (cd DIR), and try again."
        )
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
