"""Sends a Ctrl-C again that Python lost: one that came while a `__del__` ran, where all that is raised is ignored."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def lost_interrupts_sent_again(after_seconds: float) -> Iterator[None]:
    """Within the context, a KeyboardInterrupt that nobody got is raised again in the main thread, a little later.

    TensorFlow's objects have such methods, and tracing a graph ends thousands of them.
    """
    ordinary = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        ordinary(unraisable)
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # To the main thread itself: a signal to another one would not end what the main thread waits for.
            main_thread = threading.main_thread().ident
            again = threading.Timer(after_seconds, signal.pthread_kill, (main_thread, signal.SIGINT))
            again.daemon = True
            again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = ordinary
