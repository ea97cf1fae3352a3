"""Notebooks out of zip archives that nobody vouches for.

Nothing is ever written under a name that an archive chose: what is unpacked goes to numbered
folders. Sizes are counted as they are read, whatever the archive says of itself.
"""

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cnnlab.grading.paper import LARGEST

DEEPEST = 4  # archives in archives
CHUNK = 2**20

_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError)


@dataclass
class Allowance:
    """What may still be unpacked: bytes, and entries to look at."""

    size: int = 500 * 2**20
    entries: int = 20_000


@dataclass(frozen=True)
class Entry:
    """A file in an archive: its place, and where it now lies, or why it does not.

    `time` is the archive's, in seconds since 1970, by the clock of this machine's time zone.
    """

    parts: tuple[str, ...]
    path: Path | None = None
    problem: str = ""
    time: float = 0.0


class TooMuch(ValueError):  # noqa: N818 - it tells what happened
    """An archive holds more than is allowed."""


def unpack(archive: Path, folder: Path, allowance: Allowance, depth: int = 1) -> Iterator[Entry]:
    """Unpack the notebooks of an archive, and of the archives in it, below an own folder.

    Other files are named without being unpacked. What cannot be read is named with a problem,
    in words; the rest still comes.

    Raises
    ------
    OSError
        If there is no room in the folder.
    """
    if depth > DEEPEST:
        yield Entry((), problem=f"archives are packed into each other more than {DEEPEST} deep")
        return
    try:
        opened = zipfile.ZipFile(archive)
    except _FAULTS as error:
        yield Entry((), problem=f"is not a whole zip archive ({error})")
        return
    with opened:
        for info in opened.infolist():
            allowance.entries -= 1
            if allowance.entries < 0:
                yield Entry((), problem="holds too many files; those after the limit are left out")
                return
            if not info.is_dir():
                yield from _entry(opened, info, folder, allowance, depth)


def _entry(opened, info, folder, allowance, depth) -> Iterator[Entry]:
    parts, time = _parts(info), _time(info)
    if ".." in parts:
        yield Entry((parts[-1],), problem="its name leads out of the archive", time=time)
    elif is_ignored(parts):
        return
    elif stat.S_ISLNK(info.external_attr >> 16):
        yield Entry(parts, problem="is a link, and not followed", time=time)
    elif not parts[-1].casefold().endswith((".ipynb", ".zip")):
        yield Entry(parts, time=time)
    elif info.flag_bits & 1:
        yield Entry(parts, problem="is encrypted", time=time)
    else:
        try:
            path = _write(opened, info, folder, parts[-1], allowance)
        except TooMuch as error:
            yield Entry(parts, problem=str(error), time=time)
        except (*_FAULTS, RuntimeError) as error:
            yield Entry(parts, problem=f"cannot be unpacked ({error})", time=time)
        else:
            if not _is_zip(parts[-1]):
                yield Entry(parts, path, time=time)
                return
            for entry in unpack(path, folder, allowance, depth + 1):
                place = below(parts, entry.parts)
                yield Entry(place, entry.path, entry.problem, entry.time or time)
            path.unlink()


def below(archive: tuple[str, ...], parts: tuple[str, ...]) -> tuple[str, ...]:
    """The place of something in an archive, which counts as a folder; the archive's own."""
    return (*archive[:-1], archive[-1][: -len(".zip")], *parts) if parts else archive


def _write(opened, info, folder: Path, name: str, allowance: Allowance) -> Path:
    path = Path(tempfile.mkdtemp(dir=folder), "archive" if _is_zip(name) else "notebook.ipynb")
    most = allowance.size if _is_zip(name) else min(allowance.size, LARGEST)
    size = 0
    try:
        with opened.open(info) as source, path.open("wb") as target:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise TooMuch("is too large, or all that is packed with it is")
                target.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        allowance.size -= size
    return path


def _is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def is_ignored(parts: tuple[str, ...]) -> bool:
    """Whether a file is one of those that systems and editors leave behind."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    name = info.filename
    if not info.flag_bits & 0x800:
        # Many packers write UTF-8 and do not say so.
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    parts = tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))
    return parts or ("unnamed",)


def _time(info: zipfile.ZipInfo) -> float:
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
