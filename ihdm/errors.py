"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """What is wrong, where, and what to do about it, in one line; of settings, in a line for each mistake.

    The command line prints the message alone and exits with status 1; no traceback is shown.
    """


class InterruptedTrainingError(Exception):
    """Training was asked to stop; its state is saved and the same command goes on from it."""


def shown(value: object) -> str:
    """Return a value as it is written in a message: in one line, and its beginning if it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
