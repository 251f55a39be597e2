"""Suggested limits as the `[[gate]]` tables of a `robust.toml`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ...core.config_file import ConfigFile
from ...core.plain_text import plain
from ...core.toml_text import parsed_toml
from ...core.verdict import GateKind
from ..limits import BaselineLimit, CounterfactualFloor, DistractorFloor, Floor
from ..policy import Policy
from ..toml import read_policy
from .asked import Asked
from .suggested import Place, Suggested

_WIDTH = 100


def tables(suggested: Iterable[Suggested], asked: Asked) -> str:
    """The tables, with a comment above each limit."""
    return "\n".join(
        "\n".join([*_table(place, group, asked), ""])
        for place, group in _by_place(suggested)
    )


def policy_of(suggested: Iterable[Suggested], asked: Asked) -> Policy:
    """What the package's own reader makes of the tables."""
    text = tables(suggested, asked)
    gates = tuple(parsed_toml(text)["gate"])
    return read_policy(ConfigFile(Path("robust.toml"), text, (), (), gates))


def comment(sentence: str) -> str:
    """A sentence as lines of a comment, whatever names are in it."""
    words = plain(sentence).split(" ")
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) < _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(f"# {line}" for line in lines)


def _by_place(
    suggested: Iterable[Suggested],
) -> Iterator[tuple[Place, list[Suggested]]]:
    """The limits of each table, in the order in which places come first."""
    groups: dict[Place, list[Suggested]] = {}
    for each in suggested:
        groups.setdefault(each.place, []).append(each)
    yield from groups.items()


def _table(place: Place, suggested: Sequence[Suggested], asked: Asked) -> Iterator[str]:
    yield "[[gate]]"
    for key, value in place.selectors:
        yield f"{key} = {_value(value)}"
    yield f'decide = "{asked.decide}"'
    kinds = {each.gate.kind for each in suggested}
    # Margins are decided by bound whatever `decide` says.
    if asked.decide == "bound" or GateKind.BASELINE in kinds:
        yield f"confidence = {asked.confidence!r}"
    # A key may stand once in a table.
    for kind in dict.fromkeys(each.gate.kind for each in suggested):
        limits = [each for each in suggested if each.gate.kind is kind]
        for each in limits:
            yield comment(_origin(each))
        yield f"{kind.value} = {_limits(limits)}"


def _limits(suggested: Sequence[Suggested]) -> str:
    """The value of a limit's key."""
    floors = []
    for each in suggested:
        limit = each.limit
        if isinstance(limit, Floor):
            floors.append(f"{limit.k} = {limit.minimum!r}")
        elif isinstance(limit, CounterfactualFloor):
            kind = "" if limit.kind is None else f"kind = {_value(limit.kind)}, "
            floors.append(f"{{ {kind}min = {limit.minimum!r} }}")
        elif isinstance(limit, DistractorFloor):
            return f"{{ k = {limit.k}, min = {limit.minimum!r} }}"
        else:
            return f"{{ k = {limit.k}, margin = {limit.margin!r} }}"
    if isinstance(suggested[0].limit, Floor):
        return f"{{ {', '.join(floors)} }}"
    return f"[{', '.join(floors)}]"


def _origin(suggested: Suggested) -> str:
    """`recall@10: 0.812 (0.775 to 0.844), 500 queries of 200 patients; detects a loss of
    0.09`.
    """
    low, high = suggested.interval
    words = f"{_name(suggested)}: {suggested.observed:.3f} ({low:.3f} to {high:.3f})"
    if suggested.seeds > 1:
        words += f", the lowest of {suggested.seeds} seeds"
    words += f", {suggested.queries} queries of {suggested.patients} patients"
    if suggested.detectable_loss is not None:
        words += f"; detects a loss of {suggested.detectable_loss:.3f}"
    if suggested.weak:
        words += "; weak"
    return words


def _name(suggested: Suggested) -> str:
    limit = suggested.limit
    if isinstance(limit, BaselineLimit):
        return f"mean recall@{limit.k} over all levels"
    if isinstance(limit, CounterfactualFloor):
        return f"win share, {limit.kind or 'all'} edits"
    return f"{limit.key}"


def _value(value: str | float) -> str:
    """A text or number in TOML."""
    if isinstance(value, float):
        return repr(value)
    # JSON's escapes are TOML's; TOML wants DEL escaped too.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
