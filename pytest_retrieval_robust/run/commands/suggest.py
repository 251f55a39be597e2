"""`suggest RUN`: limits for `robust.toml` that an unchanged model rarely fails."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ...core.cases import DIRECTIONS
from ._errors import Commands
from ._saved_run import add_out, add_run, print_or_write, with_loaded_run

if TYPE_CHECKING:
    from ...gate.pairing import Run
    from ...gate.suggest.asked import Asked

NOT_ALL = 1
"""The exit status where a model gets no limits."""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "suggest",
        help="limits for robust.toml that an unchanged model fails with a stated risk",
    )
    add_run(parser)
    parser.add_argument(
        "--risk",
        type=float,
        default=0.05,
        help="the probability that an unchanged model fails any gate of its name,"
        " measured afresh on as many queries (default: 0.05)",
    )
    parser.add_argument(
        "--decide",
        default="point",
        choices=("point", "bound"),
        help="how the gates decide (default: point)",
    )
    parser.add_argument(
        "--confidence",
        type=float,
        default=0.95,
        help="of the bounds that decide (default: 0.95)",
    )
    parser.add_argument(
        "--model", nargs="+", default=(), metavar="NAME", help="(default: all)"
    )
    parser.add_argument(
        "--dataset", nargs="+", default=(), metavar="NAME", help="(default: all)"
    )
    parser.add_argument("--k", type=int, nargs="+", default=(), help="(default: all)")
    parser.add_argument(
        "--directions",
        nargs="+",
        default=DIRECTIONS,
        choices=DIRECTIONS,
        help="(default: both)",
    )
    parser.add_argument(
        "--per",
        default="all",
        choices=("all", "cell", "pooled"),
        help="limits of single cells, limits over all levels, or both (default: all)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="take a partial or limited run too, and mark the limits",
    )
    add_out(parser)
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    return with_loaded_run(parsed, lambda saved: _suggest(saved, parsed))


def _suggest(saved: Run, parsed: argparse.Namespace) -> int:
    from ...gate.suggest.suggestions import suggest
    from ...gate.suggest.written import as_toml

    suggestions = suggest(saved, _asked(parsed))
    for sentence in suggestions.refused:
        print(sentence, file=sys.stderr)
    # A file without a gate would be taken for a policy.
    if suggestions.models:
        print_or_write(as_toml(suggestions), parsed.out)
    return NOT_ALL if suggestions.refused else 0


def _asked(parsed: argparse.Namespace) -> Asked:
    from ...gate.suggest.asked import Asked

    return Asked(
        risk=parsed.risk,
        decide=parsed.decide,
        confidence=parsed.confidence,
        models=tuple(parsed.model),
        datasets=tuple(parsed.dataset),
        ks=tuple(parsed.k),
        directions=tuple(dict.fromkeys(parsed.directions)),
        per=parsed.per,
        force=parsed.force,
    )
