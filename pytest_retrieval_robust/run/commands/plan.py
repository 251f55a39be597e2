"""`plan`: how many queries and patients gates need, and what a policy sees today."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.cases import DIRECTIONS
from ._counts import count
from ._errors import Commands, reason_of, report_error, text_of
from ._saved_run import add_out, print_or_write

if TYPE_CHECKING:
    from ...gate.pairing import Run
    from ...gate.power.of_policy import ObservedRun
    from ...gate.power.rows import GatePlan
    from ..plan.wanted import Wanted

_ASSUMPTIONS = (
    "recall",
    "levels",
    "discordance",
    "level_correlation",
    "queries_per_patient",
    "icc",
    "queries",
)
"""What a run says by itself. How model and baseline correlate it may not."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "plan",
        help=(
            "say how many queries and patients a gate needs, or what a policy sees"
            " today (time and disk of a run: plan-run)"
        ),
        description=(
            "How many queries and patients a gate needs to pass a good model with a"
            " given power, and the smallest loss that it sees. How long a suite takes"
            " and how much disk it needs is another question: plan-run answers it."
        ),
    )
    _add_gates(parser)
    _add_assumptions(parser)
    _add_run(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_out(parser)
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw power curves: .pdf, .svg or .png; needs the extra `plots`",
    )
    parser.set_defaults(run=run)


def _add_gates(parser: argparse.ArgumentParser) -> None:
    gates = parser.add_argument_group("gates")
    gates.add_argument(
        "--margin", type=float, metavar="X", help="no loss beyond X beside a baseline"
    )
    gates.add_argument(
        "--min", dest="minimum", type=float, metavar="X", help="Recall@k of at least X"
    )
    gates.add_argument(
        "--retention", type=float, metavar="X", help="retention of at least X"
    )
    gates.add_argument(
        "--groups",
        metavar="N",
        help="beside these, that all of N groups pass; or their shares: 0.5,0.3,0.2",
    )
    gates.add_argument(
        "--policy", type=Path, metavar="FILE", help="all gates of a robust.toml"
    )
    gates.add_argument(
        "--power",
        type=float,
        default=0.8,
        metavar="P",
        help="the probability of passing, and of failing at the loss (default: 0.8)",
    )
    gates.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        metavar="C",
        help="of each bound (default: 0.95)",
    )
    gates.add_argument(
        "--gates",
        type=count,
        default=1,
        metavar="M",
        help="baseline gates that share the error of a false block (default: 1)",
    )
    gates.add_argument(
        "--decide",
        choices=("bound", "point"),
        default="bound",
        help="how floors are decided (default: bound)",
    )


def _add_assumptions(parser: argparse.ArgumentParser) -> None:
    assumptions = parser.add_argument_group("assumptions, without --from")
    assumptions.add_argument(
        "--recall",
        type=_numbers,
        default=(),
        metavar="R",
        help="true Recall@k, of all levels or one per level: 0.9,0.8,0.6",
    )
    assumptions.add_argument(
        "--levels", type=count, metavar="L", help="levels that are pooled"
    )
    assumptions.add_argument(
        "--discordance",
        type=float,
        metavar="D",
        help="share of queries that one of the two models alone hits",
    )
    assumptions.add_argument(
        "--correlation",
        type=float,
        metavar="PHI",
        help="of the hits of the two models, in place of --discordance; also with --from",
    )
    assumptions.add_argument(
        "--level-correlation",
        type=float,
        metavar="RHO",
        help="of what two levels say of one query",
    )
    assumptions.add_argument(
        "--queries-per-patient", type=float, metavar="M", help="in the mean"
    )
    assumptions.add_argument(
        "--icc", type=float, metavar="ICC", help="of two queries of one patient"
    )
    assumptions.add_argument(
        "--queries", type=count, metavar="N", help="queries that there are today"
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    earlier = parser.add_argument_group("an earlier run, in place of assumptions")
    earlier.add_argument(
        "--from",
        dest="earlier",
        type=Path,
        metavar="RUN",
        help="its recalls, patients and levels: the folder that --robust-results wrote",
    )
    earlier.add_argument(
        "--baseline", type=Path, metavar="RUN", help="the run that it differs from"
    )
    earlier.add_argument("--model", metavar="NAME", help="(default: every model)")
    earlier.add_argument(
        "--k", type=int, metavar="K", help="(default: the largest of at most 10)"
    )
    earlier.add_argument(
        "--direction",
        choices=DIRECTIONS,
        default=DIRECTIONS[0],
        help="(default: %(default)s)",
    )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"Expected a number, or one per level with commas, got {text!r}. Type 0.6,"
            " or 0.9,0.8,0.6."
        ) from None


def run(parsed: argparse.Namespace) -> int:
    from ...core.errors import RobustError
    from ...reports.figure import check_format
    from ...reports.gate_plan_figure import draw_plan
    from ...reports.gate_plan_text import plan_text
    from ..outputs import check_out

    try:
        if parsed.out is not None:
            check_out(parsed.out)
        if parsed.figure is not None:
            check_format(parsed.figure, option="--figure")
        plan = _plan(parsed)
        text = plan_text(plan)
        if parsed.json:
            text = json.dumps(plan.as_json(), indent=1) + "\n"
        print_or_write(text, parsed.out)
        if parsed.figure is not None:
            draw_plan(plan, parsed.figure, option="--figure")
    except RobustError as error:
        return report_error(text_of(error))
    except BrokenPipeError:
        # Of the printed text: no place is wrong.
        raise
    except OSError as error:
        return report_error(
            "Expected a place for --out and --figure that can be written, got:"
            f" {reason_of(error)}. Choose another one."
        )
    return 0


def _plan(parsed: argparse.Namespace) -> GatePlan:
    from ...gate.power.solve import check_power
    from ..plan.wanted import Wanted, parse_groups

    check_power(parsed.power)
    if parsed.earlier is None:
        _refuse(parsed, ("policy", "baseline", "model", "k"), "without --from RUN")
    if parsed.policy is not None:
        typed = ("margin", "minimum", "retention", "groups")
        _refuse(parsed, typed, "beside --policy, which has gates of its own")
        return _policy_plan(parsed)
    wanted = Wanted(
        parsed.margin,
        parsed.minimum,
        parsed.retention,
        parse_groups(parsed.groups),
        parsed.decide,
        parsed.confidence,
        parsed.gates,
    )
    if parsed.earlier is not None:
        return _run_plan(parsed, wanted)
    return _assumed_plan(parsed, wanted)


def _assumed_plan(parsed: argparse.Namespace, wanted: Wanted) -> GatePlan:
    from ..plan.from_assumptions import Stated, assumed_plan

    stated = Stated(
        parsed.recall,
        parsed.levels,
        parsed.discordance,
        parsed.correlation,
        parsed.level_correlation,
        parsed.queries_per_patient,
        parsed.icc,
    )
    return assumed_plan(wanted, stated, parsed.power, parsed.queries)


def _run_plan(parsed: argparse.Namespace, wanted: Wanted) -> GatePlan:
    from ..plan.from_run import Chosen, run_plan

    chosen = Chosen(parsed.k, parsed.direction, parsed.model)
    observed, _ = _observed(parsed)
    return run_plan(wanted, observed, chosen, parsed.power)


def _policy_plan(parsed: argparse.Namespace) -> GatePlan:
    from ...gate.power.of_policy import ObservedRun
    from ..plan.from_run import policy_plan
    from ._policy import policy_for

    _refuse(parsed, ("model", "k"), "beside --policy, which names them itself")
    observed, baseline = _observed(parsed)
    policy, run = policy_for(observed.run, parsed.policy)
    # Its evidence knows the metrics that gates are about.
    judged = ObservedRun(run, observed.comparison, observed.correlation)
    return policy_plan(
        policy, judged, baseline, parsed.power, with_curves=parsed.figure is not None
    )


def _observed(parsed: argparse.Namespace) -> tuple[ObservedRun, Run | None]:
    """The run, and the baseline that was named."""
    from ...reports.saved.read import load_run
    from ..plan.from_assumptions import CORRELATION
    from ..plan.from_run import observed_run

    _refuse(parsed, _ASSUMPTIONS, "beside --from RUN, which says it itself")
    if parsed.baseline is not None:
        _refuse(parsed, ("correlation",), "beside --baseline, which says it itself")
    correlation = CORRELATION if parsed.correlation is None else parsed.correlation
    run = load_run(parsed.earlier)
    baseline = None if parsed.baseline is None else load_run(parsed.baseline)
    return observed_run(run, baseline, correlation), baseline


def _refuse(parsed: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    """Raise `ConfigError` for an option that has no use here."""
    from ...core.errors import ConfigError

    for name in names:
        value = getattr(parsed, name)
        if value is None or value == ():
            continue
        flag = "--" + {"minimum": "min"}.get(name, name).replace("_", "-")
        shown = value.name if isinstance(value, Path) else value
        raise ConfigError(
            f"Expected no {flag} {why}, got {flag}={shown}. Leave it out."
        )
