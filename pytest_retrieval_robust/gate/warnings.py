"""What a run should be warned of: one small rule per warning, in the order shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..core.cases import FAMILIES, Family, level_word, levels_word
from ..core.roles import Role
from ..core.verdict import Verdict
from ..core.words import counted
from .chance import untrained
from .judged import Judged
from .unaltered import hardly_altered

_VISIBLY = 0.02
"""How far two models may differ in what they see hidden before that is said."""
_OPTIONS: Mapping[Family, str] = {
    "occlusion": "--robust-levels",
    "corruption": "--robust-severities",
    "text-noise": "--robust-severities",
}
"""The option that says at which levels a family is measured."""
_EXAMPLES = 2
"""Weak gates that are named; the rest are counted."""


def warnings(judged: Judged) -> tuple[str, ...]:
    """Every warning, once."""
    sentences = [sentence for rule in _RULES for sentence in rule(judged)]
    return tuple(dict.fromkeys(sentences))


def _notes(judged: Judged) -> Iterator[str]:
    yield from judged.measured.notes


def _partial(judged: Judged) -> Iterator[str]:
    reason = judged.measured.scope.partial
    if reason:
        yield (
            f"This run is partial ({reason}): it is no baseline, and cells that it lacks"
            " are not judged."
        )


def _limited(judged: Judged) -> Iterator[str]:
    limit = judged.measured.limit
    if limit is not None:
        verb = "was" if limit == 1 else "were"
        yield (
            f"Only the first {counted(limit, 'pair')} of each data set {verb} used: a smoke run,"
            " no baseline."
        )


def _levels_left_out(judged: Judged) -> Iterator[str]:
    for family in FAMILIES:
        unmeasured = judged.policy.unmeasured_levels(judged.measured.plan, family)
        if unmeasured:
            levels = ", ".join(f"{level:g}" for level in unmeasured)
            option = _OPTIONS[family]
            yield (
                f"Gates at {level_word(family)} {levels} were not judged: {option}"
                f" leaves these {levels_word(family)} out."
            )


def _idle_tables(judged: Judged) -> Iterator[str]:
    idle = judged.policy.idle(judged.planned, judged.measured.plan)
    if idle:
        verb = "names" if idle == 1 else "name"
        yield (
            f"{idle} of {counted(len(judged.policy.rules), 'gate table')} {verb} models, data sets,"
            " occluders, corruptions or text noise that are not in this run."
        )


def _unjudged(judged: Judged) -> Iterator[str]:
    if not judged.unjudged:
        return
    first, *rest = judged.unjudged
    more = ""
    if rest:
        more = f", and {counted(len(rest), 'more gate')}"
    yield (
        f"No test of this run measured what the policy gates: {first}{more}. Run the"
        " whole suite (`python -m pytest_retrieval_robust init` copies one) at the"
        " levels of --robust-levels, take the gate away, or explore with"
        " --robust-measure-only."
    )


def _nothing_to_compare_with(judged: Judged) -> Iterator[str]:
    for role in Role:
        problem = judged.against_of(role).problem
        if problem is not None:
            yield problem
        elif judged.policy.asks_for(role) and judged.record_of(role) is None:
            yield (
                f"{role.capitalize()} gates were skipped: no {role} given. Save one with"
                f" --robust-results DIR, and compare with {role.option} DIR."
            )


def _saved_runs_differ(judged: Judged) -> Iterator[str]:
    for role in Role:
        record = judged.record_of(role)
        if record is not None:
            yield from record.obstacles
            yield from record.vanished


def _broken_saved_runs(judged: Judged) -> Iterator[str]:
    for role in Role:
        saved = judged.against_of(role).run
        if saved is not None and saved.measured.broken_tests:
            yield (
                f"Expected a {role} whose tests all passed, got"
                f" {saved.measured.broken_tests} that failed. Save one of a good model."
            )


def _weak_gates(judged: Judged) -> Iterator[str]:
    # Every gate of a smoke run is weak: it is warned of once, as a smoke run.
    if judged.measured.limit is None:
        yield from weak_gates(judged.verdicts)
        yield from weak_error_gates(judged.verdicts)


def _untrained_models(judged: Judged) -> Iterator[str]:
    """Models that no gate names: for a named one a verdict says it."""
    first_seed = judged.measured.plan.seeds[0]
    for outcome in judged.measured.outcomes:
        case = outcome.case
        is_first = case.level == 0 and case.seed == first_seed
        if is_first and not judged.policy.names(case.model):
            sentence = untrained(outcome)
            if sentence is not None:
                yield sentence


def _visible_differences(judged: Judged) -> Iterator[str]:
    """Models that crop see another share of what is hidden."""
    for (dataset, occluder, level), shares in _visible_levels(judged).items():
        least = min(shares, key=shares.__getitem__)
        most = max(shares, key=shares.__getitem__)
        if shares[most] - shares[least] > _VISIBLY:
            yield (
                f"At level {level:g} of {occluder} on {dataset}, {least} sees"
                f" {shares[least]:.2f} of its input hidden and {most}"
                f" {shares[most]:.2f}: they crop differently."
            )


def _visible_levels(
    judged: Judged,
) -> Mapping[tuple[str, str, float], dict[str, float]]:
    """The share that each model sees hidden, by data set, occluder and level."""
    levels: dict[tuple[str, str, float], dict[str, float]] = {}
    for outcome in judged.measured.outcomes:
        case = outcome.case
        # Nothing else hides a share of what a model sees.
        if case.family != "occlusion":
            continue
        by_model = levels.setdefault((case.dataset, case.occluder, case.level), {})
        by_model[case.model] = outcome.visible_level
    return levels


def _hardly_altered(judged: Judged) -> Iterator[str]:
    yield from hardly_altered(judged.measured.outcomes)


_RULES: tuple[Callable[[Judged], Iterator[str]], ...] = (
    _notes,
    _partial,
    _limited,
    _levels_left_out,
    _idle_tables,
    _unjudged,
    _nothing_to_compare_with,
    _saved_runs_differ,
    _broken_saved_runs,
    _weak_gates,
    _untrained_models,
    _visible_differences,
    _hardly_altered,
)


def weak_gates(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A warning where gates are too weak to mean anything."""
    weak = [
        verdict
        for verdict in verdicts
        if verdict.weak and verdict.detectable_loss is not None
    ]
    if not weak:
        return
    examples = "; ".join(
        f"{verdict.gate} of {verdict.case} (sees a loss from"
        f" {verdict.detectable_loss:.3f} on)"
        for verdict in weak[:_EXAMPLES]
    )
    more = ""
    if len(weak) > _EXAMPLES:
        more = f"; and {len(weak) - _EXAMPLES} more (`-v` shows what each would see)"
    subject = counted(len(weak), "gate is", "gates are")
    guarded = "it guards" if len(weak) == 1 else "they guard"
    yield (
        f"{subject} weak: half of what {guarded} could be lost unnoticed (power 0.8):"
        f" {examples}{more}. Raise the limit, pool over levels, or measure more queries."
    )


def weak_error_gates(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A warning where gates on corruption errors do not block, and mean little."""
    weak = [
        verdict
        for verdict in verdicts
        if verdict.weak and verdict.gate.kind.is_of_perturbations
        # What blocks says why.
        if not verdict.objects and verdict.bounds is not None
    ]
    if not weak:
        return
    examples = "; ".join(
        f"{verdict.gate} of {verdict.case.model} on {verdict.case.dataset}"
        f" ({_up_to(verdict)})"
        for verdict in weak[:_EXAMPLES]
    )
    more = f"; and {len(weak) - _EXAMPLES} more" if len(weak) > _EXAMPLES else ""
    subject = counted(len(weak), "gate is", "gates are")
    yield (
        f"{subject} weak: half of the baseline's errors could be added unnoticed:"
        f" {examples}{more}. Choose a smaller k, or measure more queries."
    )


def _up_to(verdict: Verdict) -> str:
    high = math.inf if verdict.bounds is None else verdict.bounds[1]
    end = f"up to {high:.3f}" if math.isfinite(high) else "no upper end"
    return f"{verdict.observed:.3f}, {end}"
