import hashlib
import http.server
import re
import socket
import threading
from pathlib import Path

import pooch
import pytest

from cnnlab.data import fetch
from cnnlab.data.fetch import Download, DownloadError, File
from cnnlab.data.sources import SOURCES

CONTENT = {"a.gz": b"first" * 1000, "b.gz": b"second" * 1000}


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT below /right/, and trouble of some kind below the other folders."""

    def do_GET(self):
        _, kind, name = self.path.split("/")
        content = CONTENT[name]
        self.server.asked.append((kind, name))
        self.send_response(404 if kind == "missing" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if kind == "wrong":
            content = content[:-1] + b"?"
        self.wfile.write(content[:100] if kind == "broken" else content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.asked = []
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def asked(server):
    server.asked.clear()
    return server.asked


@pytest.fixture
def gone():
    """The address of a server that is no more."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return f"http://127.0.0.1:{door.getsockname()[1]}/"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def download(*mirrors):
    files = [File(n, len(c), hashlib.md5(c).hexdigest()) for n, c in CONTENT.items()]
    return Download("letters", tuple(files), mirrors)


def put(folder, **changed):
    """All the files, as if somebody had put them there by hand."""
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(changed.get(name[0], content))
    return folder


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_downloaded_once(server, asked, cache):
    letters = download(f"{server.address}/right/")
    assert letters.find() is None
    assert letters.fetch() == letters.fetch() == letters.find() == cache / "letters"
    assert files_in(cache) == CONTENT
    assert asked == [("right", "a.gz"), ("right", "b.gz")]


def test_only_what_is_missing_is_downloaded(server, asked, cache):
    (put(cache / "letters") / "b.gz").unlink()
    letters = download(f"{server.address}/right/")
    assert letters.find() is None
    letters.fetch()
    assert files_in(cache) == CONTENT
    assert asked == [("right", "b.gz")]


TROUBLES = {
    "missing": "answers with 404",
    "broken": "breaks off",
    "wrong": "sends another file",
}


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_mirror_in_trouble_is_followed_by_the_next(server, asked, cache, gone, kind):
    download(gone, f"{server.address}/{kind}/", f"{server.address}/right/").fetch()
    assert files_in(cache) == CONTENT
    assert asked == [(k, name) for name in CONTENT for k in (kind, "right")]


@pytest.mark.parametrize(("kind", "words"), TROUBLES.items(), ids=TROUBLES)
def test_without_a_mirror_nothing_half_written_stays(server, asked, cache, gone, kind, words):
    with pytest.raises(DownloadError) as caught:
        download(gone, f"{server.address}/{kind}/").fetch()
    assert files_in(cache) == {}
    assert str(caught.value) == (
        f"a.gz could not be downloaded: {gone[7:-1]} cannot be reached; {server.address[7:]} "
        f"{words}. Without a network, fetch what is missing on another machine and put it into "
        f"{cache / 'letters'}: {gone}a.gz {gone}b.gz"
    )


def test_an_interrupted_download_leaves_nothing(server, asked, cache, monkeypatch):
    def interrupted(self, url, output_file, pooch):
        Path(output_file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server.address}/right/").fetch()
    assert files_in(cache) == {}


def test_a_wrong_file_in_the_cache_is_replaced(server, asked, cache):
    put(cache / "letters", b=b"half of it")
    download(f"{server.address}/right/").fetch()
    assert files_in(cache) == CONTENT
    assert asked == [("right", "b.gz")]


def test_a_wrong_file_is_named_and_kept_where_there_is_no_network(cache, gone):
    path = put(cache / "letters", b=b"half of it") / "b.gz"
    words = (
        f"{path} is not the official file, which could not be downloaded: .*letters: {gone}b.gz$"
    )
    with pytest.raises(DownloadError, match=words):
        download(gone).fetch()
    assert files_in(cache) == CONTENT | {"b.gz": b"half of it"}


def test_files_put_by_hand_need_no_network(cache, gone):
    put(cache / "letters")
    assert download(gone).fetch() == cache / "letters"


def test_files_of_the_system_are_used_as_they_are(tmp_path, cache, gone):
    letters = put(tmp_path / "system" / "letters", a=b"recompressed")
    assert download(gone).find() == download(gone).fetch() == letters
    assert not cache.exists()
    put(cache / "letters")
    assert download(gone).fetch() == cache / "letters", "one's own come first"


def test_a_cache_that_cannot_be_written_is_no_matter_of_the_network(server, asked, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=re.escape(str(cache))) as caught:
        download(f"{server.address}/right/").fetch()
    assert not isinstance(caught.value, DownloadError)
    assert asked == []


@pytest.mark.parametrize("value", ["", None])
def test_the_cache_has_a_place_by_default(monkeypatch, value):
    monkeypatch.setenv("CNNLAB_DATA", value or "")
    if value is None:
        monkeypatch.delenv("CNNLAB_DATA")
    assert fetch.cache_folder() == Path(pooch.os_cache("cnnlab"))


def test_the_cache_may_be_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("CNNLAB_DATA", "~/images")
    assert fetch.cache_folder() == Path.home() / "images"


@pytest.mark.parametrize(
    "source", [s for s in SOURCES.values() if s.download], ids=lambda s: s.about
)
def test_the_table_of_downloads_is_well_formed(source):
    assert all(re.fullmatch(r"https?://[^/]+/(.+/)?", url) for url in source.download.mirrors)
    for file in source.download.files:
        assert re.fullmatch(r"[0-9a-f]{32}", file.md5)
        assert re.fullmatch(r"[-\w.]+\.gz", file.name)
        assert file.size > 1000
