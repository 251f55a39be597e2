"""Words as the abbreviations that radiologists write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from . import TextNoiseEntry
from ._words import Span, replaced
from .report_noise import ReportNoise

if TYPE_CHECKING:
    from ...core.catalogue import Catalogue

ABBREVIATIONS: Mapping[str, str] = {
    "anteroposterior": "AP",
    "bilateral": "b/l",
    "cardiomegaly": "CM",
    "central venous catheter": "CVC",
    "chest x-ray": "CXR",
    "chronic obstructive pulmonary disease": "COPD",
    "congestive heart failure": "CHF",
    "consolidation": "consol",
    "coronary artery bypass graft": "CABG",
    "costophrenic": "CP",
    "endotracheal tube": "ETT",
    "enlarged": "enl",
    "evidence of": "e/o",
    "examination": "exam",
    "increased": "incr",
    "inferior vena cava": "IVC",
    "intensive care unit": "ICU",
    "left": "L",
    "left lower lobe": "LLL",
    "left upper lobe": "LUL",
    "mediastinal": "mediast",
    "nasogastric tube": "NGT",
    "patient": "pt",
    "peripherally inserted central catheter": "PICC",
    "pneumonia": "PNA",
    "pneumothorax": "PTX",
    "posteroanterior": "PA",
    "pulmonary": "pulm",
    "right": "R",
    "right lower lobe": "RLL",
    "right middle lobe": "RML",
    "right upper lobe": "RUL",
    "superior vena cava": "SVC",
    "with": "w/",
    "without": "w/o",
}
"""Terms and their common abbreviations. The longest term that fits is taken."""
_TERMS = re.compile(
    r"\b(?:"
    + "|".join(map(re.escape, sorted(ABBREVIATIONS, key=len, reverse=True)))
    + r")\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Abbreviations(ReportNoise):
    """Abbreviates a share of the terms that have a common abbreviation: the severity.

    A term in capitals, as in a heading, stays.
    """

    family: ClassVar[str] = "abbreviations"

    def changed(self, text: str, severity: float, seed: int) -> str:
        terms = [
            Span(*match.span())
            for match in _TERMS.finditer(text)
            if not match.group().isupper()
        ]
        short = set(self.chosen(text, severity, seed, len(terms)))
        return replaced(
            text,
            terms,
            lambda number, term: (
                ABBREVIATIONS[term.lower()] if number in short else term
            ),
        )


def register(catalogue: Catalogue[TextNoiseEntry]) -> None:
    """Add the noise."""
    summary = "terms written as their abbreviations: PTX, LLL, w/o"
    catalogue.add(TextNoiseEntry("abbreviations", summary, {}, Abbreviations))
