"""Drawing of report texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

_SENTENCES = (
    "Normal.",
    "No acute cardiopulmonary process.",
    "The heart is mildly enlarged.",
    "No pleural effusion or pneumothorax",
    "PA and lateral views of the chest were obtained on ___ at ___:___.",
    "There is a 4.5 x 3.2 cm opacity in the right lower lobe (previously 3.9 cm).",
    "1. Stable cardiomegaly.  2. Small left effusion.",
    "ET tube tip is 2.3cm above the carina; NG tube's side-port is @ the GE junction.",
    "UNCHANGED RIGHT IJ LINE.",
    "Findings were discussed w/ Dr. ___ by telephone, 10:45 a.m.?!",
    "Opacity ≈ 12 mm² – “hazy”, 30° oblique, ±1 µm.",
    "Kein Hinweis auf Pneumonie; Herzgröße normal.",
    "Épanchement pleural à gauche.",
    "心影增大，双肺未见异常。",
    "Затемнение в нижней доле.",
    "لا يوجد انصباب جنبي.",
    "<p>AP &amp; lateral</p> #1",
    "...",
)
_HEADINGS = ("", "FINDINGS: ", "IMPRESSION:\n\n1. ", "  ")
_SEPARATORS = (" ", "\n", "\n \n", "\t", "\u00a0", "")
# Letters, marks, numbers, punctuation and symbols of every alphabet; no controls and no
# halves of a character.
_ODD = st.text(
    st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S")),
    min_size=1,
    max_size=40,
)


@st.composite
def reports(draw: DrawFn, *, max_sentences: int) -> str:
    sentence = st.sampled_from(_SENTENCES) | _ODD
    varied = st.lists(sentence, min_size=1, max_size=max_sentences)
    # Lists of any length are short mostly, so long ones are drawn on purpose.
    long = st.lists(
        st.sampled_from(_SENTENCES),
        min_size=(max_sentences + 1) // 2,
        max_size=max_sentences,
    )
    heading = draw(st.sampled_from(_HEADINGS))
    separator = draw(st.sampled_from(_SEPARATORS))
    return heading + separator.join(draw(varied | long))
