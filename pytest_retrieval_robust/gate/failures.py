"""Why a run is not released: one small rule per reason, in the order shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..core.roles import Role
from ..core.verdict import Verdict
from ..core.words import counted
from .judged import Judged, subject_of
from .measurements import INTERRUPTED


def failures(judged: Judged) -> tuple[str, ...]:
    """Why the release gate fails: none where nothing stands against the release."""
    return tuple(reason for rule in _RULES for reason in rule(judged))


def _ending(judged: Judged) -> Iterator[str]:
    yield from judged.ending.failures
    yield from judged.measured.other_failures


def _nothing_measured(judged: Judged) -> Iterator[str]:
    if _proves_something(judged) and not judged.measured.measured_models:
        yield "nothing was measured"


def _models_missing(judged: Judged) -> Iterator[str]:
    if not _proves_something(judged):
        return
    records = judged.measured.models
    named = [model.name for model in records if model.named and not model.tested]
    tested = {model.name for model in records if model.tested}
    required = sorted(judged.ending.must_be_tested - tested)
    missing = list(dict.fromkeys([*named, *required]))
    if missing:
        verb = "was" if len(missing) == 1 else "were"
        yield f"{', '.join(missing)} had to be tested and {verb} not"


def _gates_unjudged(judged: Judged) -> Iterator[str]:
    count = len(judged.unjudged)
    if count and _proves_something(judged):
        yield f"{counted(count, 'gate was', 'gates were')} not judged"


def _interrupted(judged: Judged) -> Iterator[str]:
    partial = judged.measured.scope.partial
    if partial is not None and INTERRUPTED in partial:
        yield "the run was interrupted"


def _gates_not_met(judged: Judged) -> Iterator[str]:
    gates = counted(len(judged.gated), "gate")
    for name, words in (("fail", "not met"), ("inconclusive", "inconclusive")):
        count = sum(v.verdict == name and v.objects for v in judged.gated)
        if count:
            verb = "was" if count == 1 else "were"
            yield f"{count} of {gates} {verb} {words}"


def _nothing_to_compare_with(judged: Judged) -> Iterator[str]:
    for role in Role:
        problem = judged.against_of(role).problem
        if problem is not None and not judged.ending.measure_only:
            yield f"there is no {role} to compare with"


def _saved_runs_differ(judged: Judged) -> Iterator[str]:
    for role in Role:
        record = judged.record_of(role)
        if record is None or judged.ending.measure_only:
            continue
        if record.obstacles:
            yield f"the {role} cannot be compared with"
        if record.vanished:
            yield f"cells of the {role} are missing"


def _broken_tests(judged: Judged) -> Iterator[str]:
    broken = judged.measured.broken_tests
    if broken:
        yield f"{counted(broken, 'test')} failed for another reason than a gate"


def _unexplained_gate_tests(judged: Judged) -> Iterator[str]:
    """Tests that failed by a gate although no verdict stops the release."""
    count = judged.ending.gate_failures
    if count and not any(verdict.objects for verdict in judged.gated):
        yield f"{counted(count, 'gate test')} failed"


_RULES: tuple[Callable[[Judged], Iterator[str]], ...] = (
    _ending,
    _nothing_measured,
    _models_missing,
    _gates_unjudged,
    _interrupted,
    _gates_not_met,
    _nothing_to_compare_with,
    _saved_runs_differ,
    _broken_tests,
    _unexplained_gate_tests,
)


def _proves_something(judged: Judged) -> bool:
    """Whether what is missing stands against the release.

    Tests that passed and measured nothing, such as properties alone, prove nothing
    wrong: such a run is not judged.
    """
    return bool(judged.measured.measured_models) or not judged.ending.passed_tests


def reason_not_judged(judged: Judged) -> str | None:
    """Why no gate counts as met, and what to do; None where one does.

    What a model at chance meets, such as a ceiling on its cost, does not count.
    """
    passed = [verdict for verdict in judged.gated if verdict.verdict == "pass"]
    if any(_counts(verdict, judged) for verdict in passed):
        return None
    if not judged.measured.measured_models:
        return (
            "nothing was measured: no test of this run that was run takes outcome,"
            " robustness_curve or another fixture that measures; run the whole suite,"
            " or explore with --robust-measure-only"
        )
    if not judged.planned:
        return _nothing_planned(judged)
    if passed:
        return (
            "no model that meets a gate retrieves better than chance with nothing"
            " hidden; gate its recall too"
        )
    if judged.gated:
        return (
            "every gate that was judged is inconclusive; measure more queries, or"
            " decide by point"
        )
    if judged.measured.scope.partial:
        return (
            f"{judged.measured.scope.partial} left out every test that has a gate; run"
            " the whole suite"
        )
    roles = [gate.compared_with for gate in judged.planned]
    if None not in roles:
        needed = [role for role in Role if role in roles]
        options = " and ".join(f"{role.option} DIR" for role in needed)
        return (
            f"every gate compares with a {' or a '.join(needed)}, and none was given;"
            f" add {options}"
        )
    return (
        "every gate was left out: for want of a run to compare with, for other hardware, or by a"
        " limit of 0; see the notes"
    )


def _counts(verdict: Verdict, judged: Judged) -> bool:
    """Whether what was met is worth anything: a gate of a model that retrieves, or one
    that compares the model with itself.
    """
    is_without_data = verdict.gate.kind.is_without_data
    return is_without_data or subject_of(verdict.case) in judged.retrieving


def _nothing_planned(judged: Judged) -> str:
    tables = sum(bool(rule.limits) for rule in judged.policy.rules)
    if not tables:
        return (
            "there is no gate: write [[gate]] tables into a robust.toml beside the"
            " tests, name one with --robust-config, or explore with"
            " --robust-measure-only"
        )
    return (
        f"no gate applies: {counted(tables, 'gate table')} of robust.toml, and none for"
        " these models, data sets, occluders and levels; compare the names, or explore"
        " with --robust-measure-only"
    )
