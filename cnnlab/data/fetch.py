"""Files from the internet: found where they are, downloaded where not, checked in any case."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

# Where Debian's packages put data sets. They are recompressed, so their checksums differ from
# the official ones; the packages have checksums of their own.
SYSTEM_FOLDER = Path("/usr/share/datasets")


class DownloadError(OSError):
    """A file is not here and cannot be downloaded; the message says what to put where."""


@dataclass(frozen=True)
class File:
    """One file, as its authors publish it.

    Parameters
    ----------
    name : the last part of its address.
    size : bytes.
    md5 : the checksum that its authors publish, in hexadecimal digits.
    """

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Download:
    """The files of a data set, and where to get them.

    Parameters
    ----------
    name : the folder for the files, inside the cache folder.
    files : all of them are needed.
    mirrors : addresses that end in a slash, to be tried in this order.
    """

    name: str
    files: tuple[File, ...]
    mirrors: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)

    def find(self) -> Path | None:
        """The folder that holds all the files, or None; downloads nothing."""
        for folder in (cache_folder() / self.name, SYSTEM_FOLDER / self.name):
            if all((folder / file.name).is_file() for file in self.files):
                return folder
        return None

    def fetch(self) -> Path:
        """The folder that holds all the files, after downloading those that are missing.

        A file in the cache folder that is not the official one is downloaded again. What
        arrives has another name until its checksum is found right, so nothing half-written
        is ever taken for the file.

        Raises
        ------
        DownloadError
            If a file cannot be downloaded: what to put where, by hand.
        """
        found = self.find()
        if found == SYSTEM_FOLDER / self.name:
            return found
        folder = cache_folder() / self.name
        for file in self.files:
            self._get(file, folder)
        return folder

    def _get(self, file: File, folder: Path) -> None:
        # Loaded here: most data sets need NumPy only.
        import pooch
        import requests

        reasons = []
        for mirror in self.mirrors:
            try:
                pooch.retrieve(
                    mirror + file.name,
                    known_hash=f"md5:{file.md5}",
                    fname=file.name,
                    path=folder,
                    downloader=pooch.HTTPDownloader(progressbar=sys.stderr.isatty()),
                )
                return
            except (requests.RequestException, ValueError) as error:
                reasons.append(f"{urlsplit(mirror).netloc} {_reason(error)}")
        path = folder / file.name
        what = f"{path} is not the official file, which" if path.exists() else file.name
        missing = [
            self.mirrors[0] + each.name
            for each in self.files
            if each is file or not (folder / each.name).exists()
        ]
        # Last and without a full stop, so that the addresses can be copied.
        raise DownloadError(
            f"{what} could not be downloaded: {'; '.join(reasons)}. Without a network, fetch what "
            f"is missing on another machine and put it into {folder}: {' '.join(missing)}"
        )


def cache_folder() -> Path:
    """Where downloads are kept: CNNLAB_DATA if it is set, else a folder for such things.

    Examples
    --------
    >>> from unittest.mock import patch
    >>> with patch.dict(os.environ, CNNLAB_DATA="/mnt/data"):
    ...     cache_folder().as_posix()
    '/mnt/data'
    """
    import pooch

    return Path(os.environ.get("CNNLAB_DATA") or pooch.os_cache("cnnlab")).expanduser()


def _reason(error: Exception) -> str:
    """Why a download failed, to come after the name of the server."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers with {error.response.status_code}"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "cannot be reached"
    if isinstance(error, requests.RequestException):
        return "breaks off"
    return "sends another file"
