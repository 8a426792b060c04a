"""Train the classifier that looks at what models decode. Usage: python stages/classify.py

Images without labels have none: the file says so, and what needs it is left out.
"""

from __future__ import annotations

from start import run

from pathlib import Path

import msgspec

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.split import read_split
from mnist_vae.measure.accuracy import accuracy
from mnist_vae.measure.dataset import describe
from mnist_vae.nets import classifier_weights, devices
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.settings import Seed, read_params
from mnist_vae.train.classify import ClassifierSettings, train


def main() -> None:
    process.tune_for_training()
    settings, seed = read_params(("classifier", ClassifierSettings), ("seed", Seed))
    training = read_split("train")
    test = read_split("test", like=training)
    size, channels = training.image_size, training.channels
    device = devices.pick()

    network, measured = None, {}
    if training.labels is None or test.labels is None:
        print("no classifier: the images have no labels", flush=True)
    else:
        network = Classifier(len(training.classes), image_size=size, channels=channels)
        images = devices.to_device(training.images, device)
        labels = devices.to_device(training.labels, device)
        epochs = settings.recipe.for_images(len(images)).epochs
        for epoch in train(network, settings, images, labels, seed=seed):
            progress, loss = f"{epoch.number}/{epochs}", epoch.means["loss"]
            print(f"classifier, epoch {progress}: cross-entropy {loss:.4f}", flush=True)
        measured = {
            "test_accuracy": accuracy(classify(network, test.images).labels, test.labels),
            "epochs": epochs,
            "parameters": sum(p.numel() for p in network.parameters()),
        }
    facts = classifier_weights.ClassifierFacts(
        dataset=training.dataset,
        image_size=size,
        channels=channels,
        classes=training.classes,
        **measured,
    )
    classifier_weights.save(Path("data/classifier.safetensors"), network, facts)
    data = msgspec.to_builtins(describe(training, test))
    store.write_json(Path("reports/classifier.json"), {**measured, "data": data})


if __name__ == "__main__":
    run(main)
