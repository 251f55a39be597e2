"""Small tokenizers of the published kinds: SigLIP 1's SentencePiece, SigLIP 2's Gemma."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

CORPUS = (
    "No acute cardiopulmonary process.",
    "FINDINGS: Heart size is mildly enlarged; small bilateral pleural effusions.",
    "IMPRESSION: Stable right-sided PICC. No Pneumothorax!",
    "Épanchement pleural à gauche, œdème, naïve Größe.",
    string.ascii_letters + string.digits + string.punctuation,
    " ".join(string.ascii_letters),
)
TEXTS = (
    *CORPUS,
    "no acute cardiopulmonary process",
    "a_b ___ [sic] &amp;amp; &lt;10% (50%) 3.2 cm",
    "  two  spaces\tand\nnew lines  ",
    "ﬁbrosis “quoted” – dash… ÀÉÎÕÜ ß ẞ İ",
    "",
    "word " * 40,
)
"""Every letter in both cases, every sign of ASCII, accents, entities, blanks, and one
text beyond the context.
"""
CONTEXT = 24


def save_sentencepiece(folder: Path, kind: str = "SiglipTokenizer") -> Path:
    """`spiece.model` and its settings, as Google's repositories of SigLIP 1 have them.

    There is no tokenizer.json.
    """
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "corpus.txt"
    # SigLIP's own vocabulary is of lower-case English.
    text.write_text("\n".join(line.lower() for line in CORPUS * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spiece"),
        vocab_size=120,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    for temporary in (text, folder / "spiece.vocab"):
        temporary.unlink()
    special = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    settings = {
        "tokenizer_class": kind,
        "do_lower_case": True,
        "model_max_length": CONTEXT,
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    return folder


def gemma() -> Tokenizer:
    """Gemma's kind: pairs with bytes behind them, spaces as a sign, `<eos>` at the end."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    inner = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    trainer = BpeTrainer(
        vocab_size=480,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    inner.train_from_iterator([*CORPUS, *(line.lower() for line in CORPUS)], trainer)
    inner.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return inner


def save_gemma(folder: Path, kind: str | None = "GemmaTokenizer") -> Path:
    """`tokenizer.json` and settings, as Google's repositories of SigLIP 2 have them."""
    folder.mkdir(parents=True, exist_ok=True)
    gemma().save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {
        **{f"{name}_token": f"<{name}>" for name in ("bos", "eos", "pad", "unk")},
        **{
            "add_bos_token": False,
            "add_eos_token": True,
            "padding_side": "right",
            "model_max_length": CONTEXT,
        },
    }
    if kind is not None:
        settings["tokenizer_class"] = kind
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def save_model(folder: Path, words: int = 512) -> Path:
    """A SigLIP of 32 pixels beside the tokenizer, with the `model_type` of both versions."""
    import torch

    torch.manual_seed(0)
    tower: Any = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {**tower, "vocab_size": words, "max_position_embeddings": CONTEXT}
    SiglipModel(
        SiglipConfig(
            text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 8}
        )
    ).eval().save_pretrained(folder)
    size: Any = {"height": 32, "width": 32}
    SiglipImageProcessor(size=size).save_pretrained(folder)
    return folder


def save_modern_bert(folder: Path) -> Path:
    """ModernBERT's kind: pairs of bytes, `[CLS]` and `[SEP]` around a text, one file."""
    folder.mkdir(parents=True, exist_ok=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    inner = Tokenizer(BPE())
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=480,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS, trainer)
    inner.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    inner.save(str(folder / "tokenizer.json"))
    names = ("pad", "unk", "cls", "sep", "mask")
    settings: dict[str, Any] = {
        **{f"{name}_token": f"[{name.upper()}]" for name in names},
        "model_max_length": 8192,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def save_xlm(folder: Path) -> Path:
    """`sentencepiece.bpe.model`, as XLM-V's repository has it: MetaCLIP 2's words."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "corpus.txt"
    text.write_text("\n".join(CORPUS * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=160,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    for temporary in (text, folder / "sentencepiece.bpe.vocab"):
        temporary.unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "xlm-roberta"}))
    settings = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": CONTEXT}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
