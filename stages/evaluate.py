"""Measure a model on the test set. Usage: python stages/evaluate.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, classifier, device, errors, model, params
from mnist_vae.measure import evaluate


def main() -> None:
    name = errors.argument("MODEL")
    how, seed = params.load(("evaluate", evaluate.EvaluateParams), ("seed", params.Seed))
    weights = Path(f"models/{name}.safetensors")
    vae, settings, about = model.load(weights, name)
    epochs = params.check(about.get("epochs"), int, f"{weights}: epochs")
    trained_on = params.check(about.get("device"), str, f"{weights}: device")
    network, _ = classifier.load(Path("data/classifier.safetensors"))
    variational, dim = settings.kind == "vae", settings.latent_dim
    logvar = f"logvar float32 N {dim}"
    latents, _ = artifacts.read_arrays(
        Path(f"data/latents/{name}.safetensors"),
        "latents",
        f"mean float32 N {dim}",
        logvar if variational else (logvar,),
        "labels uint8<10 N",
        f"train_mean float32 M {dim}",
        "train_labels uint8<10 M",
        model=name,
        epochs=epochs,
    )
    size = len(latents["mean"])
    maps, _ = artifacts.read_arrays(
        Path(f"data/maps/{name}.safetensors"),
        "maps",
        f"map float32 {size} 2",
        f"pca float32 {size} 2",
        model=name,
    )
    data, _ = artifacts.read_arrays(
        Path("data/mnist/test.safetensors"), "images", f"images uint8 {size} 28 28", split="test"
    )
    columns = ["epoch", "loss", "squared_error", *(["kl"] if variational else [])]
    curve = artifacts.read_table(Path(f"reports/curves/{name}.csv"), *columns, length=epochs)
    where = device.pick()

    measured = evaluate.measure(
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
    measured["device"] = trained_on
    artifacts.write_json(Path(f"reports/metrics/{name}.json"), measured)


if __name__ == "__main__":
    run(main)
