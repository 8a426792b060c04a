"""Write the page with every model's metrics and figures. Usage: python stages/report.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import figures, mnist, page, params, report
from mnist_vae.files import store

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "opentsne", "matplotlib")


def main() -> None:
    models, recipe, chosen, seed, dpi = params.load(
        ("models", dict[str, object]),
        ("recipe", str),
        ("recipes.${recipe}", dict[str, object]),
        ("seed", params.Seed),
        ("figures.dpi", int),
    )
    measured = {name: store.read_json(Path(f"reports/metrics/{name}.json")) for name in models}
    curves = {
        name: store.read_table(Path(f"reports/curves/{name}.csv"), "epoch", "loss")
        for name in models
    }
    classifier = store.read_json(Path("reports/classifier.json"))
    plane = figures.png(figures.of_all_models(*report.points(measured)), dpi)
    sizes = {report.RATE_DISTORTION: report.png_size("the plane", plane)} | {
        path.relative_to("reports").as_posix(): report.png_size(str(path), path.read_bytes())
        for path in sorted(Path("reports/figures").glob("*/*.png"))
    }
    settings = {"recipe": recipe, "recipes": {recipe: chosen}, "seed": seed}
    lock = Path("requirements.txt").read_text(encoding="utf-8", errors="replace")
    facts = {
        "Training images, SHA-256": mnist.FILES["train-images-idx3-ubyte"][1],
        "Versions that requirements.txt pins": report.pinned(lock, *PACKAGES),
    }
    composed = report.compose(models, measured, sizes, classifier, settings, facts)

    store.write_bytes(Path("reports/rate_distortion.png"), plane)
    store.write_bytes(Path("reports/README.md"), page.markdown(composed).encode())
    store.write_bytes(Path("reports/index.html"), page.html_file(composed).encode())
    store.write_table(Path("reports/curves.csv"), report.long_table(curves))


if __name__ == "__main__":
    run(main)
