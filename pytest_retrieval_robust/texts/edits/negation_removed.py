"""A finding that the report denies, said to be there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .denied_lists import DeniedList
from .document import Document
from .general_statements import denies_group, kept_true
from .rewriting import Change

_NOT_SAID_ALONE = ("opacity", "heart size", "blunting", "elevation", "tortuosity")


def removed_negations(document: Document) -> Iterator[Change]:
    """Each finding that lists deny, said to be there; "other" and "otherwise" keep the
    general statements of the report true to it.
    """
    lists: dict[int, DeniedList] = {}
    for number, sentence in enumerate(document.sentences):
        if sentence.is_plainly_denied and sentence.mentions and not sentence.devices:
            read = sentence.denied_list
            if read is not None:
                lists[number] = read
    for group, numbers in document.about.items():
        change = _change_of(document, group, numbers, lists)
        if change is not None:
            yield change


def _change_of(
    document: Document, group: str, numbers: Sequence[int], lists: dict[int, DeniedList]
) -> Change | None:
    sentences: dict[int, str] = {}
    concepts: set[str] = set()
    for number in numbers:
        denied = lists.get(number)
        if denied is None:
            return None
        positions = [i for i, item in enumerate(denied.items) if item.group == group]
        if len(positions) != 1:
            return None
        text = _asserted(document, denied, positions[0])
        concepts.add(denied.items[positions[0]].concept)
        if text is None:
            return None
        sentences[number] = text
    if len(concepts) != 1 or not concepts.isdisjoint(_NOT_SAID_ALONE):
        return None
    return _with_the_rest(document, group, sentences, lists)


def _asserted(document: Document, denied: DeniedList, position: int) -> str | None:
    """The sentence with one finding of its list said to be there; None where too little
    of the sentence would remain.
    """
    asserted = document.styled(denied.asserting(position))
    if len(denied.items) == 1:
        return asserted if denied.is_all else None
    rest = denied.without(position).written()
    return f"{rest}{document.full_stop} {asserted}"


def _with_the_rest(
    document: Document,
    group: str,
    sentences: dict[int, str],
    lists: dict[int, DeniedList],
) -> Change | None:
    """The change with the general statements that it would contradict; None where one of
    them cannot be kept.
    """
    changed = dict(sentences)
    for number, sentence in enumerate(document.sentences):
        if number in changed:
            # What stands before its list: "The lungs are clear without consolidation".
            if not lists[number].is_all and denies_group(sentence, group):
                return None
            continue
        rewritten = kept_true(sentence, group)
        if rewritten is None:
            return None
        if rewritten != sentence.text:
            changed[number] = rewritten
    return Change("removed", changed)
