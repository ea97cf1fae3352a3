"""A limit on how long a learner's code may run."""

import _thread
import signal
import threading
import time
from contextlib import contextmanager

AGAIN = 0.2  # seconds until code that has caught the interruption is interrupted again


class TooSlow(BaseException):
    """The time is up. Code that catches every Exception does not catch it."""


@contextmanager
def time_limit(seconds: float):
    """Interrupt the block with TooSlow when the time is up; a real Ctrl+C stays what it is.

    Only the main thread can be interrupted, in a notebook as in plain Python: in any other the
    block runs on, and whoever wants to know has to look at a clock. Where there is a timer that
    belongs to nobody (not on Windows) it raises TooSlow itself; else the block is interrupted as
    by Ctrl+C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
    elif hasattr(signal, "setitimer") and signal.getitimer(signal.ITIMER_REAL)[0] == 0:
        yield from _by_timer(seconds)
    else:
        yield from _as_by_ctrl_c(seconds)


def _by_timer(seconds):
    running = True

    def ring(number, frame):
        if running:
            raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), AGAIN)
    try:
        yield
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _as_by_ctrl_c(seconds):
    rang = over = False
    lock = threading.Lock()

    def ring():
        nonlocal rang
        with lock:
            if not over:
                rang = True
                _thread.interrupt_main()

    timer = threading.Timer(max(seconds, 0), ring)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            timer.cancel()
            with lock:
                over = True
            if rang:
                time.sleep(0.01)  # the interruption may still be on its way: it comes here
    except KeyboardInterrupt:
        if not rang:
            raise
        raise TooSlow from None
