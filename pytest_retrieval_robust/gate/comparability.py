"""May two runs be compared? What in them must be the same, and what a whole run must not
lack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..core.cases import DIRECTIONS, Case
from ..core.words import counted
from .pairing import Pairing

DATA_FACTS = {
    "split": "split",
    "text": "text policy",
    "relevance": "relevance rule",
    "fingerprint": "data (ids, texts, filters)",
    "decoding": "decoding",
    "pixel_digest": "pixels",
}
"""What of a data set must be the same. The cause comes before its effect: the first
difference is the one that is named.
"""
_LONGEST_VALUE = 40


def obstacles(pairing: Pairing) -> tuple[str, ...]:
    """Why the two runs cannot be compared: the wrong baseline, or other data."""
    candidate = pairing.candidate.measured
    baseline = pairing.baseline.measured
    if candidate.identity.id == baseline.identity.id:
        return (
            f"Expected a {pairing.role} of another run, got the run itself (id"
            f" {candidate.identity.id}). Compare with an earlier run.",
        )
    sentences = [*_narrowed(pairing)]
    if candidate.limit is not None and candidate.limit != baseline.limit:
        sentences.append(
            f"Expected a whole run to compare with the {pairing.role}, got one of the first"
            f" {counted(candidate.limit, 'pair')}. Leave --robust-limit out."
        )
        # A part of the data differs from the whole in every fact: nothing more to say.
        return tuple(sentences)
    sentences += _other_data(pairing)
    sentences += _other_precision(pairing)
    return tuple(sentences)


def vanished(pairing: Pairing) -> tuple[str, ...]:
    """What the baseline has, and the candidate, although whole, lacks."""
    candidate = pairing.candidate.measured
    if candidate.scope.partial:
        return ()
    missing: dict[str, list[Case]] = {}
    for outcome in pairing.baseline.measured.outcomes:
        if outcome.case not in candidate.by_case:
            missing.setdefault(outcome.case.model, []).append(outcome.case)
    return tuple(
        _missing_cells(pairing, model, cases) for model, cases in missing.items()
    )


def _narrowed(pairing: Pairing) -> Iterator[str]:
    """Sentences where the baseline is not a whole run."""
    baseline = pairing.baseline.measured
    narrowed = []
    if baseline.limit:
        narrowed.append(("limited", f"--robust-limit {baseline.limit}"))
    if baseline.scope.partial:
        narrowed.append(("partial", baseline.scope.partial))
    for word, reason in narrowed:
        yield (
            f"Expected a whole run as {pairing.role}, got a {word} one ({reason}). Make it"
            " again without that."
        )


def _other_data(pairing: Pairing) -> Iterator[str]:
    """A sentence for each data set that is not the same in both runs."""
    baseline_sets = {
        dataset["name"]: dataset for dataset in pairing.baseline.measured.datasets
    }
    for dataset in pairing.candidate.measured.datasets:
        name = dataset["name"]
        beside = baseline_sets.get(name)
        # A data set that only one run encoded takes part in no comparison.
        if beside is None or _is_unswept(dataset) or _is_unswept(beside):
            continue
        differing = [
            key
            for key in DATA_FACTS
            if data_fact(dataset, key) != data_fact(beside, key)
        ]
        # Which images a device could decode depends on the models of the run.
        if differing == ["pixel_digest"] and is_decoded_on_device(dataset):
            differing = []
        if differing:
            fact = differing[0]
            advice = f"Measure the {pairing.role} again on this data."
            if fact == "decoding":
                advice = "Run one of them again with --robust-decode."
            yield (
                f"Expected the same {DATA_FACTS[fact]} of {name} in both runs, got"
                f" {fact}={short_value(data_fact(dataset, fact))} and in the {pairing.role}"
                f" {fact}={short_value(data_fact(beside, fact))}. {advice}"
            )
        elif any(pairing.order(name, direction) is None for direction in DIRECTIONS):
            yield _other_queries(pairing, name)


def data_fact(dataset: Mapping[str, Any], key: str) -> Any:
    """One of `DATA_FACTS` of a run's data set; None where it is not known."""
    # What was decoded as ever says nothing of it.
    return dataset.get(key, "host" if key == "decoding" else None)


def is_decoded_on_device(dataset: Mapping[str, Any]) -> bool:
    """Whether a device decoded its images: then its pixels depend on the models too."""
    return bool(data_fact(dataset, "decoding") == "device")


def _is_unswept(dataset: Mapping[str, Any]) -> bool:
    """Whether none of its images was encoded: its pixels are not known then."""
    return dataset.get("pixel_digest", "") is None


def _other_queries(pairing: Pairing, dataset: str) -> str:
    keys = pairing.candidate.evidence.query_keys(dataset, DIRECTIONS[0])
    baseline_keys = pairing.baseline.evidence.query_keys(dataset, DIRECTIONS[0])
    if keys is None or baseline_keys is None:
        got = "a run whose ranks.npz holds no query keys"
    else:
        shared = len(np.intersect1d(keys, baseline_keys))
        got = (
            f"{counted(len(keys), 'image')} and in the {pairing.role} {len(baseline_keys)},"
            f" {shared} of them the same"
        )
    return (
        f"Expected the same queries of {dataset} in both runs, got {got}. Measure the"
        f" {pairing.role} again on this data."
    )


def _other_precision(pairing: Pairing) -> Iterator[str]:
    pairs = set()
    for outcome in pairing.candidate.measured.outcomes:
        beside = pairing.baseline.measured.by_case.get(outcome.case)
        if beside is not None:
            pairs.add((outcome.timing.precision, beside.timing.precision))
    for precision, baseline_precision in sorted(pairs):
        if precision != baseline_precision:
            yield (
                f"Expected the same precision in both runs, got precision={precision}"
                f" and in the {pairing.role} precision={baseline_precision}. Run one of them"
                " again with --robust-precision."
            )


def _missing_cells(pairing: Pairing, model: str, cases: list[Case]) -> str:
    if model not in pairing.candidate.measured.measured_models:
        renamed = _renamed(pairing, model)
        return (
            f"Expected all models of the {pairing.role}, got none of the"
            f" {counted(len(cases), 'cell')} of {model}{renamed}. Test it too, or"
            f" make a {pairing.role} without it."
        )
    more = "" if len(cases) == 1 else f" and {len(cases) - 1} more"
    return (
        f"Expected all cells of the {pairing.role}, got no {cases[0]}{more}. Measure what it"
        " measured."
    )


def _renamed(pairing: Pairing, model: str) -> str:
    """A hint where another model of the candidate has the same weights."""
    baseline_hashes = {
        record.name: record.card.get("sha256")
        for record in pairing.baseline.measured.models
    }
    # A model without a hash, such as a user's own code, matches nothing.
    for record in pairing.candidate.measured.models:
        sha256 = record.card.get("sha256")
        if sha256 is not None and sha256 == baseline_hashes.get(model):
            return f" (the weights of {record.name} are the same: was it renamed?)"
    return ""


def short_value(value: object) -> str:
    """A value as sentences show it: a hash by its beginning."""
    text = repr(value)
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"{text[:16]}...'"
