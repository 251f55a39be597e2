"""Whether a report is in English, by its commonest words alone."""

from __future__ import annotations

from collections.abc import Collection

_ENGLISH = frozenset(
    (
        *("the", "is", "are", "of", "and", "there", "with", "without", "or", "which"),
        *("heart", "lung", "lungs", "normal", "clear", "right", "left", "chest", "has"),
        *("size", "within", "limits", "effusion", "seen", "evidence", "be", "been"),
        *("small", "mild", "stable", "acute", "for", "at", "unchanged", "pleural"),
        *("disease", "lobe", "lower", "upper", "opacity", "this", "have", "from"),
        *("cardiomegaly", "atelectasis", "focal"),
    )
)
_OTHERS = frozenset(
    (
        # Spanish, Portuguese, Italian, French
        *("el", "la", "los", "las", "se", "sin", "con", "del", "y", "derrame", "lo"),
        *("da", "do", "dos", "sem", "nao", "não", "há", "em", "pulmonar", "normais"),
        *("il", "di", "non", "senza", "della", "del", "nei", "e", "si", "versamento"),
        *("le", "les", "de", "des", "du", "pas", "sans", "et", "est", "au", "une"),
        # German, Dutch, the Scandinavian languages
        *("der", "die", "das", "und", "ist", "kein", "keine", "nicht", "mit", "ohne"),
        *("im", "beidseits", "links", "rechts", "herz", "lunge", "geen", "het", "een"),
        *("van", "met", "og", "och", "ikke", "inte", "ingen", "uten", "utan", "på"),
        *("rechten", "linken", "kleiner", "pleuraerguss"),
        *("droit", "droite", "gauche", "derecho", "derecha", "izquierdo", "izquierda"),
        *("destra", "destro", "sinistra", "sinistro", "direito", "direita"),
        *("esquerdo", "esquerda", "rechtes", "linkes", "hay", "nel", "nella"),
        # Polish, Turkish, Vietnamese
        *("bez", "nie", "i", "w", "ve", "yok", "không", "có"),
    )
)
_FIRST_BEYOND_LATIN = "\u0370"
"""Greek begins here, then all other scripts; punctuation too, of which reports have little."""
_MOST_OF_ANOTHER_SCRIPT = 0.2
"""Of all words: a few bullets or arrows are no language."""
_LEAST_SHARE = 0.5
"""Of the common words that a report has, those that are English."""


def is_english(words: Collection[str]) -> bool:
    """Whether most of the common words among `words` (lower case) are English.

    A report without any common word, such as "Pneumothorax", is taken for English. One
    with words in another script is not, whatever words it borrows.
    """
    if not all(map(str.isascii, words)) and _is_another_script(words):
        return False
    english = sum(map(_ENGLISH.__contains__, words))
    others = sum(map(_OTHERS.__contains__, words))
    if not english and not others:
        return True
    return english / (english + others) > _LEAST_SHARE


def _is_another_script(words: Collection[str]) -> bool:
    count = sum(max(word, default="") >= _FIRST_BEYOND_LATIN for word in words)
    return count > len(words) * _MOST_OF_ANOTHER_SCRIPT
