"""A process of its own for each submission, copied from one that has loaded what they all need.

It is on a leash: a pipe whose other end the grader holds. When the grader lets go of it, or ends in
whatever way, the process stops as for Ctrl+C, and takes its kernels along.
"""

import _thread
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

# Where processes cannot be copied (Windows), each loads it for itself.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_CONTEXT = multiprocessing.get_context(_METHOD)
_LOADED = ["cnnlab.grading.session", "cnnlab.grading.process", "pytest"]
_STARTING = threading.Lock()


def run_pytest(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Run pytest in this folder, in a process of its own; return what it printed."""
    log = folder / "log.txt"
    collar, leash = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(  # type: ignore[attr-defined]
        target=_work, args=(arguments, folder, environment, log, collar)
    )
    with leash:
        _start(process)
        collar.close()
        try:
            process.join()
        except BaseException:
            leash.close()
            process.join(timeout=10)
            process.kill()
            process.join()
            raise
        finally:
            process.close()
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _start(process: BaseProcess) -> None:
    with _STARTING:
        if _METHOD == "forkserver":
            _CONTEXT.set_forkserver_preload(_LOADED)
        # The new process would run the script or the notebook again that asks for a grade.
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        # A worker of Dask is a daemon, which may start none lest it leave them behind: the leash
        # sees to that.
        worker = multiprocessing.current_process()
        is_daemon, worker.daemon = worker.daemon, False
        try:
            process.start()
        finally:
            worker.daemon = is_daemon
            sys.modules["__main__"] = main


def _work(
    arguments: list[str], folder: Path, environment: dict[str, str], log: Path, collar: Connection
) -> None:
    import pytest

    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl+C reaches only the process that asked, which then ends this in order
    # A worker of a batch ignores Ctrl+C, and what it starts would do the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_heed, args=(collar,), daemon=True).start()
    out = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.chdir(folder)
    os.environ.update(environment)
    os.environ.pop("PYTEST_ADDOPTS", None)
    tempfile.tempdir = None
    sys.exit(pytest.main(arguments))


def _heed(collar: Connection) -> None:
    with suppress(EOFError, OSError):
        collar.recv_bytes()
    _thread.interrupt_main()
