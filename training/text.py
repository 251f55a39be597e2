"""The reference encoders' tokenizer: a small byte-pair encoding of the training reports."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

CONTEXT = 77
VOCABULARY = 620
UNKNOWN = "<|unknown|>"
START = "<|startoftext|>"
END = "<|endoftext|>"


def train_tokenizer(reports: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `VOCABULARY` entries that wraps a text in start and end.

    The end has the highest id and also pads: CLIP pools at the first end, which is then
    also the largest id.
    """
    learned = _learn(reports)
    vocabulary, merges = _parts(learned)
    # Start and end come last: training would have given them the lowest ids.
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=UNKNOWN))
    tokenizer.normalizer = learned.normalizer
    tokenizer.pre_tokenizer = learned.pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([START, END])
    ends = [(token, tokenizer.token_to_id(token)) for token in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        unk_token=UNKNOWN,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _learn(reports: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    printable = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        special_tokens=[UNKNOWN],
        initial_alphabet=[*printable, "\u0120"],
        limit_alphabet=len(printable) + 1,
        show_progress=False,
    )
    tokenizer.train_from_iterator(reports, trainer)
    return tokenizer


def _parts(tokenizer: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(first, second) for first, second in model["merges"]]
