"""A finding that is there, denied: "There is a left pleural effusion" with "no"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .document import Document
from .rewriting import Change, uncapitalised
from .sentence import Sentence
from .vocabulary import NOUNS

_OPENINGS = (
    ("there", "is", "a"),
    ("there", "is", "an"),
    ("there", "is"),
    ("there", "are"),
)
_SAID = ("is", "are")
_SEEN = ("seen", "noted", "present", "identified", "visualized", "demonstrated")
_DROPPED = frozenset(
    (
        *("small", "large", "tiny", "trace", "mild", "moderate", "severe", "minimal"),
        *("marked", "slight", "bilateral", "stable", "unchanged", "mildly", "severely"),
        *("moderately", "minimally", "slightly", "markedly", "a", "an", "the", "again"),
        *("several", "few", "multiple", "some", "scattered", "diffuse", "extensive"),
        *("persistent", "worsening", "increasing", "increased", "new", "also"),
    )
)
"""Words of how much, how many and since when, which a denial would leave open."""
_KEPT = frozenset(
    (
        *("left", "right", "left-sided", "right-sided", "upper", "lower", "middle"),
        *(
            "lobe",
            "lobes",
            "lung",
            "lungs",
            "base",
            "bases",
            "apex",
            "apices",
            "apical",
        ),
        *("basilar", "basal", "bibasilar", "perihilar", "retrocardiac", "mid", "hilar"),
        *("focal", "patchy", "streaky", "linear", "calcified", "pleural", "pulmonary"),
        *("airspace", "air", "space", "interstitial", "alveolar", "subsegmental"),
        *(
            "acute",
            "old",
            "healed",
            "chronic",
            "remote",
            "displaced",
            "rib",
            "thoracic",
        ),
        *(
            "lumbar",
            "thoracolumbar",
            "midthoracic",
            "spine",
            "in",
            "of",
            "at",
            "within",
        ),
        *("the", "aorta", "hiatal", "lingula", "lingular", "zone", "medial", "lateral"),
        *("posterior", "anterior", "subcutaneous", "dense", "round", "nodular"),
        *("hemithorax", "side", "midlung", "hemidiaphragm", "central", "peripheral"),
        *("discoid", "platelike", "bandlike", "bullous", "mediastinal", "lower-lobe"),
    )
)
"""Words that may stand around a finding, and stay."""
_NOT_DENIED_ALONE = ("opacity", "elevation", "tortuosity", "deformity", "osteophyte")


def added_negations(document: Document) -> Iterator[Change]:
    """Each finding that plain sentences assert, denied in all of them."""
    for numbers in document.about.values():
        change = _change_of(document, numbers)
        if change is not None:
            yield change


def _change_of(document: Document, numbers: Sequence[int]) -> Change | None:
    """The denial of all that these sentences assert of one group; None if one of them is
    not plain, or if they name several findings.
    """
    sentences: dict[int, str] = {}
    concepts: set[str] = set()
    for number in numbers:
        sentence = document.sentences[number]
        denied = _denied(sentence)
        if denied is None or document.goes_on_after(number):
            return None
        sentences[number] = document.styled_like(number, denied)
        concepts |= sentence.concepts
    return Change("added", sentences) if len(concepts) == 1 else None


def _denied(sentence: Sentence) -> str | None:
    """The sentence with "no"; None where it is not plain enough."""
    if not sentence.is_asserted or len(sentence.mentions) != 1 or sentence.devices:
        return None
    mention = sentence.mentions[0]
    if mention.form not in NOUNS or mention.concept in _NOT_DENIED_ALONE:
        return None
    before = sentence.text[: mention.start].split()
    after = sentence.text[mention.end :].split()
    opening = _opening(before)
    described = before[len(opening) :]
    seen = [word for word in after if word.lower() not in ("again", "also")]
    is_said = len(seen) == 2 and seen[0] in _SAID and seen[1] in _SEEN
    place = [] if is_said else after
    if (opening and is_said) or not _are_plain(described, place):
        return None
    kept = [uncapitalised(w) for w in described if w.lower() not in _DROPPED]
    form = uncapitalised(sentence.text[mention.start : mention.end])
    phrase = " ".join([*kept, form, *place])
    if opening:
        return f"There {opening[1]} no {phrase}"
    if is_said:
        return f"No {phrase} {' '.join(seen)}"
    return f"No {phrase}"


def _opening(words: Sequence[str]) -> tuple[str, ...]:
    """What a sentence begins with that says that something is there, if it does."""
    lower = tuple(word.lower() for word in words[:3])
    fitting = (opening for opening in _OPENINGS if lower[: len(opening)] == opening)
    return next(fitting, ())


def _are_plain(described: Sequence[str], place: Sequence[str]) -> bool:
    """Whether all words around a finding are known, and those after it name a place."""
    words = {word.lower() for word in (*described, *place)}
    is_place = not place or place[0].lower() in ("in", "of", "at", "within")
    return is_place and words <= _DROPPED | _KEPT
