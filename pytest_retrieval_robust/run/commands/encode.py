"""`encode`: a part of what a suite needs is encoded into the embedding store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ._errors import USAGE_ERROR, Commands, report_error, text_of

if TYPE_CHECKING:
    from ..collected_suite import CollectedSuite
    from ..encode.stopping import Told


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "encode",
        help="encode into the store what a suite needs, in parts on any machines",
        usage="%(prog)s [-h] [--part I/N] [--steal] [what pytest is given for the suite]",
        # An option of the suite's is never taken for the beginning of one of these.
        allow_abbrev=False,
    )
    parser.add_argument(
        "--part",
        default="1/1",
        metavar="I/N",
        help="encode part I of N; N processes share a store (default: 1/1)",
    )
    parser.add_argument(
        "--steal",
        action="store_true",
        help="once the part is done, encode what the other parts have not",
    )
    parser.set_defaults(run=run, takes_others=True)


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError
    from ..collected_suite import CollectionError
    from ..encode.stopping import Stopped, stoppable

    arguments: list[str] = parsed.others
    try:
        with stoppable() as told:
            return _encode(parsed, arguments, told)
    except CollectionError as error:
        report_error(text_of(error))
        # Such as `--version`, of which pytest says that all went well.
        return error.status or USAGE_ERROR
    except RobustError as error:
        return report_error(text_of(error))
    except Stopped as stopped:
        # While the suite is collected, or after the last batch.
        print("stopped: run this part again", file=sys.stderr)
        return stopped.status


def _encode(parsed: argparse.Namespace, arguments: Sequence[str], told: Told) -> int:
    from ..encode.checks import checked_store
    from ..encode.encode_run import EncodeRun
    from ..encode.outcome import closing_lines
    from ..encode.part import Part
    from ..encode.stopping import Stopped
    from ..progress_line import ProgressShow

    part = Part.of_text(parsed.part)
    suite = _collected(arguments, told)
    store = checked_store(suite)
    told.check()
    show = ProgressShow.on_stream(sys.stderr)
    encoding = EncodeRun(suite, store, part, show.tell, steals=parsed.steal)
    status = None
    try:
        encoding.encode_part()
        encoding.take_over()
    except Stopped as stopped:
        encoding.stop()
        status = stopped.status
    show.erase()
    outcome = encoding.end()
    for line in closing_lines(outcome, arguments):
        print(line, flush=True)
    return outcome.status if status is None else status


def _collected(arguments: Sequence[str], told: Told) -> CollectedSuite:
    from ..collected_suite import collect_suite

    try:
        return collect_suite(arguments)
    finally:
        # pytest ends in its own way when it is interrupted.
        told.check()
