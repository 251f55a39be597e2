"""The zone of the lung: upper and lower, apical and basilar."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .document import Document
from .rewriting import Change
from .sentence import Sentence
from .vocabulary import SHADOW_GROUPS
from .word_swaps import WordAt, WordSwap, alternation

_OPPOSITES = {
    "upper": "lower",
    "lower": "upper",
    "apical": "basilar",
    "basilar": "apical",
    "basal": "apical",
    "bibasilar": "biapical",
    "biapical": "bibasilar",
    "apex": "base",
    "base": "apex",
    "apices": "bases",
    "bases": "apices",
}
_PLACES = ("lobe", "lobes", "lung", "lungs", "zone", "zones")
_LUNG_GROUPS = (
    *("airspace", "nodule", "scar", "pneumothorax", "emphysema", "thickening"),
    *("interstitial", "bronchi", "pleural fluid"),
)
_CONFLICTS = (
    *("middle", "mid", "midlung", "lingula", "lingular", "retrocardiac", "perihilar"),
    *("costophrenic", "diaphragm", "hemidiaphragm", "heart", "cardiac", "cervical"),
    *("spine", "thoracic", "lumbar", "vertebral", "abdomen", "abdominal", "lordotic"),
    *("extremity", "mediastinum", "mediastinal", "paratracheal", "ribs", "rib"),
    *("dependent", "layering", "fissure", "volumes", "level", "view", "segment"),
    *("segments", "segmental"),
)


def _is_zone(sentence: Sentence, word: WordAt) -> bool:
    if sentence.mentions[0].group not in _LUNG_GROUPS:
        return False
    if word.word not in ("upper", "lower"):
        return True
    following = re.split(r"\W+", sentence.text[word.end :].lower().lstrip(), maxsplit=1)
    return following[0] in _PLACES


_ZONES = WordSwap(
    opposites=_OPPOSITES,
    pattern=re.compile(
        rf"(?<![\w-])({alternation((*_OPPOSITES, 'middle', 'mid'))})\b",
        re.IGNORECASE,
    ),
    triggers=frozenset((*_OPPOSITES, "middle", "mid")),
    conflicts=_CONFLICTS,
    is_fit=_is_zone,
    same_place=SHADOW_GROUPS,
)


def zone_changes(document: Document) -> Iterator[Change]:
    """The zone of each finding of lung or pleura that the report puts into one."""
    return _ZONES.changes(document)
