"""The tokenizer of a transformers checkpoint, and how texts are cleaned before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ....core.errors import RobustError
from ..._files.attempt import attempt
from ..._files.tokenizer import check_tokenizer, unreadable_tokenizer
from ..transformers_versions import as_its_file_says
from .source import Source, needs_code, silently


def load_tokenizer(source: Source) -> Any:
    """The request's tokenizer, else the checkpoint's own."""
    requested = source.request.tokenizer
    if requested is None:
        return _own_tokenizer(source)
    check_tokenizer(source.name, requested)
    elsewhere = source.at(requested)

    def read() -> Any:
        found = AutoTokenizer.from_pretrained(requested, **elsewhere.permissions)
        return as_its_file_says(found)

    def explain(error: BaseException) -> RobustError:
        refusal = needs_code(elsewhere, "tokenizer", error)
        return refusal or unreadable_tokenizer(source.name, requested, error)

    return attempt(lambda: silently(read), explain)


def _own_tokenizer(source: Source) -> Any:
    reader = AutoTokenizer
    if _is_described_by_its_file(source.folder):
        reader = PreTrainedTokenizerFast

    def read() -> Any:
        found = reader.from_pretrained(source.location, **source.options)
        return as_its_file_says(found, source.revision)

    return source.read("tokenizer", read)


def _is_described_by_its_file(folder: Path | None) -> bool:
    """Whether a SigLIP has a `tokenizer.json`, and no class of the library to read it.

    Without a name for it, the library would look for SigLIP 1's words alone. The class
    of SigLIP 2 came with transformers 5.
    """
    if folder is None:
        return False
    if not (folder / "tokenizer.json").is_file() or (folder / "spiece.model").is_file():
        return False
    kind = _json_of(folder / "config.json").get("model_type")
    named = _json_of(folder / "tokenizer_config.json").get("tokenizer_class")
    is_unknown = named is not None and not hasattr(transformers, str(named))
    return kind == "siglip" and (is_unknown or named in (None, "SiglipTokenizer"))


def _json_of(file: Path) -> dict[str, Any]:
    """A small file of settings; empty if it cannot be read, which the library reports."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def cleaning_of(config: Any, tokenizer: Any) -> str | None:
    """What open_clip does to the texts of the same weights, by its name; None for nothing.

    SigLIP was trained on canonical texts: lower case, no punctuation. For SigLIP 1 the
    tokenizer of transformers does that. For a SigLIP 2 of fixed size, whose model is
    called `siglip` and whose tokenizer is Gemma's, nothing in transformers does. In
    open_clip MetaCLIP 2 with the words of mT5 is cleaned the same way, and with those
    of XLM-V only its white space is. A tokenizer with `do_lower_case: false` is not
    overruled.
    """
    model_type = str(config.model_type)
    tokenizer_class = type(tokenizer).__name__
    settings = getattr(tokenizer, "init_kwargs", {})
    if model_type == "siglip" and settings.get("do_lower_case") is not False:
        return "canonicalize"
    if model_type == "metaclip_2":
        return "canonicalize" if "T5" in tokenizer_class else "whitespace"
    return "basic" if tokenizer_class.startswith("CLIPTokenizer") else None


def cleaner(cleaning: str | None) -> Callable[[str], str]:
    """The function of a cleaning; the identity for None."""
    if cleaning is None:
        return str
    from open_clip.tokenizer import basic_clean, get_clean_fn

    # OpenAI's code turns `&amp;` into `&`; transformers' tokenizer does all but that.
    if cleaning == "basic":
        return basic_clean  # type: ignore[no-any-return]
    return get_clean_fn(cleaning)  # type: ignore[no-any-return]
