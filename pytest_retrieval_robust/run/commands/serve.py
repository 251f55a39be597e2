"""`serve --write FILE`: the file that serves a model from an environment of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...core.shown_values import shown_place
from ...models.command import HELPER
from ._errors import Commands, reason_of, report_error


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve", help="write the file that serves a model from its own environment"
    )
    parser.add_argument(
        "--write", type=Path, metavar="FILE", required=True, help="as serve.py"
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    target: Path = parsed.write
    shown = shown_place(target)
    try:
        # Never over a file that somebody has filled in.
        with target.open("x", encoding="utf-8") as file:
            file.write(HELPER.read_text(encoding="utf-8"))
    except FileExistsError:
        return report_error(
            f"Expected a new file, got {shown}, which exists. Choose another name."
        )
    except OSError as error:
        return report_error(
            f"Expected a file that can be written, got {shown} ({reason_of(error)})."
            " Choose another place."
        )
    print(f"wrote {shown}")
    print(f"next: fill in its three functions, and try it with python {shown} --try")
    return 0
