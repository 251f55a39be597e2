"""`retrieval-robust COMMAND`, or `python -m pytest_retrieval_robust COMMAND`.

`init DIR` copies a ready suite, `serve --write FILE` writes the file that serves a model
from an environment of its own, `inspect NAME` shows what a data set holds, `rank MODEL
NAME` shows what hiding does to the ranks of single images, `compare A B` sets two runs
side by side, `suggest RUN` chooses limits for `robust.toml`, `store` shows and prunes
the embeddings that are kept from run to run, and `encode` makes those that a suite
needs, in parts on any machines. `plan-run` says what a suite needs before it runs. Of a
saved run `card RUN` prints a model's card, `table RUN` a CSV, and `plot RUN` draws
curves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .run.commands import COMMANDS
from .run.commands._closed_pipe import ended_quietly

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
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main())
