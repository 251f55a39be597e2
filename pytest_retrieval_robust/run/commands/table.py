"""`table RUN`: a saved run as CSV."""

from __future__ import annotations

import argparse

from ._errors import Commands
from ._saved_run import add_out, add_run, print_or_write, with_saved_run


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "table", help="Recall@k as CSV: models x levels x k, in %%"
    )
    parser.add_argument(
        "--long",
        action="store_true",
        help="one row per point, with intervals and retention",
    )
    add_run(parser)
    add_out(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...reports.paper_table import long_csv, paper_csv
    from ...reports.run_series import series_of

    write = long_csv if parsed.long else paper_csv
    return with_saved_run(
        parsed, lambda saved: print_or_write(write(series_of(saved)), parsed.out)
    )
