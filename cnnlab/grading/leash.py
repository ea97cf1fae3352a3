"""A plugin for the pytest of a grading run: it ends in order when whoever started it is gone.

The standard input is a pipe of which the grader holds the other end. It is closed when the grader
ends, in whatever way; then this process stops as for Ctrl+C, and takes its kernels along.
"""

import _thread
import os
import signal
import threading


def pytest_addoption(parser):
    # This early, because pytest then takes the standard input away.
    end = os.dup(0)
    # A worker of a batch ignores Ctrl+C, and what it starts would do the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_wait, args=(end,), daemon=True).start()


def _wait(end: int) -> None:
    os.read(end, 1)
    _thread.interrupt_main()
