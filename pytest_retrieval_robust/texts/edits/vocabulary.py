"""The findings of chest radiographs that the rules know, as reports in English name them.

A concept is what is found. A group holds concepts that may name the same shadow: a report
that denies a consolidation and shows an opacity speaks of one thing twice. Rules never
change one of a group where another sentence says something else of the group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .phrases import PhraseIndex, Word

_FORMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pleural fluid": {
        "effusion": ("pleural effusion", "pleural effusions", "effusion", "effusions"),
        "pleural fluid": ("pleural fluid", "hydropneumothorax", "hemothorax"),
        "blunting": ("blunting", "blunted", "meniscus"),
    },
    "pneumothorax": {
        "pneumothorax": ("pneumothorax", "pneumothoraces", "pneumothoraxes"),
    },
    "airspace": {
        "consolidation": ("consolidation", "consolidations", "consolidative"),
        "infiltrate": ("infiltrate", "infiltrates", "infiltration"),
        "opacity": (
            *("opacity", "opacities", "opacification", "opacifications"),
            *("airspace opacity", "airspace opacities"),
            *("air space opacity", "air space opacities"),
            *("density", "densities", "shadow", "shadowing"),
        ),
        "airspace disease": (
            *("airspace disease", "air space disease", "air-space disease"),
            *("airspace process", "infectious process"),
        ),
        "pneumonia": ("pneumonia", "pneumonias", "pneumonitis", "aspiration"),
        "atelectasis": ("atelectasis", "atelectases", "atelectatic", "collapse"),
    },
    "edema": {
        "edema": ("pulmonary edema", "edema"),
        "congestion": (
            *("pulmonary vascular congestion", "vascular congestion", "congestion"),
            *("failure", "chf", "kerley"),
        ),
    },
    "heart": {
        "cardiomegaly": ("cardiomegaly",),
        "heart size": (
            *("heart", "cardiac silhouette", "cardiac enlargement"),
            *("cardiac size", "cardiomediastinal silhouette", "cardiac contour"),
            *("cardiac contours", "cardiac shadow", "cardiac and mediastinal"),
        ),
    },
    "nodule": {
        "nodule": ("nodule", "nodules", "nodularity", "nodular"),
        "mass": ("mass", "masses", "lesion", "lesions"),
        "granuloma": ("granuloma", "granulomas", "granulomata", "granulomatous"),
    },
    "emphysema": {
        "emphysema": ("emphysema", "emphysematous", "copd"),
        "hyperinflation": (
            *("hyperinflation", "hyperexpansion", "hyperinflated", "hyperexpanded"),
            *("hyperaeration", "hyperlucency"),
        ),
    },
    "scar": {
        "scarring": ("scarring", "scar", "scars"),
        "fibrosis": ("fibrosis", "fibrotic"),
    },
    "fracture": {
        "fracture": ("fracture", "fractures"),
        "deformity": ("deformity", "deformities"),
    },
    "spine": {
        "degenerative change": (
            *("degenerative changes", "degenerative change"),
            *("degenerative disease", "degenerative disc disease"),
        ),
        "spondylosis": ("spondylosis",),
        "osteophyte": ("osteophyte", "osteophytes", "osteophytosis"),
    },
    "curvature": {
        "scoliosis": ("scoliosis", "dextroscoliosis", "levoscoliosis", "scoliotic"),
        "kyphosis": ("kyphosis", "kyphotic", "kyphoscoliosis"),
        "curvature": ("curvature", "curve", "levocurvature", "dextrocurvature"),
    },
    "hernia": {"hernia": ("hiatal hernia", "hernia", "hiatus hernia")},
    "aorta": {
        "tortuosity": ("tortuosity", "tortuous", "ectasia", "ectatic", "unfolding"),
        "atherosclerosis": ("atherosclerosis", "atherosclerotic", "atheromatous"),
    },
    "thickening": {"thickening": ("pleural thickening", "thickening")},
    "nodes": {
        "adenopathy": ("adenopathy", "lymphadenopathy", "lymph node", "lymph nodes"),
    },
    "free air": {"free air": ("free air", "pneumoperitoneum", "pneumomediastinum")},
    "diaphragm": {
        "elevation": ("elevation", "elevated", "eventration"),
    },
    "interstitial": {
        "interstitial markings": ("interstitial markings", "interstitial prominence"),
        "interstitial disease": ("interstitial disease", "interstitial lung disease"),
    },
    "bronchi": {"bronchiectasis": ("bronchiectasis", "bronchiectatic")},
}
"""Group -> concept -> the words for it, in lower case."""

COUNTED = "takes an article"
UNCOUNTED = "takes no article"
PLURAL = "is a plural that has no singular here"

NOUNS: Mapping[str, str] = {
    "pleural effusion": COUNTED,
    "pleural effusions": "pleural effusion",
    "effusion": COUNTED,
    "effusions": "effusion",
    "pneumothorax": COUNTED,
    "pneumothoraces": "pneumothorax",
    "pneumothoraxes": "pneumothorax",
    "consolidation": COUNTED,
    "consolidations": "consolidation",
    "infiltrate": COUNTED,
    "infiltrates": "infiltrate",
    "opacity": COUNTED,
    "opacities": "opacity",
    "airspace opacity": COUNTED,
    "airspace opacities": "airspace opacity",
    "air space opacity": COUNTED,
    "air space opacities": "air space opacity",
    "opacification": UNCOUNTED,
    "airspace disease": UNCOUNTED,
    "air space disease": UNCOUNTED,
    "air-space disease": UNCOUNTED,
    "pneumonia": UNCOUNTED,
    "atelectasis": UNCOUNTED,
    "pulmonary edema": UNCOUNTED,
    "edema": UNCOUNTED,
    "pulmonary vascular congestion": UNCOUNTED,
    "vascular congestion": UNCOUNTED,
    "cardiomegaly": UNCOUNTED,
    "nodule": COUNTED,
    "nodules": "nodule",
    "mass": COUNTED,
    "masses": "mass",
    "granuloma": COUNTED,
    "granulomas": "granuloma",
    "emphysema": UNCOUNTED,
    "hyperinflation": UNCOUNTED,
    "scarring": UNCOUNTED,
    "fibrosis": UNCOUNTED,
    "fracture": COUNTED,
    "fractures": "fracture",
    "degenerative changes": PLURAL,
    "degenerative change": UNCOUNTED,
    "spondylosis": UNCOUNTED,
    "osteophyte": COUNTED,
    "osteophytes": "osteophyte",
    "scoliosis": UNCOUNTED,
    "dextroscoliosis": UNCOUNTED,
    "levoscoliosis": UNCOUNTED,
    "kyphosis": UNCOUNTED,
    "hiatal hernia": COUNTED,
    "pleural thickening": UNCOUNTED,
    "adenopathy": UNCOUNTED,
    "lymphadenopathy": UNCOUNTED,
    "bronchiectasis": UNCOUNTED,
    "pneumoperitoneum": UNCOUNTED,
    "free air": UNCOUNTED,
}
"""Words that may be asserted or denied by themselves.

For other plurals the value is their singular.
"""

ACUTE_GROUPS = ("pleural fluid", "pneumothorax", "airspace", "edema")
"""What "no acute disease" denies."""
LUNG_GROUPS = (
    *("airspace", "edema", "nodule", "scar", "emphysema", "interstitial", "bronchi"),
)
"""What "the lungs are clear" denies."""

SHADOW_GROUPS = frozenset((*LUNG_GROUPS, "pleural fluid", "thickening", "nodes"))
"""What may be one shadow under several names."""

_CONCEPTS = {
    form: (concept, group)
    for group, concepts in _FORMS.items()
    for concept, forms in concepts.items()
    for form in forms
}
_INDEX = PhraseIndex(_CONCEPTS)


@dataclass(frozen=True, repr=False)
class Mention:
    """A finding that a sentence names. Its repr shows no words of the report."""

    concept: str
    group: str
    form: str
    """The words that name it, in lower case."""
    start: int
    end: int
    """Where they stand in the sentence, in characters."""

    def __repr__(self) -> str:
        return f"<Mention of {self.concept}>"


def mentions_in(words: Sequence[Word]) -> Iterator[Mention]:
    """The findings that a sentence names, whether it asserts or denies them."""
    for form, start, end in _INDEX.find(words):
        concept, group = _CONCEPTS[form]
        yield Mention(concept, group, form, start, end)


def singular(form: str) -> str:
    """One of what `form` names.

    >>> singular("pneumothoraces"), singular("edema")
    ('pneumothorax', 'edema')
    """
    number = NOUNS[form]
    return form if number in (COUNTED, UNCOUNTED, PLURAL) else number


def takes_article(form: str) -> bool:
    """Whether the singular of `form` stands with "a" or "an"."""
    return NOUNS[singular(form)] == COUNTED
