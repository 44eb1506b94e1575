"""The error for bad input."""


class UserError(Exception):
    """What is wrong, where, and how to fix it, in one line (for settings, one line per mistake).

    The command line prints only the message and exits with status 1.
    """


class InterruptedTrainingError(Exception):
    """Training was stopped by a signal; its state is saved and the same command resumes."""


def shown(value: object) -> str:
    """Return a value for a message: in one line, shortened if it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
