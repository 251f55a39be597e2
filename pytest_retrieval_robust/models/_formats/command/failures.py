"""What goes wrong with a served process, before it is an error that a user is shown."""

from __future__ import annotations


class ServingError(Exception):
    """The process cannot be used any further.

    The text completes the sentence "Expected an answer, got ...", and quotes nothing of
    what the process wrote.
    """

    advice = "Fix the command."


class NotStartedError(ServingError):
    """The command could not be started at all."""

    advice = "Fix the command: a program that is there, and that may be executed."


class DiedError(ServingError):
    """The process ended, or closed its standard output."""

    advice = "Run the command by hand to see why it ends."


class TimedOutError(ServingError):
    """No answer came in time."""

    advice = "Look at what it waits for, or give it more seconds with answer_timeout in its table."


class BrokenProtocolError(ServingError):
    """The process wrote something that is no answer."""

    advice = (
        "Only messages may go to standard output: print to standard error, or use the"
        " file that `retrieval-robust serve --write serve.py` writes."
    )
