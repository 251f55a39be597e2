"""What a `[[gate]]` table is about: a model, a data set, one family of perturbations, a
level or severity, and a direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.cases import DIRECTIONS, Direction, Family, canonical_level, level_word
from ..core.verdict import GateKind
from ..core.words import hint_at_share, in_parentheses
from .limits import Limit
from .toml_values import Wrong, is_number

FAMILY_KEYS: Mapping[str, Family] = {
    "occluder": "occlusion",
    "corruption": "corruption",
    "text_noise": "text-noise",
}
"""Selector -> the family that it names. A table has at most one of them."""
SELECTOR_KEYS: tuple[str, ...] = (
    "model",
    "dataset",
    *FAMILY_KEYS,
    "level",
    "severity",
    "direction",
)
"""Every key that says what a table is about."""
_COSTS = (GateKind.RELATIVE_COST, GateKind.IMAGES_PER_SECOND)
"""What time the images of a cell take. Text noise leaves the images as they are."""


@dataclass(frozen=True)
class Selection:
    """What a table is about. A name that is absent (None) means all."""

    model: str | None
    dataset: str | None
    named_family: Family | None
    """The family whose selector the table has; None is about occlusions."""
    perturbation: str | None
    """A name or glob of that family."""
    level: float | None
    """A level of an occlusion, or the severity of another family."""
    direction: Direction | None

    @property
    def family(self) -> Family:
        """The family that the table is about."""
        return self.named_family or "occlusion"


def selection_of(table: Mapping[str, Any], wrong: Wrong) -> Selection:
    """The selectors of a table; one that names no family is about occlusions."""
    for key in ("model", "dataset", *FAMILY_KEYS):
        if not isinstance(table.get(key, ""), str):
            raise wrong(key, "a name or glob in quotes")
    if table.get("direction", DIRECTIONS[0]) not in DIRECTIONS:
        raise wrong("direction", " or ".join(DIRECTIONS))
    named = [key for key in FAMILY_KEYS if key in table]
    if len(named) > 1:
        raise wrong(
            named[1], f"one of {', '.join(FAMILY_KEYS)} per table, beside {named[0]}"
        )
    family = FAMILY_KEYS[named[0]] if named else None
    return Selection(
        model=table.get("model"),
        dataset=table.get("dataset"),
        named_family=family,
        perturbation=table[named[0]] if named else None,
        level=_level(table, family or "occlusion", wrong),
        direction=table.get("direction"),
    )


def _level(table: Mapping[str, Any], family: Family, wrong: Wrong) -> float | None:
    """The one level or severity that a table is about, if it names one."""
    word = level_word(family)
    if word == "severity" and "level" in table:
        raise wrong("level", f"severity beside {_selector_of(family)}, not level")
    if word == "level" and "severity" in table:
        raise wrong("severity", "severity beside corruption or text_noise alone")
    if word not in table:
        return None
    level = table[word]
    if not (is_number(level) and 0 <= level <= 1):
        is_severity = family != "occlusion"
        meaning = "a fraction of the image area from 0 to 1"
        if is_severity:
            meaning = "a severity from 0 to 1"
        if is_number(level):
            meaning += in_parentheses(hint_at_share(level, is_severity=is_severity))
        raise wrong(word, meaning)
    return canonical_level(level)


def _selector_of(family: Family) -> str:
    return next(key for key, named in FAMILY_KEYS.items() if named == family)


def check_judgeable(
    table: Mapping[str, Any],
    selection: Selection,
    limits: Sequence[Limit],
    wrong: Wrong,
) -> None:
    """Refuse what could never be judged."""
    if table and set(table) <= set(SELECTOR_KEYS):
        raise wrong(
            next(iter(table)),
            "a limit such as recall = { 10 = 0.5 }, or a setting such as decide,"
            " beside its selectors",
        )
    kinds = [limit.key.kind for limit in limits]
    if selection.level == 0:
        word = level_word(selection.family)
        for kind in (GateKind.RETENTION, GateKind.RELATIVE_COST):
            if kind in kinds:
                raise wrong(
                    word,
                    f"a {word} above 0 beside {kind}, which compares with {word} 0",
                )
    _check_without_data(table, kinds, wrong)
    _check_direction(table, limits, wrong)
    _check_family(selection, kinds, wrong)


def _check_without_data(
    table: Mapping[str, Any], kinds: Sequence[GateKind], wrong: Wrong
) -> None:
    """Refuse selectors of data beside a limit on the model alone."""
    alone = [kind for kind in kinds if kind.is_without_data]
    others = [key for key in SELECTOR_KEYS if key in table and key != "model"]
    if alone and others:
        raise wrong(
            others[0],
            f"no selector but model beside {alone[0]}, which looks at no data (write a"
            " [[gate]] table of its own)",
        )


def _check_direction(
    table: Mapping[str, Any], limits: Sequence[Limit], wrong: Wrong
) -> None:
    keys = [limit.key for limit in limits]
    without_direction = [
        key.kind
        for key in keys
        if (key.k is None and key.kind is not GateKind.METRIC) or key.kind.is_of_edits
    ]
    if table.get("direction") == DIRECTIONS[1] and without_direction:
        raise wrong(
            "direction",
            f"no direction, or {DIRECTIONS[0]}, beside {without_direction[0]}",
        )


def _check_family(
    selection: Selection, kinds: Sequence[GateKind], wrong: Wrong
) -> None:
    """Refuse limits of what is measured of occlusions, or of images, alone."""
    if selection.family == "occlusion":
        return
    selector = _selector_of(selection.family)
    for kind in kinds:
        # Latency and memory are of the clean image, and a search hides.
        if kind.is_of_a_model or kind is GateKind.BREAKING_SHARE:
            raise wrong(selector, f"no {selector} beside {kind}, which needs none")
        if selection.family == "text-noise" and kind.is_of_edits:
            raise wrong(
                selector,
                f"occluder or corruption beside {kind}: edits are those of reports"
                " without noise",
            )
        if selection.family == "text-noise" and kind in _COSTS:
            raise wrong(
                selector,
                f"occluder or corruption beside {kind}: text noise leaves the images"
                " as they are",
            )
