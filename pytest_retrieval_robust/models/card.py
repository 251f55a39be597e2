"""What a model says of itself: where it came from, and what of its checkpoint was used."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ModelCard:
    """Where a model came from and what of its checkpoint was used."""

    source: str
    revision: str | None = None
    sha256: str | None = None
    licence: str | None = None
    parameters: int | None = None
    input_size: int | None = None
    """Pixels per side of the square input."""
    context_length: int | None = None
    """Tokens per report, special tokens counted."""
    inputs_sha256: str | None = None
    """Hash of what decides the numbers beside the weights: configuration, tokenizer,
    preprocessing and context length.
    """
    token_ids_sha256: str | None = None
    """Hash of the token ids of fixed sentences.

    Another tokenizer, or another release of its library, may give other ids.
    """
    text_cleaning: str | None = None
    """How a text is cleaned before it is tokenised, by open_clip's name (`canonicalize`)."""
    activation: str | None = None
    """`gelu` or `quickgelu`, for an open_clip architecture that exists with both.

    Weights fit both variants, and no library warns of the wrong one.
    """
    weights: str | None = None
    """The set of weights that was chosen, of several in one file."""
    key_prefix: str | None = None
    """The prefix that was removed from every key of the checkpoint."""
    missing_keys: tuple[str, ...] = ()
    """Keys that the checkpoint lacks and no rank depends on: the temperature."""
    unexpected_keys: tuple[str, ...] = ()
    dropped_keys: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        fields = asdict(self)
        # JSON has no tuples: what is read again must equal what was written.
        for key, value in fields.items():
            if isinstance(value, tuple):
                fields[key] = list(value)
        return fields
