"""A device inserted, removed, or its tip moved to a wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .devices import devices_in
from .document import Document
from .general_statements import calls_chest_normal
from .phrases import words_of
from .rewriting import Change
from .sentence import Sentence

_INSERTED = (
    "An endotracheal tube is in place, with its tip above the carina",
    "A nasogastric tube courses into the stomach",
    "A right internal jugular central venous catheter is in place",
    "A left-sided pacemaker is in place",
    "A right-sided chest tube is in place",
)
_LEAST_SENTENCES = 3
"""A report that says less may leave a device unsaid."""
_MOST_WORDS_BEFORE = 7
"""Of a sentence whose subject is the device."""
_ENDS_OF_DEVICES = ("tip", "lead", "leads", "terminates", "terminating", "ends")
_MOVES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"\b(above)(?= the (?:level of the )?carina\b)", re.IGNORECASE),
        "below",
    ),
    (
        re.compile(
            r"\b(?:in|within|at|over|overlies|into|near|overlying|to) the ((?:mid |"
            r"distal |lower |proximal |upper )?(?:superior vena cava|svc)"
            r"|cavoatrial junction|(?:superior )?cavoatrial junction|caval atrial"
            r" junction)(?=$|[,;.\s])",
            re.IGNORECASE,
        ),
        "right ventricle",
    ),
    (
        re.compile(
            r"\b(?:in|within|into|over) the (stomach|gastric fundus|gastric body)\b",
            re.IGNORECASE,
        ),
        "upper esophagus",
    ),
)
"""What says where a tip is as it should be, and a place where it should not be."""
_IN_LUMPS = re.compile(
    r"\b(?:support (?:devices|lines|apparatus|tubes)|lines and tubes|tubes and lines)\b",
    re.IGNORECASE,
)


def device_changes(document: Document, choice: int) -> Iterator[Change]:
    """`choice` is any number: which device is inserted follows from it."""
    yield from _removals(document)
    yield from _moves(document)
    insertion = _insertion(document, choice)
    if insertion is not None:
        yield insertion


def _sole_device(document: Document, sentence: Sentence) -> str | None:
    """The one device that a sentence asserts, and that no other sentence speaks of."""
    devices = {mention.device for mention in sentence.devices} - {""}
    if len(devices) != 1 or sentence.mentions or not sentence.is_asserted:
        return None
    is_alone = (
        len(document.with_devices) == 1 and _IN_LUMPS.search(document.text) is None
    )
    return next(iter(devices)) if is_alone else None


def _removals(document: Document) -> Iterator[Change]:
    for number, sentence in enumerate(document.sentences):
        device = _sole_device(document, sentence)
        if device is None or document.goes_on_after(number):
            continue
        if _is_all_about_device(sentence):
            none = document.styled(f"There is no {device}")
            yield Change("removed", {number: none})


def _is_all_about_device(sentence: Sentence) -> bool:
    """Whether the device is the subject, and all that follows is where it lies."""
    before = sentence.text[: sentence.devices[0].start].split()
    if len(before) > _MOST_WORDS_BEFORE:
        return False
    may_say_more = sentence.has("and", "with", ",")
    return not may_say_more or sentence.has(*_ENDS_OF_DEVICES)


def _moves(document: Document) -> Iterator[Change]:
    for number, sentence in enumerate(document.sentences):
        if _sole_device(document, sentence) is None:
            continue
        for pattern, place in _MOVES:
            matches = list(pattern.finditer(sentence.text))
            if len(matches) == 1:
                start, end = matches[0].span(1)
                before, after = sentence.text[:start], sentence.text[end:]
                moved = f"{before}{document.styled(place)}{after}"
                yield Change("moved", {number: moved})
                break


def _insertion(document: Document, choice: int) -> Change | None:
    """A device of which a report of a chest that is long enough says nothing.

    A word that was replaced by XXXX may have been one.
    """
    sentences = document.sentences
    if len(sentences) < _LEAST_SENTENCES or "XXX" in document.text.upper():
        return None
    if not document.about:
        return None
    # Also in sections that are not edited: "INDICATION: line placement".
    if document.with_devices or any(devices_in(words_of(document.outside))):
        return None
    if any(calls_chest_normal(sentence) for sentence in sentences):
        return None
    last = document.findings_end
    added = document.styled(_INSERTED[choice % len(_INSERTED)])
    return Change("inserted", {last: document.followed_by(last, added)})
