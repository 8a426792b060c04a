"""Write the explorer and its small form. Usage: python stages/explore.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae.explorer import content, page, read, small
from mnist_vae.explorer.words import words
from mnist_vae.figures.palette import colours
from mnist_vae.figures.style import FigureSettings
from mnist_vae.files import store
from mnist_vae.files.split import read_split
from mnist_vae.nets import classifier_weights
from mnist_vae.settings import read_params


def main() -> None:
    names, settings = read_params(("models", dict[str, object]), ("figures", FigureSettings))
    test = read_split("test")
    classifier, _ = classifier_weights.load(Path("data/classifier.safetensors"))
    models = read.models(names, test)
    chosen = colours(settings.palette, len(test.classes))

    whole = content.compose(test, models, classifier, chosen)
    errors = content.errors(test, models)
    text = words(test, models, whole["points"]["count"], errors)
    store.write_bytes(Path("reports/explorer.html"), page.render(whole, text).encode())
    small.write(Path("reports/play.json"), content.small(test, models, chosen))


if __name__ == "__main__":
    run(main)
