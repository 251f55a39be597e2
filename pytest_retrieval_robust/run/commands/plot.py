"""`plot RUN`: the curves of a saved run, for a paper."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...core.cases import DIRECTIONS
from ._errors import Commands
from ._saved_run import add_run, with_saved_run


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "plot", help="curves for a paper; needs the extra `plots`"
    )
    parser.add_argument(
        "--direction",
        default=DIRECTIONS[0],
        choices=DIRECTIONS,
        help="(default: %(default)s)",
    )
    parser.add_argument(
        "--k",
        type=int,
        nargs="+",
        default=(),
        help="values of k, one row of panels each (default: all of the run)",
    )
    add_run(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", required=True, help=".pdf, .svg, .png, ..."
    )
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    from ...reports.figure import draw_figure
    from ...reports.run_series import series_of

    return with_saved_run(
        parsed,
        lambda saved: draw_figure(
            series_of(saved), parsed.out, direction=parsed.direction, ks=parsed.k
        ),
    )
