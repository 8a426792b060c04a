"""Train one model: arrays in, weights and loss curve out. Usage: python stages/train.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, device, errors, model, params, progress, training


def main() -> None:
    device.tune_for_training()
    name = errors.argument("MODEL")
    settings, recipe, seed = params.load(
        (f"models.{name}", model.ModelParams),
        ("recipes.${recipe}", training.Recipe),
        ("seed", params.Seed),
    )
    data, _ = artifacts.read_arrays(
        Path("data/mnist/train.safetensors"), "images", "images uint8 N 28 28", split="train"
    )
    where = device.pick()
    images = device.to_device(data["images"], where)[:, None]

    vae = model.build(settings)
    seed = settings.pick_seed(seed)
    kept = training.checkpoints_of(name, settings, recipe, images, seed)
    epochs = training.train(vae, settings, recipe, images, seed=seed, checkpoints=kept)
    rows = []
    for epoch in progress.follow(epochs, recipe.epochs, len(images), name, len(kept.epochs)):
        rows.append({k: v for k, v in epoch._asdict().items() if v is not None})
        # Written as it grows, so that a running training can be watched.
        artifacts.write_table(Path(f"reports/curves/{name}.csv"), rows)
    precision = str(training.pick_dtype(recipe, where)).removeprefix("torch.")
    about = {"epochs": recipe.epochs, "device": f"{device.describe(where)}, {precision}"}
    model.save(Path(f"models/{name}.safetensors"), vae, name, settings, **about)
    kept.clear()


if __name__ == "__main__":
    run(main)
