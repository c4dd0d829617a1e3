"""The one kind of error that is shown to a person as it is, without a traceback."""

from __future__ import annotations


class SentenceError(Exception):
    """Its message is a sentence for the person on shift.

    It says what was expected, what was seen, what was made safe and what to do next. Whatever is
    not of this kind is a mistake of the program's, and is shown with its traceback.
    """
