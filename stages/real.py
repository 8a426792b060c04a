"""Look at real images as at samples, to hold samples against. Usage: python stages/real.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import seeds
from mnist_vae.files import store
from mnist_vae.files.real import REAL, RealFacts
from mnist_vae.files.split import read_split
from mnist_vae.measure import quality
from mnist_vae.nets import classifier_weights, devices, fast
from mnist_vae.settings import Seed, read_params


def main() -> None:
    (seed,) = read_params(("seed", Seed))
    classifier, _ = classifier_weights.load(Path("data/classifier.safetensors"))
    training = read_split("train")
    test = read_split("test", like=training)
    if classifier is not None:
        fast.place(classifier, devices.pick(), image_size=classifier.image_size)
    rng = seeds.stream(seed, "real images")
    real, numbers = quality.of_real(classifier, test.images, training.images, rng)
    arrays = {name: array for name, array in real._asdict().items() if array is not None}
    REAL.write(Path("data/real.safetensors"), arrays, RealFacts(dataset=test.dataset))
    store.write_json(Path("reports/real.json"), numbers)


if __name__ == "__main__":
    run(main)
