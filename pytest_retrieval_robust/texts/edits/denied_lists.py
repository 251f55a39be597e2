"""Sentences that deny a list of findings: "No pleural effusion or pneumothorax"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .phrases import words_of
from .rewriting import article, capitalised
from .vocabulary import NOUNS, mentions_in, singular, takes_article

_PREFIX = re.compile(
    r"\b(?P<no>(?:no|without)(?: (?:radiographic |radiographic sign |sign )?evidence"
    r" (?:of|for)(?: an?)?)?|negative for|free of(?: any)?|clear of)\s+",
    re.IGNORECASE,
)
_HEADS = (
    *("", "there is", "there are", "there was", "specifically,", "specifically"),
    *("there also is", "there is also"),
)
"""What may stand before "no" where the list is all that the sentence says."""
_SEPARATOR = re.compile(r"\s*(,\s*(?:or|and|nor)\b|,|\b(?:or|and|nor)\b)\s*", re.I)
_SAID = re.compile(
    r"\s+(?:(?:is|are)\s+)?(?:seen|identified|noted|present|appreciated|demonstrated"
    r"|visualized|evident|detected|observed)$",
    re.IGNORECASE,
)
_SAID_OF = re.compile(r"\b(is|are)\b", re.IGNORECASE)
_MODIFIERS = frozenset(
    (
        *(
            "focal",
            "acute",
            "pleural",
            "pulmonary",
            "airspace",
            "air",
            "space",
            "lobar",
        ),
        *("alveolar", "lung", "displaced", "rib", "bony", "osseous", "confluent"),
        *("interstitial", "visible", "mediastinal", "hilar", "parenchymal", "patchy"),
        *("pneumonic", "apical", "air-space", "vascular", "subcutaneous", "layering"),
    )
)
_EXTENTS = frozenset(("large", "small", "sizable"))
"""In front of the first of several findings they may speak of all."""


@dataclass(frozen=True, repr=False)
class Item:
    """One finding of a list: its words as they stand, and the finding among them."""

    words: str
    modifiers: tuple[str, ...]
    concept: str
    group: str
    form: str

    def __repr__(self) -> str:
        return f"<Item {self.concept}>"

    @property
    def asserted(self) -> str:
        """The finding as it is said to be there: "a focal consolidation"."""
        noun = " ".join([*self.modifiers, singular(self.form)])
        return f"{article(noun)} {noun}" if takes_article(self.form) else noun

    @property
    def verb(self) -> str:
        return "are" if NOUNS[self.form] not in _ONE_THING else "is"


_ONE_THING = ("takes an article", "takes no article")


@dataclass(frozen=True, repr=False)
class DeniedList:
    """A sentence as what stands before the list, the list, and the verb after it."""

    head: str
    """Up to and with "no", "without evidence of", ..."""
    is_all: bool
    """Whether the sentence says nothing but that these are not there."""
    has_evidence: bool
    """Whether it is evidence that is denied."""
    items: Sequence[Item]
    conjunction: str
    has_comma: bool
    """Whether a comma stands before the conjunction."""
    said: str
    """ " is seen", or nothing."""

    def __repr__(self) -> str:
        return f"<DeniedList of {len(self.items)}>"

    def without(self, position: int) -> DeniedList:
        """The list without one of its items, of at least two."""
        items = [item for place, item in enumerate(self.items) if place != position]
        return replace(self, items=items)

    def written(self) -> str:
        words = [item.words for item in self.items]
        listed = words[0]
        if len(words) == 2:
            listed = f"{words[0]} {self.conjunction} {words[1]}"
        if len(words) > 2:
            comma = "," if self.has_comma else ""
            first = ", ".join(words[:-1])
            listed = f"{first}{comma} {self.conjunction} {words[-1]}"
        said = self.said
        if len(words) == 1:
            said = _SAID_OF.sub(self.items[0].verb, said)
        head = self.head
        if re.match(r"there (is|are)\b", head, re.I):
            head = re.sub(r"\b(is|are)\b", self.items[0].verb, head, count=1)
        return f"{head}{listed}{said}"

    def asserting(self, position: int) -> str:
        """A sentence that says that one of the items is there."""
        item = self.items[position]
        if self.is_all and len(self.items) == 1 and self.said:
            said = _SAID_OF.sub("is", self.said)
            return capitalised(f"{item.asserted}{said}")
        if self.is_all and len(self.items) == 1 and self.has_evidence:
            return f"There is evidence of {item.asserted}"
        return f"There is {item.asserted}"


def read_denied_list(sentence: str) -> DeniedList | None:
    """The list of findings that a sentence denies; None where it says it otherwise."""
    text = sentence.rstrip(" .")
    matches = list(_PREFIX.finditer(text))
    if len(matches) != 1:
        return None
    match = matches[0]
    said = _SAID.search(text, match.end())
    listed = text[match.end() : len(text) if said is None else said.start()]
    parts = _SEPARATOR.split(listed)
    items = [_item(words) for words in parts[::2]]
    if not items or None in items:
        return None
    read = [item for item in items if item is not None]
    if len(read) > 1 and any(_has_extent(item) for item in read[:-1]):
        return None
    before = text[: match.start()].strip().lower()
    if any(mentions_in(words_of(before))):
        return None
    conjunctions = [part.strip(", \n").lower() for part in parts[1::2]]
    if not _is_one_list(conjunctions):
        return None
    last = parts[-2] if len(parts) > 1 else ""
    return DeniedList(
        head=text[: match.end()],
        is_all=before in _HEADS,
        has_evidence="evidence" in match["no"].lower(),
        items=read,
        conjunction=conjunctions[-1] if conjunctions else "or",
        has_comma=last.strip().startswith(","),
        said="" if said is None else said[0],
    )


def _is_one_list(conjunctions: Sequence[str]) -> bool:
    """Whether commas come first, and one conjunction last; or the same one throughout."""
    if not conjunctions:
        return True
    is_last_word = conjunctions[-1] != ""
    return is_last_word and not any(conjunctions[:-1])


def _item(words: str) -> Item | None:
    words = words.strip()
    mentions = list(mentions_in(words_of(words)))
    if len(mentions) != 1 or mentions[0].end != len(words):
        return None
    mention = mentions[0]
    modifiers = tuple(words[: mention.start].lower().split())
    is_read = set(modifiers) <= _MODIFIERS | _EXTENTS and mention.form in NOUNS
    if not is_read:
        return None
    return Item(words, modifiers, mention.concept, mention.group, mention.form)


def _has_extent(item: Item) -> bool:
    return not _EXTENTS.isdisjoint(item.modifiers)
