"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """What is wrong, where, and what to do about it, in one line.

    The command line prints the message alone and exits with status 1; no traceback is shown.
    """


class InterruptedTrainingError(Exception):
    """Training was asked to stop; its state is saved and the same command goes on from it."""
