"""What transformers 4 and 5 call or give otherwise; all of it can go with transformers 4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertTokenizer, BertTokenizerFast, PreTrainedTokenizerFast

from .._files.hub_cache import first_cached

IS_5 = int(transformers.__version__.split(".")[0]) >= 5
THROUGH_PIL: Mapping[str, Any] = {"backend": "pil"} if IS_5 else {"use_fast": False}
"""The option of an image processor that works on PIL's images."""
WordPieceTokenizer: Any = BertTokenizer if IS_5 else BertTokenizerFast
"""BERT's tokenizer, of the library tokenizers in both versions."""
_FILE = "tokenizer.json"


def pooled(features: Any) -> Tensor:
    """The features of `get_image_features` and `get_text_features`: version 5 returns
    them in an output object, version 4 as they are.
    """
    tensor = features if isinstance(features, Tensor) else features.pooler_output
    assert isinstance(tensor, Tensor)
    return tensor


def mismatched(keys: Iterable[Any], model: Any) -> list[tuple[str, Any, Any]]:
    """(key, stored shape, own shape) of what a load reports to be of another shape.

    Version 4 reports the keys alone: then the stored shape is None.
    """
    own = model.state_dict()
    return [
        (key, None, own[key].shape) if isinstance(key, str) else key for key in keys
    ]


def as_its_file_says(tokenizer: Any, revision: str | None = None) -> Any:
    """The tokenizer, cutting texts as its `tokenizer.json` says and as version 5 does.

    Version 4 takes away the space that a file wants before a text, unless settings
    beside the file say so again: the first word then has other tokens.
    """
    if IS_5 or type(tokenizer) is not PreTrainedTokenizerFast:
        return tokenizer
    source = str(tokenizer.name_or_path)
    file: Path | None = Path(source, _FILE)
    if not Path(source).is_dir():
        file = first_cached(source, (_FILE,), revision)
    if file is not None and file.is_file():
        own = Tokenizer.from_file(str(file)).pre_tokenizer
        if own is not None:
            tokenizer.backend_tokenizer.pre_tokenizer = own
    return tokenizer
