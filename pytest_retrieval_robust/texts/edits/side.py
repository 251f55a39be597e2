"""Left and right swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .document import Document
from .rewriting import Change
from .sentence import Sentence
from .vocabulary import SHADOW_GROUPS
from .word_swaps import WordAt, WordSwap

_ONE_SIDED = (
    *("middle", "rml", "lingula", "lingular", "ventricle", "ventricular", "atrium"),
    *("atrial", "heart", "cardiac", "aortic", "aorta", "arch", "quadrant", "abdomen"),
    *("abdominal", "gallbladder", "liver", "hepatic", "spleen", "splenic", "stomach"),
    *("gastric", "bowel", "colon", "paratracheal", "fissure", "minor", "azygos"),
    *("coronary", "mainstem", "subclavian", "bilateral", "bilaterally", "both"),
    *("bibasilar", "biapical", "shoulder", "knee", "ankle", "foot", "hand", "hip"),
    *("scoliosis", "dextroscoliosis", "levoscoliosis", "curvature", "convex", "spine"),
    *("mediastinal", "mediastinum", "trachea", "away", "view", "lateral", "oblique"),
    *("midline", "hernia", "cholecystectomy", "mastectomy", "right-handed"),
)
"""What exists on one side, or turns on the side of something else."""


def _is_place(sentence: Sentence, word: WordAt) -> bool:
    """Whether the word is a side: the chest's, not a verb's and not of a comparison."""
    following = sentence.text[word.end :].split(maxsplit=1)[:1]
    return following not in (["in"], ["after"], ["behind"])


_SIDES = WordSwap(
    opposites={"left": "right", "right": "left"},
    pattern=re.compile(r"\b(left|right)\b", re.IGNORECASE),
    triggers=frozenset(("left", "right")),
    conflicts=_ONE_SIDED,
    is_fit=_is_place,
    action="swapped",
    same_place=SHADOW_GROUPS,
)
_LUNG = re.compile(r"\b(?:lung|hemithorax|hemidiaphragm|chest|base|apex)\b", re.I)


def side_changes(document: Document) -> Iterator[Change]:
    """The side of each finding that the report puts on one side, and nowhere else."""
    if not _SIDES.may_be_in(document):
        return
    if any(_says_side_is_clear(sentence) for sentence in document.sentences):
        return
    for change in _SIDES.changes(document):
        if not _goes_on_about_a_side(document, change):
            yield change


def _says_side_is_clear(sentence: Sentence) -> bool:
    """Whether it denies something of one side: "The right lung is clear"."""
    if not sentence.is_denied or not _SIDES.words_in(sentence):
        return False
    return _LUNG.search(sentence.text) is not None


def _goes_on_about_a_side(document: Document, change: Change) -> bool:
    """Whether the sentence after a changed one names a side and none of our findings."""
    for number in change.sentences:
        following = document.sentences[number + 1 : number + 2]
        for sentence in following:
            if _SIDES.words_in(sentence) and not sentence.mentions:
                return True
    return False
