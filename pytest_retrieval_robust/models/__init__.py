"""Dual encoders: the protocol, what a catalogue entry is, and what a model says of itself.

One file of this folder is one entry (or a few of one kind): it defines
`register(catalogue)` and imports anything heavy inside functions.
"""

from __future__ import annotations

from .card import ModelCard
from .encoder import (
    CountsTokens,
    CountsTruncation,
    DualEncoder,
    Frame,
    Precision,
    Prepared,
    ScoresPairs,
    ShowsTokenIds,
    StatesPrecision,
    may_work_elsewhere,
    precision_of,
    restarts_of,
    similarity_of,
    token_ids_of,
    token_lengths_of,
    truncated_by,
)
from .entry import LoadRequest, ModelEntry, check_accepted, load_entry

__all__ = [
    "CountsTokens",
    "CountsTruncation",
    "DualEncoder",
    "Frame",
    "LoadRequest",
    "ModelCard",
    "ModelEntry",
    "Precision",
    "Prepared",
    "ScoresPairs",
    "ShowsTokenIds",
    "StatesPrecision",
    "check_accepted",
    "load_entry",
    "may_work_elsewhere",
    "precision_of",
    "restarts_of",
    "similarity_of",
    "token_ids_of",
    "token_lengths_of",
    "truncated_by",
]
