"""Images decoded and prepared by torchvision on a model's device."""

from __future__ import annotations

import hashlib
import re
from threading import Lock
from typing import TYPE_CHECKING

from ...core.foreign import FOREIGN, let_go
from ...core.memory import give_memory_back, is_out_of_memory
from ...datasets.file_content import plain_jpeg_of
from ...models.tensor_pictures import prepared_from_jpeg
from .decode import DecodedImage

if TYPE_CHECKING:
    from ...core.encoding import Prepares
    from ...datasets import RetrievalDataset
    from ...datasets.file_content import PlainJpeg
    from ...models import DualEncoder

# nvJPEG's statuses, which torchvision passes on as numbers: a bad file, or one that is
# not supported; and memory that could not be had.
_OF_THE_FILE = re.compile(r"batch: [34]\b|chroma subsampling", re.IGNORECASE)
_NO_MEMORY = re.compile(r"(?:batch|buffer): 5\b")
_alone = Lock()
_KIND = b"the file of a JPEG that torchvision decoded"


def decoded_on_device(
    model: DualEncoder, dataset: RetrievalDataset, number: int
) -> DecodedImage | None:
    """A plain JPEG as the model wants it, but for rounding; None for any other image.

    Its digest is that of its file, because its pixels never come to the host. Whoever
    gets None decodes on the host, which also says what is wrong with a file.
    """
    try:
        jpeg = plain_jpeg_of(dataset, number)
    except FOREIGN as error:
        let_go(error)
        return None
    if jpeg is None:
        return None
    try:
        prepared = _prepared(model, jpeg)
    except FOREIGN as error:
        # Which images are decoded where must not depend on what else is on the device.
        if not _is_of_the_file(error, model.device):
            raise
        let_go(error)
        return None
    if prepared is None:
        return None
    digest = hashlib.sha256(_KIND + jpeg.content).digest()
    return DecodedImage(prepared, digest)


def _prepared(model: DualEncoder, jpeg: PlainJpeg) -> Prepares | None:
    """What `prepared_from_jpeg` gives; tried once more where memory ran out, alone,
    because several threads decode at a time.
    """
    try:
        return prepared_from_jpeg(model, jpeg.content, jpeg.mode)
    except FOREIGN as error:
        if not _ran_out_of_memory(error):
            raise
        let_go(error)
    with _alone:
        give_memory_back(model.device)
        return prepared_from_jpeg(model, jpeg.content, jpeg.mode)


def _ran_out_of_memory(error: BaseException) -> bool:
    return is_out_of_memory(error) or bool(_NO_MEMORY.search(str(error)))


def _is_of_the_file(error: BaseException, device: str) -> bool:
    """Whether a decoder complains of the file, so that the host's is to look at it."""
    if _ran_out_of_memory(error):
        return False
    return not device.startswith("cuda") or bool(_OF_THE_FILE.search(str(error)))
