"""`card RUN`: a model's section and metadata for its card."""

from __future__ import annotations

import argparse

from ._errors import Commands
from ._saved_run import add_out, add_run, print_or_write, with_saved_run


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "card",
        help="a model's section and metadata for its card on the Hugging Face Hub",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="a model that the run tested (default: the only one)",
    )
    add_run(parser)
    add_out(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...reports.card import model_card

    return with_saved_run(
        parsed,
        lambda saved: print_or_write(model_card(saved, parsed.model), parsed.out),
    )
