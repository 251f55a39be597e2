"""One finding in place of another that would look different in the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .document import Document
from .general_statements import kept_true
from .rewriting import Change, replaced
from .sentence import Sentence

_PAIRS = (
    ("effusion", "pneumothorax"),
    ("pneumothorax", "effusion"),
    ("atelectasis", "consolidation"),
    ("consolidation", "atelectasis"),
    ("scoliosis", "kyphosis"),
    ("kyphosis", "scoliosis"),
)
_GROUPS = {
    "effusion": "pleural fluid",
    "pneumothorax": "pneumothorax",
    "atelectasis": "airspace",
    "consolidation": "airspace",
    "scoliosis": "curvature",
    "kyphosis": "curvature",
}
_FORMS: Mapping[str, Mapping[str, str]] = {
    "effusion": {
        "pleural effusion": "pneumothorax",
        "pleural effusions": "pneumothoraces",
        "effusion": "pneumothorax",
        "effusions": "pneumothoraces",
    },
    "pneumothorax": {
        "pneumothorax": "pleural effusion",
        "pneumothoraces": "pleural effusions",
    },
    "atelectasis": {"atelectasis": "consolidation"},
    "consolidation": {"consolidation": "atelectasis"},
    "scoliosis": {"scoliosis": "kyphosis"},
    "kyphosis": {"kyphosis": "scoliosis"},
}
"""Concept -> form -> the form of the other finding."""
_BOUND_TO_ONE = (
    *(
        "layering",
        "fluid",
        "tension",
        "air",
        "costophrenic",
        "subpulmonic",
        "loculated",
    ),
    *("subsegmental", "platelike", "plate-like", "discoid", "linear", "bandlike"),
    *("band-like", "compressive", "streaky", "rotatory", "convex", "curvature"),
    *("s-shaped", "angulation", "free-flowing", "interlobar", "level", "volume"),
    *("apical", "apex", "fissure", "tracking", "measuring", "chest", "exaggerated"),
    *("increased", "accentuated", "accentuation", "straightening", "wedging"),
    *("basilar-predominant", "right-sided-convex", "leftward", "rightward", "loss"),
)
"""Words that fit only one of a pair."""
_OF_CONSOLIDATION = ("airspace", "air", "alveolar", "lobar", "space", "confluent")
_MORE_ACUTE = ("pneumothorax", "consolidation")
"""A report that finds nothing acute may have the other of the pair, but not these."""


def finding_changes(document: Document) -> Iterator[Change]:
    """The finding that is there and one that is not, each in place of the other.

    Every sentence that names one of the two is changed, also those that deny it, so that
    "left pleural effusion, no pneumothorax" turns into "left pneumothorax, no pleural
    effusion".
    """
    for concept, other in _PAIRS:
        if _GROUPS[concept] not in document.about:
            continue
        change = _change_of(document, concept, other)
        if change is not None:
            yield change


def _change_of(document: Document, concept: str, other: str) -> Change | None:
    sentences: dict[int, str] = {}
    is_there = False
    for number in _sentences_about(document, concept, other):
        sentence = document.sentences[number]
        named = sentence.concepts & {concept, other}
        if named == {concept} and _asserts_only(sentence, concept):
            is_there = True
        elif named != {other} or not _denies_in_list(sentence, concept):
            # In doubt, both are there, or another word of the group that may mean either.
            return None
        text = _swapped(sentence, concept, other)
        if text is None:
            return None
        sentences[number] = text
    if not is_there or _is_spoken_of_again(document, sentences):
        return None
    if other not in _MORE_ACUTE:
        return Change("swapped", sentences)
    for number, sentence in enumerate(document.sentences):
        if number in sentences:
            continue
        rewritten = kept_true(sentence, _GROUPS[other])
        if rewritten is None:
            return None
        if rewritten != sentence.text:
            sentences[number] = rewritten
    return Change("swapped", sentences)


def _sentences_about(document: Document, concept: str, other: str) -> list[int]:
    """The sentences that name a finding of the same groups, in order."""
    numbers = {
        number
        for group, of_group in document.about.items()
        if group in (_GROUPS[concept], _GROUPS[other])
        for number in of_group
    }
    return sorted(numbers)


def _asserts_only(sentence: Sentence, concept: str) -> bool:
    if not sentence.is_asserted or sentence.concepts != {concept} or sentence.devices:
        return False
    is_article_wrong = sentence.has("a", "an") and concept == "consolidation"
    return not is_article_wrong and not sentence.has(*_BOUND_TO_ONE)


def _denies_in_list(sentence: Sentence, concept: str) -> bool:
    """Whether it denies a list that would read as well with `concept` in it."""
    if not sentence.is_plainly_denied or sentence.denied_list is None:
        return False
    is_consolidation = _GROUPS[concept] == "airspace"
    return not (is_consolidation and sentence.has(*_OF_CONSOLIDATION))


def _swapped(sentence: Sentence, concept: str, other: str) -> str | None:
    """The sentence with each of the two in place of the other; None if a form has none."""
    text = sentence.text
    for mention in reversed(sentence.mentions):
        if mention.concept not in (concept, other):
            continue
        form = _FORMS[mention.concept].get(mention.form)
        if form is None:
            return None
        text = replaced(text, mention.start, mention.end, form)
    return text


def _is_spoken_of_again(document: Document, sentences: Mapping[int, str]) -> bool:
    return any(document.goes_on_after(number) for number in sentences)
