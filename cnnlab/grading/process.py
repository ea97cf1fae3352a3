"""A process of its own for each submission, copied from one that has loaded what they all need."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
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
    process = _CONTEXT.Process(  # type: ignore[attr-defined]
        target=_work, args=(arguments, folder, environment, log)
    )
    _start(process)
    try:
        process.join()
    except BaseException:
        _end(process)
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
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def _end(process: BaseProcess) -> None:
    """Have pytest stop as for Ctrl+C, so that it ends its kernels; make sure that it does."""
    if os.name == "nt" or process.pid is None:
        process.terminate()
    else:
        os.kill(process.pid, signal.SIGINT)
    process.join(timeout=10)
    process.kill()
    process.join()


def _work(arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    import pytest

    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl+C reaches only the process that asked, which then ends this in order
        signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.chdir(folder)
    os.environ.update(environment)
    os.environ.pop("PYTEST_ADDOPTS", None)
    tempfile.tempdir = None
    sys.exit(pytest.main(arguments))
