"""What a suite is to encode, in numbers alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..embeddings.size import bytes_needed


@dataclass(frozen=True)
class SweepWork:
    """One model on one data set."""

    model: str
    dataset: str
    images: int
    reports: int
    """Of the gallery."""
    cells: int
    """For which images are encoded, level 0 included."""
    width: int = 512
    """Numbers of an embedding."""
    batch_size: int = 64
    """Images, or reports, of a batch."""
    kept_cells: int | None = None
    """Cells whose embeddings the store keeps; None for all."""
    text_cells: int = 0
    """For which reports are encoded once more: those of text noise."""

    @property
    def texts(self) -> int:
        """Reports that are encoded, over all galleries."""
        return self.reports * (1 + self.text_cells)

    @property
    def encodings(self) -> int:
        """Images that are hidden and encoded, over all cells."""
        return self.images * self.cells

    @property
    def batches(self) -> int:
        """Batches of images, each with all of its cells."""
        return -(-self.images // self.batch_size)

    @property
    def store_bytes(self) -> int:
        """What the embedding store keeps of it."""
        kept = self.cells if self.kept_cells is None else self.kept_cells
        return bytes_needed(self.images, kept, self.width, self.batch_size, self.texts)

    @property
    def spill_bytes(self) -> int:
        """Temporary disk of the run that ranks: the rows of every cell."""
        return 4 * self.width * self.encodings
