"""Train one model: arrays in, weights and loss curve out. Usage: python stages/train.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import params, process
from mnist_vae.files import store
from mnist_vae.nets import devices, weights
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.train import loop, progress


def main() -> None:
    devices.tune_for_training()
    name = process.argument("MODEL")
    settings, recipe, seed = params.load(
        (f"models.{name}", ModelSettings),
        ("recipes.${recipe}", loop.Recipe),
        ("seed", params.Seed),
    )
    data, _ = store.read_arrays(
        Path("data/mnist/train.safetensors"), "images", "images uint8 N 28 28", split="train"
    )
    where = devices.pick()
    images = devices.to_device(data["images"], where)[:, None]

    vae = build(settings)
    seed = settings.pick_seed(seed)
    kept = loop.checkpoints_of(name, settings, recipe, images, seed)
    epochs = loop.train(vae, settings, recipe, images, seed=seed, checkpoints=kept)
    rows = []
    for epoch in progress.follow(epochs, recipe.epochs, len(images), name, len(kept.epochs)):
        rows.append({k: v for k, v in epoch._asdict().items() if v is not None})
        # Written as it grows, so that a running training can be watched.
        store.write_table(Path(f"reports/curves/{name}.csv"), rows)
    precision = str(loop.pick_dtype(recipe, where)).removeprefix("torch.")
    about = {"epochs": recipe.epochs, "device": f"{devices.describe(where)}, {precision}"}
    weights.save(Path(f"models/{name}.safetensors"), vae, name, settings, **about)
    kept.clear()


if __name__ == "__main__":
    run(main)
