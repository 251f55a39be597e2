"""What the report says of change: stable in place of worse, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .document import Document
from .rewriting import Change, replaced
from .sentence import Sentence
from .word_swaps import WordAt, stands_before_finding

_BEFORE_FINDING = {
    "stable": "worsening",
    "unchanged": "worsening",
    "worsening": "stable",
    "worsened": "stable",
    "increasing": "stable",
}
"""Adjectives in front of a finding."""
_PREDICATES = {
    "is unchanged": "has worsened",
    "are unchanged": "have worsened",
    "is stable": "has worsened",
    "are stable": "have worsened",
    "remains unchanged": "has worsened",
    "remain unchanged": "have worsened",
    "remains stable": "has worsened",
    "remain stable": "have worsened",
    "has worsened": "is unchanged",
    "have worsened": "are unchanged",
    "has increased": "is unchanged",
    "have increased": "are unchanged",
    "has progressed": "is unchanged",
    "have progressed": "are unchanged",
}
_CHANGE_WORD = re.compile(
    r"\b(?:(?:un)?chang\w*|stab\w*|worse\w*|increas\w*|decreas\w*|improv\w*|progress\w*"
    r"|enlarging|persist\w*|resol\w*|interval|again|new|develop\w*|remain\w*|grow\w*"
    r"|continu\w*|larger|smaller|bigger|residual|redemonstrat\w*|since|prior|previous\w*|compared)\b",
    re.IGNORECASE,
)
_TRIGGERS = frozenset((*_BEFORE_FINDING, *(words.split()[-1] for words in _PREDICATES)))
"""A report without any of these words says nothing of change that is edited."""
_SINCE_WHEN = ("since", "prior", "previous", "compared", "interval")
"""They may stand beside the word that says what changed."""
_WORSE = re.compile(r"\b(?:worse|increas|progress|develop|new\b)", re.IGNORECASE)
_ADJECTIVE = re.compile(rf"\b({'|'.join(_BEFORE_FINDING)})\b", re.IGNORECASE)
_PREDICATE = re.compile(
    rf"\b({'|'.join(_PREDICATES)})"
    r"(?=\s*$|\s+(?:since|from|compared|when compared|in the interval)\b)",
    re.IGNORECASE,
)
_TRAILING = re.compile(r",\s*(unchanged|stable)\s*$", re.IGNORECASE)
_GENERAL = re.compile(
    r"\bno (?:\w+ ){0,3}changes?\b|\bunchanged (?:exam|chest|appearance)"
    r"|\bstable (?:\w+ ){0,2}(?:exam|chest|appearance|study|findings)"
    r"|\b(?:is|are|appears?|remains?) (?:\w+ )?stable in appearance"
    r"|\bsimilar\b|\bas before\b|\bwithout (?:\w+ ){0,2}changes?\b",
    re.IGNORECASE,
)
"""Statements that the whole is as it was, which a worse finding would contradict."""
_GROWING = ("nodule", "mass", "adenopathy")
_GROWTH = {"worsening": "enlarging", "worsened": "enlarged"}
_CHANGING = {
    *("effusion", "pneumothorax", "consolidation", "infiltrate", "opacity"),
    *("airspace disease", "pneumonia", "atelectasis", "edema", "congestion"),
    *("cardiomegaly", "emphysema", "scoliosis", "kyphosis", "degenerative change"),
    *("thickening", "adenopathy", "interstitial disease", "bronchiectasis"),
    *("fibrosis", "hyperinflation", "mass", "nodule"),
}
"""Concepts that can worsen. A fracture, a calcified granuloma or an aorta hardly can."""
_SETTLED = (
    *("old", "chronic", "healed", "remote", "calcified", "postsurgical", "heart"),
    *("silhouette", "contour", "contours", "size", "postoperative", "residual"),
)


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    instead: str
    was_stable: bool


def change_changes(document: Document) -> Iterator[Change]:
    """The course of each finding: one that is stable gets worse, one that got worse is
    stable. "Improved" is left alone, because its opposite is either.
    """
    if _TRIGGERS.isdisjoint(document.word_set):
        return
    is_same_throughout = _GENERAL.search(document.text) is not None
    done: set[str] = set()
    for sentence in document.sentences:
        match = _match_in(sentence)
        if match is None or (match.was_stable and is_same_throughout):
            continue
        group = sentence.mentions[0].group
        if group in done:
            continue
        done.add(group)
        if not match.was_stable and _gets_worse_elsewhere(document, sentence):
            continue
        change = _change_of(document, group, match.was_stable)
        if change is not None:
            yield change


def _gets_worse_elsewhere(document: Document, sentence: Sentence) -> bool:
    """Whether a sentence about something else says that it got worse, perhaps the same in
    other words.
    """
    groups = sentence.groups
    return any(
        _WORSE.search(other.text) is not None and not other.groups & groups
        for other in document.sentences
    )


def _change_of(document: Document, group: str, was_stable: bool) -> Change | None:
    sentences: dict[int, str] = {}
    for number in document.about[group]:
        sentence = document.sentences[number]
        if _CHANGE_WORD.search(sentence.text) is None:
            continue
        match = _match_in(sentence)
        if match is None or match.was_stable != was_stable:
            return None
        sentences[number] = replaced(
            sentence.text, match.start, match.end, match.instead
        )
    return Change("changed", sentences)


def _match_in(sentence: Sentence) -> _Match | None:
    """What a sentence says of the course of its one finding, if that is all it says."""
    if len(sentence.concepts) != 1 or sentence.devices or not sentence.is_asserted:
        return None
    if sentence.mentions[0].concept not in _CHANGING or sentence.has(*_SETTLED):
        return None
    words = [word.lower() for word in _CHANGE_WORD.findall(sentence.text)]
    if len([word for word in words if word not in _SINCE_WHEN]) != 1:
        return None
    match = _course_in(sentence)
    if match is None or sentence.mentions[0].concept not in _GROWING:
        return match
    words = [_GROWTH.get(word, word) for word in match.instead.split()]
    return replace(match, instead=" ".join(words))


def _course_in(sentence: Sentence) -> _Match | None:
    predicate = _PREDICATE.search(sentence.text)
    if predicate is not None:
        return _matched(predicate, _PREDICATES)
    trailing = _TRAILING.search(sentence.text)
    if trailing is not None:
        return _Match(*trailing.span(1), "worsened", was_stable=True)
    adjective = _ADJECTIVE.search(sentence.text)
    if adjective is None:
        return None
    word = WordAt("", "", *adjective.span())
    if not stands_before_finding(sentence, word, 5, ("in", "of", "the", "to", "and")):
        return None
    return _matched(adjective, _BEFORE_FINDING)


def _matched(match: re.Match[str], instead_of: dict[str, str]) -> _Match:
    words = " ".join(match[1].lower().split())
    was_stable = "stable" in words or "unchanged" in words
    return _Match(*match.span(1), instead_of[words], was_stable)
