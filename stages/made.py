"""Train a classifier on pictures that a model made. Usage: python stages/made.py MODEL

They come from the prior of each class, and what was asked for is their label. The classifier never
sees a real image; how it reads the real test images says what the pictures are worth.
"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process, seeds
from mnist_vae.files import store
from mnist_vae.files.priors import read_priors
from mnist_vae.files.split import read_split
from mnist_vae.latents import priors
from mnist_vae.latents.pictures import Pictures, labelled_pictures
from mnist_vae.measure.accuracy import accuracy
from mnist_vae.nets import devices, fast, weights
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.settings import read_params
from mnist_vae.train.classify import ClassifierSettings, train


def main() -> None:
    process.tune_for_training()
    name = process.argument("MODEL")
    count, settings = read_params((f"made.{name}", Pictures), ("classifier", ClassifierSettings))
    vae, model = weights.load(Path(f"models/{name}.safetensors"), name)
    fitted, _ = read_priors(
        Path(f"data/priors/{name}.safetensors"),
        dim=vae.latent_dim,
        classes=len(model.classes),
        model=name,
        weights=weights.digest(vae),
    )
    test = read_split("test", C=vae.channels, H=vae.image_size)
    of_classes = priors.of_arrays(fitted).get("classes")

    measured = {}
    if of_classes is None or test.labels is None:
        print("no pictures made: the images have no labels", flush=True)
    else:
        device = devices.pick()
        fast.place(vae, device, image_size=vae.image_size)
        rng = seeds.stream(model.seed, "made pictures")
        made = labelled_pictures(vae, of_classes, count, rng)
        pictures, labels = (devices.to_device(array, device) for array in made)
        network = Classifier(len(test.classes), image_size=test.image_size, channels=test.channels)
        epochs = settings.recipe.for_images(count).epochs
        for epoch in train(network, settings, pictures, labels, seed=model.seed):
            progress, loss = f"{epoch.number}/{epochs}", epoch.means["loss"]
            print(f"{name}, epoch {progress}: cross-entropy {loss:.4f}", flush=True)
        measured = {
            "test_accuracy": accuracy(classify(network, test.images).labels, test.labels),
            "pictures": count,
        }
    store.write_json(Path(f"reports/metrics/{name}.made.json"), {"made": measured})
    result = {"accuracy": measured["test_accuracy"]} if measured else {}
    store.write_json(Path(f"reports/results/{name}.made.json"), result)


if __name__ == "__main__":
    run(main)
