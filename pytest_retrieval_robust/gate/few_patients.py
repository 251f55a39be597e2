"""Bounds over too few patients: they hold too seldom to decide a gate."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.verdict import Verdict
from ..core.words import counted


@dataclass(frozen=True)
class FewPatients:
    """Patients whose queries cannot bound a number."""

    count: int
    degrees_of_freedom: float

    @classmethod
    def among(
        cls, count: int | None, degrees_of_freedom: float | None
    ) -> FewPatients | None:
        """These patients, if they are too few. None stands for those who do not repeat."""
        # Late, because a policy is read where nothing needs numpy.
        from ..retrieval.patients import are_too_few

        if count is None or degrees_of_freedom is None:
            return None
        return (
            cls(count, degrees_of_freedom) if are_too_few(degrees_of_freedom) else None
        )


def unless_patients_are_too_few(verdict: Verdict, few: FewPatients | None) -> Verdict:
    """The verdict; inconclusive where bounds over too few patients decided it, whatever
    they say.

    No setting lets that pass: there is no bound to be inconclusive about.
    """
    if few is None or verdict.decided_by != "bound" or verdict.observed is None:
        return verdict
    return replace(
        verdict,
        verdict="inconclusive",
        sentence=_sentence(verdict, verdict.observed, few),
        bounds=None,
        # It is patients that are missing, not queries.
        more_queries=None,
        detectable_loss=None,
        tolerated=False,
        weak=False,
    )


def _sentence(verdict: Verdict, observed: float, few: FewPatients) -> str:
    from ..retrieval.patients import FEWEST_DEGREES, patients_needed

    case = verdict.case
    subject = f"{case.model} on {case.dataset}, {case.occluder}, {verdict.gate}"
    patients = counted(few.count, "patient")
    needed = patients_needed(few.count, few.degrees_of_freedom)
    return (
        f"{subject}: {observed:.3f} has no bounds that hold, because its queries are of"
        f" {patients} with {few.degrees_of_freedom:.1f} degrees of freedom, and bounds"
        f" need {FEWEST_DEGREES:g}. Measure about {needed} patients like these, or"
        " fewer queries of those that have the most."
    )
