"""Left and right swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .document import Document
from .rewriting import Change
from .sentence import Sentence
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
)
_SIDE_WORD = re.compile(
    r"\b(?:left|right|leftwards?|rightwards?|l[ul]l|r[uml]l|[lr]t|(?-i:[LR])"
    r"|lingular?|middle lobe)\b",
    re.IGNORECASE,
)
"""Also what no rule swaps: "RLL" is the right lower lobe, and the lingula is on the left."""


def side_changes(document: Document) -> Iterator[Change]:
    """The side of the finding that the report puts on one side.

    A report with any other side word is left alone: a procedure, a device or a clear lung
    on the old side may say where the finding is ("following right thoracentesis").
    """
    for change in _SIDES.changes(document):
        if not _leaves_a_side(document, change):
            yield change


def _leaves_a_side(document: Document, change: Change) -> bool:
    """Whether a sentence that stays as it is has a side word, or a changed one another."""
    for number, sentence in enumerate(document.sentences):
        swapped = int(number in change.sentences)
        if len(_SIDE_WORD.findall(sentence.text)) > swapped:
            return True
    return False
