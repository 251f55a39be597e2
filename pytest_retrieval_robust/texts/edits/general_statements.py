"""What a report says of all of the chest, kept true to a finding that an edit adds."""

from __future__ import annotations

import re

from .rewriting import replaced
from .sentence import Sentence
from .vocabulary import ACUTE_GROUPS, LUNG_GROUPS

_NO_ACUTE = re.compile(
    r"\b(?:no|without|negative for)\b(?: (?:definite|radiographic|convincing|visible))?"
    r"(?: (?:evidence|evidences|sign|signs|radiographic evidence) (?:of|for))?"
    r"(?: an| any)? (?P<acute>acute|active)"
    r"(?: (?:cardio\w*|pulmonary|cardiac|intrathoracic|thoracic|chest|radiographic|lung"
    r"|cardiovascular|bony|bone|osseous|skeletal|parenchymal|intra-?thoracic|or|and)){0,4}"
    r" (?:abnormalit\w+|disease|process|processes|findings?|patholog\w+|changes?)\b",
    re.IGNORECASE,
)
_ACUTE = re.compile(
    r"\b(?:acute|active)\b[^.;]{0,60}\b(?:abnormalit|disease|process|finding|patholog)",
    re.IGNORECASE,
)
_BONES = re.compile(r"\b(?:bon\w+|osseous|skelet\w+|ribs?|spine|abdom\w+)\b", re.I)
_CHEST_ALONE = re.compile(r"cardi|pulm|lung|thora|parench", re.IGNORECASE)
_CLEAR = re.compile(
    r"\b(?:lungs?|lung fields?|lung zones)\b[^.;:]{0,40}?\b(?P<clear>clear)\b(?! of)"
    r"|(?P<first>\bclear) (?:\w+ )?lungs\b",
    re.IGNORECASE,
)
_NORMAL_CHEST = re.compile(
    r"\b(?:normal|negative|unremarkable) (?:\w+ ){0,3}(?:chest|exam\w*|study|radiograph"
    r"\w*|x-?ray|film)\b|\bchest(?: x-?ray| radiograph)? (?:is|appears) (?:normal|negative"
    r"|unremarkable|clear)\b",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\bno (?:\w+ ){0,2}(?:abnormalit\w+|disease|findings?|patholog\w+|process)\b",
    re.IGNORECASE,
)
_NORMAL_LUNGS = re.compile(
    r"\blungs?\b[^.;]{0,60}\b(?:normal|unremarkable|well[- ]aerated|free)\b"
    r"|\b(?:normal|unremarkable|free) (?:\w+ ){0,2}lungs?\b",
    re.IGNORECASE,
)
_NORMAL_PLEURA = re.compile(
    r"\bpleural? (?:space|surface|cavit|margin|recess)|\bcostophrenic|\bpleura\b"
    r"|\bsulc",
    re.IGNORECASE,
)


def denies_group(sentence: Sentence, group: str) -> bool:
    """Whether it calls the lungs clear or normal, and the group is one of the lungs."""
    if group not in LUNG_GROUPS:
        return False
    is_clear = _CLEAR.search(sentence.text) is not None
    return is_clear or _NORMAL_LUNGS.search(sentence.text) is not None


def kept_true(sentence: Sentence, group: str) -> str | None:
    """A general statement as it reads beside a finding of `group`; None where the rules do
    not know how.
    """
    text = sentence.text
    if sentence.has("acute", "active"):
        general = _NO_ACUTE.search(text)
        if general is not None:
            if _concerns(general[0], text, group):
                return _with_word(text, general, "acute", "other")
            return text
        if sentence.is_denied and _ACUTE.search(text):
            # It denies something acute in words that the rules do not read.
            return None if group in (*ACUTE_GROUPS, "fracture") else text
    if _finds_nothing(sentence):
        return None
    # "The right lung is clear" says nothing of the other one.
    is_one_sided = sentence.has("left", "right")
    if group in LUNG_GROUPS and sentence.has("lung", "lungs") and not is_one_sided:
        clear = _CLEAR.search(text) if sentence.has("clear") else None
        if clear is not None:
            name = "clear" if clear["clear"] else "first"
            return _with_word(text, clear, name, "otherwise")
        if _NORMAL_LUNGS.search(text):
            return None
    is_of_pleura = group in ("pleural fluid", "pneumothorax")
    if is_of_pleura and _NORMAL_PLEURA.search(text):
        return None
    return text


def _concerns(general: str, text: str, group: str) -> bool:
    """Whether a statement that nothing acute is there denies a finding of `group`."""
    if _BONES.search(text):
        return group == "fracture"
    if group == "fracture":
        return _CHEST_ALONE.search(general) is None
    return group in ACUTE_GROUPS


def calls_chest_normal(sentence: Sentence) -> bool:
    """Whether it calls the chest or the examination normal."""
    return sentence.is_denied and _NORMAL_CHEST.search(sentence.text) is not None


def _finds_nothing(sentence: Sentence) -> bool:
    """Whether it says that nothing at all is there."""
    if sentence.mentions or not sentence.is_denied or _BONES.search(sentence.text):
        return False
    return calls_chest_normal(sentence) or _NOTHING.search(sentence.text) is not None


def _with_word(text: str, match: re.Match[str], name: str, word: str) -> str:
    """`text` with `word` in front of a group of the match, unless it is there already."""
    start, end = match.span(name)
    if text[:start].lower().rstrip().endswith(word):
        return text
    plain = text[start:end].lower()
    return replaced(text, start, end, f"{word} {plain}")
