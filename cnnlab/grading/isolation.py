"""Where a submission's code runs: what it can reach from there, and how that is found out.

A tier is a way to start a kernel, and promises that some ways out are closed. It is tried before it
is used: a program that starts in the same way goes through all of them (`breakout.py`). A tier
that does not keep its promise is not used.
"""

import json
import os
import random
import shutil
import site
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cnnlab
from cnnlab.check.record import listed

PACKAGE = Path(cnnlab.__file__).parent
MB = 2**20
# Addresses of one process. NumPy and the threads of a kernel reserve 1 GB that they never use;
# the largest question needs some 200 MB.
MEMORY = 4096 * MB
# All files together, since they lie in memory. The course writes none; Matplotlib writes a list of
# fonts, 100 kB.
FILES = 256 * MB
# Processes and threads. A kernel has 14 with two of NumPy's, of which no more than these are asked
# for, however many cores there are.
PROCESSES = 100
THREADS = 8
# Seconds of processor time of one process. Cells have a limit of their own: this one is for what a
# cell leaves running, and far above what all cells of a notebook may take together.
SECONDS = 3600

# What the C library and the dynamic linker read; all else of /etc stays outside.
SYSTEM = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CNNLAB_THREADS")
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
# Users that nobody is, for where the grader is root: another one for each kernel, so that none
# reaches another's, and each counts its own processes.
NOBODIES = range(200_000, 2_000_000)

WAYS = {
    "solution": "read the solutions",
    "private": "see other submissions, grades or the home folder",
    "write": "write to a folder of this machine",
    "kill": "end a process outside",
    "localhost": "connect to a program of this machine",
    "network": "reach the network",
    "memory": "take more memory than its share",
    "files": "fill the disk",
    "processes": "start processes without end",
}


class IsolationError(RuntimeError):
    """The isolation that was asked for does not hold on this machine."""


@dataclass(frozen=True)
class Tier:
    """A way to start a kernel, and the ways out that it closes."""

    name: str
    closes: frozenset[str] = field(default=frozenset(), repr=False)

    def __str__(self):
        """What it protects, and what it does not, in words."""
        closed = [words for way, words in WAYS.items() if way in self.closes]
        left = [words for way, words in WAYS.items() if way not in self.closes]
        if not closed:
            return f"{self.name}: the code runs as you do, and can reach what you can."
        text = f"{self.name}: the code cannot {listed(closed, 'or')}"
        return f"{text}; it can {listed(left, 'or')}." if left else f"{text}."


BWRAP = Tier("bwrap", frozenset(WAYS))
# The container as a whole has no network, and limits of its own; the kernels are other users in it.
CONTAINER = Tier("container", frozenset(WAYS) - {"localhost", "files"})
NONE = Tier("none")
TIERS = {tier.name: tier for tier in (BWRAP, CONTAINER, NONE)}
CHOICES = ("auto", *TIERS)


def choose(wanted: str, root: Path, private: Iterable[Path] = ()) -> Tier:
    """The tier of this name if it holds here; for "auto" the first that does.

    Parameters
    ----------
    wanted : "auto", "bwrap", "container" or "none".
    root : the folder that holds the course.
    private : files and folders besides that the code must not see, such as the grades.

    Raises
    ------
    IsolationError
        If the tier does not hold here; the message says why.
    ValueError
        If no tier is called that.
    """
    if wanted not in CHOICES:
        raise ValueError(f"the isolation must be one of {', '.join(CHOICES)}, got {wanted!r}.")
    tiers = TIERS.values() if wanted == "auto" else [TIERS[wanted]]
    for tier in tiers:
        if not (hole := find_hole(tier, root, private)):
            return tier
    raise IsolationError(f"the isolation {wanted!r} does not hold here: {hole}")


def choose_for_others(wanted: str, root: Path, private: Iterable[Path] = ()) -> Tier:
    """As `choose`, for code of others: with "auto" an isolation that closes nothing is refused.

    Raises
    ------
    IsolationError
        If no other holds; the message says why, and what can be done.
    """
    tier = choose(wanted, root, private)
    if not tier.closes and wanted != tier.name:
        raise IsolationError(
            f"no isolation holds here: {find_hole(BWRAP, root, private)} Code of others would run "
            "as you do: install bubblewrap, grade in the container, or say --isolation none if you "
            "trust all of it."
        )
    return tier


def find_hole(tier: Tier, root: Path, private: Iterable[Path] = ()) -> str:
    """What a tier promises and does not keep here, in a sentence; nothing where it holds."""
    if not tier.closes:
        return ""
    if reason := _lacking(tier):
        return reason
    with ExitStack() as stack:
        baits = stack.enter_context(_baits(root, private))
        place = stack.enter_context(Place.of(tier))
        program = [sys.executable, "-IS", str(Path(__file__).with_name("breakout.py"))]
        try:
            tried = subprocess.run(
                place.command(program),
                input=json.dumps(baits.asked),
                env=place.environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "what starts in it does not end."
        if tried.returncode:
            words = tried.stderr.strip().splitlines() or ["it ended without a word"]
            return f"nothing starts in it ({words[-1]})."
        found = {*json.loads(tried.stdout), *baits.taken()} & tier.closes
    broken = [words for way, words in WAYS.items() if way in found]
    return f"code in it can {listed(broken, 'or')}." if broken else ""


@dataclass(frozen=True)
class Place:
    """Where one kernel runs.

    `folder` is its own, by the name under which its code knows it; `user` is the number of the user
    that the code runs as, where that is another one.
    """

    tier: Tier
    folder: str = "/tmp"
    user: int | None = None

    @classmethod
    @contextmanager
    def of(cls, tier: Tier) -> Iterator["Place"]:
        """A place of this tier; what still runs in it in the end is ended."""
        user = random.choice(NOBODIES) if os.geteuid() == 0 else None
        if tier.name == BWRAP.name:
            yield cls(tier, user=user)
            return
        with tempfile.TemporaryDirectory(
            prefix="cnnlab-", dir="/tmp", ignore_cleanup_errors=True
        ) as folder:
            if user is not None:
                os.chown(folder, user, user)
            place = cls(tier, folder, user)
            try:
                yield place
            finally:
                # All that this user may send a signal to are its own processes.
                subprocess.run([*place._as_user(), "sh", "-c", "kill -KILL -1"], check=False)

    def command(self, argv: list[str], *, file: tuple[int, str] | None = None) -> list[str]:
        """The command that starts another one in here.

        `file` is a descriptor, and the path at which the code finds what that holds.
        """
        limits = {"as": MEMORY, "fsize": FILES, "nproc": PROCESSES, "cpu": SECONDS, "core": 0}
        # Where the machine's memory runs out, the system ends these processes before all others.
        inside = ["choom", "-n", "1000", "--"]
        inside += ["prlimit", *(f"--{name}={limit}" for name, limit in limits.items()), "--", *argv]
        outside = _bwrap(self.user, file) if self.tier.name == BWRAP.name else []
        return [*outside, *self._as_user(), *inside]

    def environment(self) -> dict[str, str]:
        """All variables of a program in here: of the grader's own, only those about threads."""
        own = {name: value for name, value in os.environ.items() if name in THREAD_VARIABLES}
        return {
            **dict.fromkeys(THREAD_VARIABLES, str(min(os.cpu_count() or 1, THREADS))),
            **own,
            **dict.fromkeys(("HOME", "TMPDIR"), self.folder),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
            "LANG": "C.UTF-8",
            "USER": "learner",
            "PYTHONPATH": str(PACKAGE.parent),
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _as_user(self) -> list[str]:
        if self.user is None:
            return []
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return [*become, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def _bwrap(user: int | None, file: tuple[int, str] | None) -> list[str]:
    command = [
        shutil.which("bwrap") or "bwrap",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "sandbox",
    ]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    if user is None:
        command += ["--unshare-user"]
    else:  # root can do without, and needs the right to become this user
        for name in ("SETUID", "SETGID", "SETPCAP"):
            command += ["--cap-add", f"CAP_{name}"]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        command += ["--perms", "1777", "--size", str(FILES), "--tmpfs", folder]
    visible = _visible()
    # Left to itself, bwrap makes folders that lead to them for the user alone that starts it.
    for folder in sorted(
        {str(folder) for path in visible for folder in Path(path).parents} - {"/", "/tmp"}
    ):
        command += ["--perms", "0755", "--dir", folder]
    for path in visible:
        if Path(path).is_symlink():
            command += ["--symlink", str(Path(path).readlink()), path]
        else:
            command += ["--ro-bind", path, path]
    if file is not None:
        command += ["--perms", "0444", "--ro-bind-data", str(file[0]), file[1]]
    # Jupyter's kernels watch over a process by this number, which is another one in here.
    command += ["--unsetenv", "JPY_PARENT_PID", "--chdir", "/tmp"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--"]


def _visible() -> list[str]:
    """What of this machine the code sees, to read only: programs, Python, and this package."""
    system = ["/usr", *map(str, Path("/").glob("lib*")), "/bin", "/sbin", *SYSTEM]
    python = [os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    if site.ENABLE_USER_SITE:
        python += [*site.getsitepackages(), site.getusersitepackages()]
    paths = dict.fromkeys([*system, *sorted([*python, sys.prefix, str(PACKAGE)])])
    return [path for path in paths if os.path.lexists(path) and not path.startswith("/usr/")]


def _lacking(tier: Tier) -> str:
    """What this tier needs and the machine has not."""
    if tier.name == CONTAINER.name and not any(map(os.path.exists, CONTAINER_MARKS)):
        return "this is no container."
    if tier.name == CONTAINER.name and os.geteuid() != 0:
        return "only root can start a kernel as another user."
    programs = ["bwrap"] if tier.name == BWRAP.name else []
    for program in (*programs, "prlimit", "choom", "setpriv"):
        if shutil.which(program) is None:
            return f"{program} is not installed."
    return ""


@dataclass
class _Baits:
    """What code in a tier is asked to reach, and what of it has been taken."""

    asked: dict
    folder: Path
    process: subprocess.Popen

    def taken(self) -> set[str]:
        ended = self.process.poll() is not None
        written = any(self.folder.rglob("written"))
        return {way for way, taken in {"kill": ended, "write": written}.items() if taken}


@contextmanager
def _baits(root: Path, private: Iterable[Path]) -> Iterator[_Baits]:
    """Put out what is to be taken: a file, folders, a process, and doors to knock at."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cnnlab-bait-")))
        grades = folder / "grades.csv"
        grades.write_text("100", encoding="utf-8")
        process = stack.enter_context(subprocess.Popen(["sleep", "600"]))
        stack.callback(process.kill)
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        # A name without a file: only a network of its own keeps a program from it.
        hidden_door = stack.enter_context(socket.socket(socket.AF_UNIX))
        hidden_door.bind(f"\0{folder.name}")
        hidden_door.listen()
        sources = [root / kind for kind in ("solutions", "course", "tests")]
        needed = _visible()
        home = [path for path in _inside(Path.home()) if not _holds(path, needed)]
        yield _Baits(
            {
                "solution": [str(p) for source in sources for p in [source, *_inside(source)]],
                "private": [str(path) for path in (grades, *home, *private)],
                "write": [str(folder), str(folder / "grades")],
                "change": [str(path) for path in (root, PACKAGE, sys.prefix, "/", "/usr/lib")],
                "kill": process.pid,
                "localhost": [door.getsockname(), f"\0{folder.name}"],
                "memory": MEMORY,
                "files": FILES + MB,
                "processes": PROCESSES + 1,
            },
            folder,
            process,
        )


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _holds(path: Path, needed: list[str]) -> bool:
    return any(Path(one).is_relative_to(path) for one in needed)
