"""`encode`: a part of what a suite needs is encoded into the embedding store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._errors import USAGE_ERROR, Commands, report_error, text_of

INTERRUPTED = 130


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

    arguments: list[str] = parsed.others
    try:
        return _encode(parsed, arguments)
    except CollectionError as error:
        report_error(text_of(error))
        # Such as `--version`, of which pytest says that all went well.
        return error.status or USAGE_ERROR
    except RobustError as error:
        return report_error(text_of(error))
    except KeyboardInterrupt:
        # Before the first batch, of which nothing was begun.
        print("stopped before anything was encoded", file=sys.stderr)
        return INTERRUPTED


def _encode(parsed: argparse.Namespace, arguments: Sequence[str]) -> int:
    from ..collected_suite import collect_suite
    from ..encode.checks import checked_store
    from ..encode.encode_run import EncodeRun
    from ..encode.outcome import closing_lines
    from ..encode.part import Part
    from ..encode.stopping import Stopped, stoppable
    from ..progress_line import ProgressShow

    part = Part.of_text(parsed.part)
    suite = collect_suite(arguments)
    store = checked_store(suite)
    show = ProgressShow.on_stream(sys.stderr)
    encoding = EncodeRun(suite, store, part, show.tell, steals=parsed.steal)
    status = None
    try:
        with stoppable():
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
