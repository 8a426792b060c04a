"""Measure a model on the test set. Usage: python stages/evaluate.py MODEL"""

from __future__ import annotations

from pathlib import Path

from mnist_vae import artifacts, classifier, device, errors, evaluation, model, params


def main() -> None:
    name = errors.argument("MODEL")
    how, seed = params.load(("evaluate", evaluation.EvaluateParams), ("seed", params.Seed))
    vae, settings, about = model.load(Path(f"models/{name}.safetensors"), name)
    network, _ = classifier.load(Path("data/classifier.safetensors"))
    latents, _ = artifacts.read_arrays(
        Path(f"data/latents/{name}.safetensors"),
        "latents",
        "mean",
        "labels",
        "train_mean",
        "train_labels",
        model=name,
    )
    maps, _ = artifacts.read_arrays(
        Path(f"data/maps/{name}.safetensors"), "maps", "map", "pca", model=name
    )
    data, _ = artifacts.read_arrays(
        Path("data/mnist/test.safetensors"), "images", "images", "labels", split="test"
    )
    columns = ["epoch", "loss", "squared_error", *(["kl"] if settings.kind == "vae" else [])]
    curve = artifacts.read_table(Path(f"reports/curves/{name}.csv"), *columns)
    where = device.pick()

    measured = evaluation.measure(
        vae.to(where),
        settings,
        network.to(where),
        latents,
        maps,
        data["images"],
        curve,
        how,
        seed,
    )
    measured["device"] = about["device"]
    artifacts.write_json(Path(f"reports/metrics/{name}.json"), measured)


if __name__ == "__main__":
    errors.run(main)
