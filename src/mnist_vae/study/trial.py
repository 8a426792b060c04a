"""One trial of a study: train a model, measure it, keep what came out under a name of its own.

What is kept lies outside DVC's outputs, as checkpoints do, and its name follows from all that
decides it. So whatever was finished is found again by whoever wants it: the same study after a
kill, another grid, another machine that shares the folder. Weights are kept too, under the name of
what decides the training alone: where only the measuring changed, nothing is trained again.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from mnist_vae import process
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.split import Split, read_split
from mnist_vae.files.store import Arrays
from mnist_vae.measure.evaluate import Trained
from mnist_vae.nets import classifier_weights, devices, fast
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import build
from mnist_vae.nets.weights import arrays_of, fill
from mnist_vae.study.grid import Trial
from mnist_vae.study.metrics import MeasureSettings, Numbers, measure, spread_evenly
from mnist_vae.train import autoencode, loop
from mnist_vae.train.recipe import Recipe

FILES = ("train.safetensors", "test.safetensors", "classifier.safetensors")
PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


class Study(NamedTuple):
    """What all trials of a grid share: paths, settings and digests, which travel to workers."""

    recipe: Recipe
    measures: MeasureSettings
    data: Path
    """The folder of the three ``FILES``."""
    folder: Path
    """Where results are kept."""
    digests: Mapping[str, str]
    """SHA-256 of the files, by name, and of the code, by module."""

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        measures: MeasureSettings,
        *,
        data: Path,
        folder: Path,
    ) -> Study:
        """With the digests of the files as they are, and of the code that is imported.

        Paths are made absolute: workers may run in another folder. Raises InputError for a file
        that is not there.
        """
        modules = sorted(name for name in sys.modules if name.startswith("mnist_vae."))
        digests = {name: _digest(data / name) for name in FILES}
        digests |= {name: _code_digest(name) for name in modules}
        return cls(recipe, measures, data.absolute(), folder.absolute(), digests)


class Result(NamedTuple):
    """What became of a trial."""

    trial: Trial
    numbers: Numbers
    seconds: Mapping[str, float]
    """That its training and its measuring took."""
    found: bool
    """Whether an earlier run had it."""

    @property
    def row(self) -> dict[str, float | str]:
        """Its row in the table of the study, which no clock and no machine's name is in."""
        _, settings, seed = self.trial
        weight = {} if settings.kl_weight is None else {"kl_weight": settings.kl_weight}
        row = {"model": self.trial.model, "kind": settings.kind, "likelihood": settings.likelihood}
        return {**row, "latent_dim": settings.latent_dim, **weight, "seed": seed, **self.numbers}


def run(trial: Trial, study: Study) -> Result:
    """Find the result of a trial, or train and measure, and keep it.

    Runs on one thread, so that it gives the same bytes wherever it runs. Who asks for a trial that
    another process is at waits for that one. Raises InputError for code or data that are not those
    of the study, for a damaged file, and for a training that diverges.
    """
    _check_code(study.digests)
    with _one_thread():
        device = _device()
        path = study.folder / f"{trial.name}.{_key(trial, study, device)}.json"
        with _alone(path):
            if kept := _read(path):
                return Result(trial, kept["numbers"], kept["seconds"], True)
            start = time.perf_counter()
            trained = _train(trial, study, device)
            between = time.perf_counter()
            numbers = _measure(trained, trial, study, device)
            seconds = {"train": between - start, "measure": time.perf_counter() - between}
            store.write_json(path, {"numbers": numbers, "seconds": seconds})
            return Result(trial, numbers, seconds, False)


def _train(trial: Trial, study: Study, device: torch.device) -> Trained:
    """The trained network, in the plain layers that later stages load, and its loss curve."""
    split = _split(study.data, "train", study.digests["train.safetensors"], grey=True)
    images = devices.to_device(split.images, device)
    recipe = study.recipe.for_images(len(images))
    drawn = split.binarise == "stochastic"
    checkpoints = autoencode.checkpoints_of(
        trial.name,
        trial.settings,
        recipe,
        images,
        trial.seed,
        binarise=drawn,
        device=device,
        folder=study.folder / "checkpoints",
    )
    path = study.folder / "weights" / f"{checkpoints.key}.safetensors"
    sizes = {"image_size": split.image_size, "channels": split.channels}
    network = build(trial.settings, **sizes)
    try:
        kept, facts = store.read_arrays(path, "weights of a trial")
        fill(network, kept, str(path))
        curve = facts["curve"]
    except InputError:
        process.tune_for_training()
        long = recipe.epochs > FEW_EPOCHS
        learner = build(trial.settings, **sizes)
        epochs = autoencode.train(
            learner,
            trial.settings,
            recipe,
            images,
            seed=trial.seed,
            binarise=drawn,
            device=device,
            checkpoints=checkpoints if long else None,
        )
        try:
            means = [{"epoch": epoch.number, **epoch.means} for epoch in epochs]
        except InputError as error:
            raise InputError(f"{trial.name}: {error}") from None
        finally:
            torch.set_flush_denormal(False)  # which is for training alone
        curve = {name: [each[name] for each in means] for name in means[0]}
        store.write_arrays(path, "weights of a trial", arrays_of(learner), curve=curve)
        fill(network, arrays_of(learner), trial.name)
        if long:
            checkpoints.clear()
    columns = {name: np.array(values, np.float64) for name, values in curve.items()}
    return Trained(network, trial.settings, columns)


FEW_EPOCHS = 20
"""Of a training so short that it is begun anew rather than kept half done."""


def _measure(trained: Trained, trial: Trial, study: Study, device: torch.device) -> Numbers:
    train, test = (
        _split(study.data, split, study.digests[f"{split}.safetensors"])
        for split in ("train", "test")
    )
    fit = spread_evenly(_arrays(train), study.measures.fit_images)
    classifier = _classifier(study.data, study.digests["classifier.safetensors"])
    fast.place(trained.network, device, image_size=trained.network.image_size)
    return measure(trained, classifier, _arrays(test), fit, study.measures, trial.seed)


def _arrays(split: Split) -> Arrays:
    """The images, with their labels if they have some."""
    labels = {} if split.labels is None else {"labels": split.labels}
    return {"images": split.images, **labels}


def _key(trial: Trial, study: Study, device: torch.device) -> str:
    """A short digest of all that decides a result; paths and names do not."""
    decides = {
        "settings": msgspec.to_builtins(trial.settings),
        "seed": trial.seed,
        "recipe": msgspec.to_builtins(study.recipe),
        "measures": msgspec.to_builtins(study.measures),
        "data and code": dict(study.digests),
        "packages": {package: version(package) for package in PACKAGES},
        "device": devices.describe(device),
        "precision": str(loop.pick_dtype(study.recipe, device)),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any]:
    """A result that is kept, or nothing; what cannot be read is made again."""
    try:
        kept = store.read_json(path)
    except InputError:
        return {}
    return kept if kept.keys() == {"numbers", "seconds"} else {}


# ---- What a worker does once --------------------------------------------------------------------


@functools.cache
def _device() -> torch.device:
    return devices.pick()


@functools.cache
def _split(data: Path, name: Literal["train", "test"], digest: str, *, grey: bool = False) -> Split:
    _check_file(data / f"{name}.safetensors", digest)
    return read_split(name, folder=data, grey=grey)


@functools.cache
def _classifier(data: Path, digest: str) -> Classifier | None:
    path = data / "classifier.safetensors"
    _check_file(path, digest)
    network, _ = classifier_weights.load(path)
    if network is not None:
        fast.place(network, _device(), image_size=network.image_size)
    return network


def _check_file(path: Path, digest: str) -> None:
    if _digest(path) != digest:
        raise InputError(f"{path}: is not the file that the study was started with")


def _check_code(digests: Mapping[str, str]) -> None:
    """Refuse to compute with other code than that which asked."""
    for name, digest in digests.items():
        if name.startswith("mnist_vae.") and _code_digest(name) != digest:
            raise InputError(
                f"{name}: a worker has other code than the study: start it with the same src/ "
                "first on its PYTHONPATH, and start it again after an edit"
            )


@functools.cache
def _code_digest(module: str) -> str:
    return _digest(Path(str(importlib.import_module(module).__file__)))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, and put back what was set before."""
    threads = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that belongs to ``path`` and ends with the process, whatever ends it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
