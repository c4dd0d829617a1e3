"""libca's own words on a lost connection, which are no sentences for the person on shift."""

from __future__ import annotations

import ctypes
from typing import Any

from epics import ca


def quiet_libca() -> None:
    """Let libca print nothing; `ConnectionWatch` tells of a lost connection, in our words.

    Its messages come from threads of its own, also while Python ends, so that no Python function
    may take them: a function of the C library does, one that looks at no argument.
    """
    # The one context of this process is made here, if nobody has made it yet.
    ca.current_context()
    library: Any = ca.libca
    deaf = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p)
    library.ca_replace_printf_handler(deaf)
