"""`plan-run`: what a suite needs and how long that takes, before anything is encoded."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ._counts import count
from ._errors import Commands, report_error, text_of

if TYPE_CHECKING:
    from ...measure.planning.rates import Rate


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "plan-run",
        help=(
            "say how long a suite takes and how much disk, before it runs (queries and"
            " patients that gates need: plan)"
        ),
        usage="%(prog)s [-h] [options below] [what pytest is given for the suite]",
        # An option of the suite's is never taken for the beginning of one of these.
        allow_abbrev=False,
    )
    parser.add_argument(
        "--workers",
        type=count,
        default=1,
        metavar="N",
        help="equal workers that encode parts (default: 1)",
    )
    parser.add_argument(
        "--cores",
        type=count,
        metavar="N",
        help="processor cores of each worker (default: those of this process)",
    )
    parser.add_argument(
        "--from",
        dest="earlier",
        type=Path,
        metavar="RUN",
        help="take speeds from an earlier run, the folder that --robust-results wrote",
    )
    parser.add_argument(
        "--images-per-second",
        type=_positive,
        metavar="X",
        help="what a worker encodes, for every model",
    )
    parser.add_argument(
        "--files",
        metavar="KIND",
        help="the kind of image files, such as jpg2544x3056, for the time of decoding",
    )
    parser.add_argument(
        "--disk",
        metavar="SIZE",
        help="what the shared disk gives per second, such as 2GB",
    )
    parser.set_defaults(run=run, takes_others=True)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"Expected a number above 0, got {text}.")
    return number


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError
    from ..collected_suite import CollectionError

    try:
        lines = list(_lines(parsed))
    except CollectionError as error:
        report_error(text_of(error))
        return error.status
    except RobustError as error:
        return report_error(text_of(error))
    for line in lines:
        print(line)
    return 0


def _lines(parsed: argparse.Namespace) -> Iterator[str]:
    from ...core.device import usable_cores
    from ...core.errors import ConfigError
    from ...measure.planning.constants import measured_constants
    from ...measure.planning.estimate import Workers, estimate
    from ...measure.planning.rates import rate_of
    from ..collected_suite import collect_suite
    from ..plan_run.inputs import suite_work
    from ..plan_run.lines import PlannedTimes, plan_lines
    from ..typed_values import parse_size

    constants = measured_constants()
    # What was typed wrongly is said before anything is collected.
    file = None if parsed.files is None else constants.file_of(parsed.files)
    earlier = _earlier_rates(parsed.earlier)
    cores = parsed.cores or usable_cores()
    disk = None if parsed.disk is None else parse_size("--disk", parsed.disk)
    if disk == 0:
        raise ConfigError(
            f"Expected --disk of at least 1B per second, got {parsed.disk!r}. Type what"
            " the disk gives, such as 2GB."
        )
    suite = suite_work(collect_suite(parsed.others), earlier)
    alone = Workers(1, cores, suite.device, disk)
    shared = Workers(parsed.workers, cores, suite.device, disk)
    typed = parsed.images_per_second
    times = []
    for work in suite.sweeps:
        rate = rate_of(work.model, suite.device, cores, typed, earlier, constants)
        on_one = estimate(work, alone, rate, file, constants)
        on_all = estimate(work, shared, rate, file, constants)
        times.append(PlannedTimes(rate, on_one, on_all))
    return plan_lines(suite, times, parsed.workers)


def _earlier_rates(folder: Path | None) -> dict[str, Rate]:
    from ...measure.planning.rates import rates_of_run
    from ...reports.saved.read import load_run

    return {} if folder is None else rates_of_run(load_run(folder).measured.outcomes)
