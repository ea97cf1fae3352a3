"""Tries to break out of where it runs: standard input says where to, standard output what worked.

Nothing of the library is imported: the program starts quickly, and shows what any code can do.
What it may leave behind where it should not, whoever asked looks for.
"""

import contextlib
import json
import mmap
import os
import signal
import socket
import sys
from pathlib import Path


def main():
    asked = json.load(sys.stdin)
    attempts = {
        "solution": lambda: any(map(_sees, asked["solution"])),
        "private": lambda: any(map(_sees, asked["private"])),
        "write": lambda: any(
            [_writes(folder) for folder in asked["write"]]
            + [os.access(folder, os.W_OK) for folder in asked["change"]]
        ),
        "kill": lambda: _ends(asked["kill"]),
        "localhost": lambda: any(map(_connects, asked["localhost"])),
        "network": _has_a_route,
        "memory": lambda: _takes_memory(asked["memory"]),
        "files": lambda: _fills(asked["files"]),
        "processes": lambda: _starts(asked["processes"]),
    }
    print(json.dumps([way for way, attempt in attempts.items() if attempt()]))


def _sees(path) -> bool:
    with contextlib.suppress(OSError):
        list(Path(path).iterdir()) if Path(path).is_dir() else Path(path).read_bytes()
        return True
    return False


def _writes(folder) -> bool:
    with contextlib.suppress(OSError):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "written").touch()
    return False  # it may be a folder of its own by this name


def _ends(pid) -> bool:
    if pid != os.getpid():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return False  # it may be a process of its own by this number


def _connects(address) -> bool:
    family = socket.AF_INET if isinstance(address, list) else socket.AF_UNIX
    with contextlib.suppress(OSError), socket.socket(family) as end:
        end.settimeout(1)
        end.connect(tuple(address) if isinstance(address, list) else address)
        return True
    return False


def _has_a_route() -> bool:
    # Of an address that nobody has (RFC 5737). Nothing is sent: this only asks for the way there.
    with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as end:
        end.connect(("192.0.2.1", 9))
        return True
    return False


def _takes_memory(size) -> bool:
    with contextlib.suppress(OSError), mmap.mmap(-1, size):  # no page of it is used
        return True
    return False


def _fills(size) -> bool:
    """Whether a file may become so large, in any folder that can be written to."""
    return any(_grows(folder, size) for folder in ("/tmp", "/dev/shm", "/var/tmp", "/dev", "/"))


def _grows(folder, size) -> bool:
    path = Path(folder, f"large-{os.getpid()}")
    try:
        with path.open("xb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
        return True
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def _starts(count) -> bool:
    started = []
    try:
        for _ in range(count):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            started.append(pid)
        return True
    except OSError:
        return False
    finally:
        for pid in started:
            os.kill(pid, signal.SIGKILL)
        for pid in started:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
