"""Train the digit classifier that looks at what models decode. Usage: python stages/classify.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import metrics, params
from mnist_vae.files import store
from mnist_vae.nets import classifier, devices


def main() -> None:
    devices.tune_for_training()
    settings, seed = params.load(
        ("classifier", classifier.ClassifierSettings), ("seed", params.Seed)
    )
    train, _ = store.read_arrays(
        Path("data/mnist/train.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="train",
    )
    test, _ = store.read_arrays(
        Path("data/mnist/test.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="test",
    )
    where = devices.pick()
    images = devices.to_device(train["images"], where)[:, None]
    labels = devices.to_device(train["labels"], where)

    network = classifier.Classifier()
    losses = classifier.train(network, settings, images, labels, seed=seed)
    for epoch, loss in enumerate(losses, 1):
        print(f"classifier, epoch {epoch}/{settings.epochs}: cross-entropy {loss:.4f}", flush=True)
    found = {
        "test_accuracy": metrics.digits_kept(
            classifier.classify(network, test["images"]).digits, test["labels"]
        ),
        "epochs": settings.epochs,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    classifier.save(Path("data/classifier.safetensors"), network, **found)
    store.write_json(Path("reports/classifier.json"), found)


if __name__ == "__main__":
    run(main)
