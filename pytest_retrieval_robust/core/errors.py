"""The package's exceptions: each message says what was expected, what was got, and what
to do next.
"""

from __future__ import annotations


class RobustError(Exception):
    """The base of every error that this package raises on purpose."""

    traceback_text: str = ""
    """Where the user's own code failed, if it did: lines of files, without any values.

    It is shown below the message, and is no part of it: reports and saved runs have the
    message alone.
    """

    @property
    def shown(self) -> str:
        """The message, with what is shown below it."""
        return "\n".join(filter(None, [str(self), self.traceback_text]))


class ArgumentError(RobustError, ValueError):
    """A function was called with a word, a number or an object that it cannot take."""


class NotMeasuredError(ArgumentError, KeyError):
    """A k or a level was asked for that the run did not measure."""

    def __str__(self) -> str:
        # KeyError would show the sentence in quotation marks.
        return Exception.__str__(self)


class ConfigError(RobustError):
    """A command-line option, ini value or `robust.toml` entry is wrong; pytest exits with 4."""


class UnknownNameError(ConfigError):
    """A model, data set or occluder of that name is not in its catalogue."""


class NotOnThisMachineError(RobustError):
    """Weights or files that a model or data set needs are missing here; the message
    says how to bring them.
    """

    @classmethod
    def because(cls, reason: str) -> NotOnThisMachineError:
        """The error whose sentence is `reason`, which is written to stand inside
        another sentence too.
        """
        return cls(f"{reason[0].upper()}{reason[1:]}.")


class ModelError(RobustError):
    """A checkpoint could not be loaded as it should be, or an encoder broke its contract."""


class EmbeddingError(ModelError):
    """An encoder returned NaN, zero, constant or wrongly shaped embeddings."""


class NotStoredError(RobustError):
    """The embedding store lacks what a run was told to take from it alone."""


class TimedOutError(RobustError):
    """A load, a sweep or a search took longer than `timeout` allows."""


class DatasetError(RobustError):
    """A data set is empty, damaged, or breaks its contract."""


class UnreadableImageError(DatasetError):
    """An image that is missing, broken, empty or of a kind that is not read."""


class OcclusionError(RobustError):
    """An occluder cannot do what it was asked for: a level outside [0, 1], a wrong
    shape, an unknown fill.
    """


class CorruptionError(RobustError):
    """A corruption of images or a noise of reports cannot do what it was asked for: a
    severity outside [0, 1], a wrong shape, a parameter out of range.
    """


class MetricError(RobustError):
    """A metric raised, or gave something that is no finite number."""


class RankingError(RobustError):
    """Ranks cannot be computed: no right answer for a query, wrong shapes, or a k above
    the gallery.
    """
