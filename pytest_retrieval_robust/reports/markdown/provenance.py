"""Where the numbers come from: run, data, models, machine, gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...core.outcomes import ModelRecord
from ...core.words import counted
from ...gate.record import RunRecord
from ..saved_run import host_of
from .dialect import code, command_code, text

_OF_A_DATASET = ("split", "text", "relevance")
_OF_A_MODEL = ("source", "revision", "sha256", "licence", "terms")


def provenance_block(run: RunRecord) -> str:
    return "### Where it comes from\n\n" + "\n".join(_lines(run))


def _lines(run: RunRecord) -> Iterator[str]:
    identity = run.identity
    origin = f"run {code(identity.id)} of {text(identity.started)}"
    yield f"- {origin}, version {text(identity.version)}"
    yield f"- command: {command_code(run.scope.command)}"
    if run.scope.partial:
        yield f"- partial: {text(run.scope.partial)}"
    if run.limit is not None:
        yield f"- only the first {counted(run.limit, 'pair')} of each data set"
    for facts in run.datasets:
        yield _dataset_line(facts)
    for model in run.models:
        if model.tested:
            yield _model_line(model)
    yield f"- {_host_words(run)}; {_gates_words(run)}"


def _dataset_line(facts: Mapping[str, Any]) -> str:
    terms = ", ".join(text(str(facts.get(key))) for key in _OF_A_DATASET)
    fingerprint = code(str(facts.get("fingerprint"))[:12])
    return f"- data set {code(facts['name'])}: {terms}, fingerprint {fingerprint}"


def _model_line(model: ModelRecord) -> str:
    facts = [
        f"{key} {code(str(model.card[key])[:40])}"
        for key in _OF_A_MODEL
        if model.card.get(key)
    ]
    return f"- model {code(model.name)}: {', '.join(facts) or 'no card'}"


def _host_words(run: RunRecord) -> str:
    facts = [
        f"{text(str(key))} {text(str(value))}"
        for key, value in host_of(run).items()
        if value
    ]
    return ", ".join(facts)


def _gates_words(run: RunRecord) -> str:
    if run.gates_sha256 is None:
        return "no gates"
    return f"gates sha256 {code(run.gates_sha256[:12])}"
