"""Train the digit classifier that looks at what models decode. Usage: python stages/classify.py"""

from __future__ import annotations

from start import run

from pathlib import Path

import msgspec

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.images import IMAGES
from mnist_vae.measure.accuracy import accuracy
from mnist_vae.nets import classifier_weights, devices
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.settings import Seed, read_params
from mnist_vae.train.classify import ClassifierSettings, train


def main() -> None:
    process.tune_for_training()
    settings, seed = read_params(("classifier", ClassifierSettings), ("seed", Seed))
    training, _ = IMAGES.read(Path("data/train.safetensors"), split="train")
    test, _ = IMAGES.read(Path("data/test.safetensors"), split="test")
    device = devices.pick()
    images = devices.to_device(training["images"], device)[:, None]
    labels = devices.to_device(training["labels"], device)

    network = Classifier()
    for epoch in train(network, settings, images, labels, seed=seed):
        progress = f"{epoch.number}/{settings.epochs}"
        print(f"classifier, epoch {progress}: cross-entropy {epoch.means['loss']:.4f}", flush=True)
    facts = classifier_weights.ClassifierFacts(
        test_accuracy=accuracy(classify(network, test["images"]).digits, test["labels"]),
        epochs=settings.epochs,
        parameters=sum(p.numel() for p in network.parameters()),
    )
    classifier_weights.save(Path("data/classifier.safetensors"), network, facts)
    store.write_json(Path("reports/classifier.json"), msgspec.to_builtins(facts))


if __name__ == "__main__":
    run(main)
