"""A reader of the reports of `synthetic-cxr` that knows words alone, none of the
generator's tables: what they say is found, and what they deny.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cache

FINDINGS = {
    # What is sought first comes first: a pacemaker has leads in the heart.
    "pacemaker": r"pac(emaker|ing)",
    "wires": r"sternotomy|sternal",
    "gastric tube": r"nasogastric|enteric|feeding",
    "picc": r"\bpicc\b|peripherally inserted",
    "line": r"jugular|subclavian",
    "tube": r"endotracheal|intubation",
    "effusion": r"effusion|pleural fluid|fluid layers",
    "pneumothorax": r"pneumothorax",
    "consolidation": r"consolidat|airspace opacity|opacification|dense opacity|pneumonia",
    "nodule": r"nodul",
    "oedema": r"edema|congestion",
    "atelectasis": r"atelectasis",
    "diaphragm": r"hemidiaphragm",
    "scoliosis": r"scoliosis|spine",
    "high volumes": r"hyper(inflat|expan)|volumes are high|high lung volumes",
    "low volumes": r"\blow\b.*volumes|volumes are low|shallow|poorly expanded",
    "heart": r"\bheart\b|cardi(ac|omegaly)",
}
WITH_SIDES = {
    "pacemaker",
    "picc",
    "line",
    "effusion",
    "pneumothorax",
    "consolidation",
    "nodule",
    "atelectasis",
    "diaphragm",
    "scoliosis",
}
WORDS = {
    "side": {
        "right": r"\bright\b",
        "left": r"\bleft\b",
        "both": r"\bboth\b|bibasilar",
    },
    "zone": {"upper": r"\bupper\b", "mid": r"\bmid(dle)?\b", "lower": r"\blower\b"},
    "size": {
        "small": r"\bsmall\b|\btiny\b|\b1[25] mm\b|\b[23] cm (deep|in depth|of)",
        "moderate": r"\bmoderate\b|medium-sized|\b8 cm\b",
        "large": r"\blarge\b|extensive|dominant|\b(14|6) cm\b|35 mm"
        r"|3 cm nodule|measuring 3 cm",
    },
    "severity": {
        "mild": r"\bmild(ly)?\b|\bslight\b",
        "severe": r"\bsevere(ly)?\b|\bmarked\b|\bflorid\b",
    },
    "place": {
        "low": r"\blow\b|right main|malpositioned|below the carina|low-lying",
        "jugular": r"\bjugular\b",
        "subclavian": r"\bsubclavian\b",
    },
}
NORMAL = r"\bno\b|normal|\bclear\b|sharp|bony|unremarkable"


@dataclass(frozen=True)
class Said:
    """One thing that a sentence says is there; what it does not say is empty."""

    name: str
    side: str = ""
    zone: str = ""
    size: str = ""
    severity: str = ""
    place: str = ""


@dataclass(frozen=True)
class Reading:
    """What a report says."""

    found: frozenset[Said]
    denied: frozenset[str]
    """Names of findings that a sentence with a "no" denies."""
    named: frozenset[Said]
    """What its impression names."""
    remark: str
    """What its impression says of all, or all else: empty, or a sentence."""

    def agrees_with_itself(self) -> bool:
        """Whether nothing is both there and denied, and the impression says the same."""
        names = {said.name for said in self.found}
        findings = [said for said in self.found if is_finding(said)]
        is_named = all(
            any(_fits(short, said) for said in self.found) for short in self.named
        )
        named_findings = [said for said in self.named if is_finding(said)]
        if "other" in self.remark:
            is_true = len(named_findings) == len(findings) == 1
        elif self.remark:
            is_true = not findings if not named_findings else len(findings) == 1
        else:
            is_true = bool(named_findings)
        return not names & self.denied and is_named and is_true


def is_finding(said: Said) -> bool:
    """Whether an impression calls it one: no device but a misplaced tube."""
    return not is_device(said.name) or said.place == "low"


def is_device(name: str) -> bool:
    return name in ("pacemaker", "wires", "gastric tube", "picc", "line", "tube")


def sentences(text: str) -> list[str]:
    """The sentences of the findings."""
    return _parts(text)[0].removesuffix(".").split(". ")


def labels_and_joints(text: str) -> list[str]:
    """The labels of an impression, with what stands between every two of them."""
    return re.split(r"(\. | and )", _parts(text)[1].removesuffix("."))


def read(text: str) -> Reading:
    found: set[Said] = set()
    denied: set[str] = set()
    for sentence in sentences(text):
        if not _is_normal(sentence):
            found.add(_said(sentence))
        elif "no " in sentence:
            denied |= _names(sentence)
    impression = re.split(r"\. | and ", _parts(text)[1].removesuffix("."))
    remarks = [label for label in impression if _is_normal(label)]
    named = {_said(label) for label in impression if label not in remarks}
    assert len(remarks) <= 1
    return Reading(
        frozenset(found), frozenset(denied), frozenset(named), "".join(remarks)
    )


def _parts(text: str) -> tuple[str, str]:
    findings, impression = text.lower().split(" impression: ")
    return findings.removeprefix("findings: "), impression


@cache
def _is_normal(sentence: str) -> bool:
    return re.search(NORMAL, sentence) is not None


@cache
def _names(sentence: str) -> frozenset[str]:
    return frozenset(
        name for name, words in FINDINGS.items() if re.search(words, sentence)
    )


@cache
def _said(sentence: str) -> Said:
    name = next(name for name, words in FINDINGS.items() if re.search(words, sentence))
    said = {
        field: next(
            (word for word, pattern in words.items() if re.search(pattern, sentence)),
            "",
        )
        for field, words in WORDS.items()
    }
    if name not in WITH_SIDES:
        said["side"] = ""
    if name not in ("tube", "line"):
        said["place"] = ""
    if name not in ("consolidation", "nodule"):
        said["zone"] = ""
    return Said(name, **said)


def _fits(short: Said, said: Said) -> bool:
    """Whether a label says nothing that is not found."""
    values = [
        (getattr(short, field.name), getattr(said, field.name))
        for field in fields(Said)
    ]
    return all(not label or label == value for label, value in values)
