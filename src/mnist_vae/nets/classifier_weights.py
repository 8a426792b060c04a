"""How the classifier is kept, as models are.

In a file of its own: an edit of the classifier must not train the models again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.weights import arrays_of, fill
from mnist_vae.settings import Settings, check


class ClassifierFacts(Settings, frozen=True, kw_only=True):
    """What stands beside the weights of the classifier; images without labels have none."""

    dataset: str
    """The name of the data set that it was trained on."""
    image_size: int
    """Height and width of its images."""
    channels: Annotated[int, Meta(ge=1, le=3)]
    """1 of grey images, 3 of colour."""
    classes: tuple[str, ...] = ()
    """What it tells apart; nothing, and no weights, where there are no labels."""
    test_accuracy: float | None = None
    """In percent."""
    epochs: int = 0
    parameters: int = 0


def save(path: Path, network: Classifier | None, facts: ClassifierFacts) -> None:
    """Write the weights of the classifier, or that there is none."""
    arrays = {} if network is None else arrays_of(network)
    store.write_arrays(path, "classifier", arrays, **msgspec.to_builtins(facts))


def load(path: Path) -> tuple[Classifier | None, ClassifierFacts]:
    """The classifier that ``save`` wrote, on the CPU, and the facts about it.

    None where the images have no labels. Raises InputError when the file is damaged or does not fit
    the network.
    """
    arrays, given = store.read_arrays(path, "classifier")
    facts = check(given, ClassifierFacts, f"{path}: facts")
    if not facts.classes:
        return None, facts
    try:
        network = Classifier(
            len(facts.classes), image_size=facts.image_size, channels=facts.channels
        )
    except ValueError as error:
        raise InputError(f"{path}: facts: {error}{store.AGAIN}") from None
    fill(network, arrays, f"{path}: weights do not fit the classifier")
    return network, facts
