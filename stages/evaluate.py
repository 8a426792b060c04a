"""Measure a model on the test set. Usage: python stages/evaluate.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import evaluation, params, process
from mnist_vae.files import store
from mnist_vae.nets import classifier, devices, weights


def main() -> None:
    name = process.argument("MODEL")
    how, seed = params.load(("evaluate", evaluation.EvaluateSettings), ("seed", params.Seed))
    path = Path(f"models/{name}.safetensors")
    vae, settings, about = weights.load(path, name)
    epochs = params.check(about.get("epochs"), int, f"{path}: epochs")
    trained_on = params.check(about.get("device"), str, f"{path}: device")
    network, _ = classifier.load(Path("data/classifier.safetensors"))
    variational, dim = settings.kind == "vae", settings.latent_dim
    logvar = f"logvar float32 N {dim}"
    latents, _ = store.read_arrays(
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
    maps, _ = store.read_arrays(
        Path(f"data/maps/{name}.safetensors"),
        "maps",
        f"map float32 {size} 2",
        f"pca float32 {size} 2",
        model=name,
    )
    data, _ = store.read_arrays(
        Path("data/mnist/test.safetensors"), "images", f"images uint8 {size} 28 28", split="test"
    )
    columns = ["epoch", "loss", "squared_error", *(["kl"] if variational else [])]
    curve = store.read_table(Path(f"reports/curves/{name}.csv"), *columns, length=epochs)
    where = devices.pick()

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
    measured["device"] = trained_on
    store.write_json(Path(f"reports/metrics/{name}.json"), measured)


if __name__ == "__main__":
    run(main)
