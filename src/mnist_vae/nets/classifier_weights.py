"""How the classifier is kept, as models are.

In a file of its own: an edit of the classifier must not train the models again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from mnist_vae.files import store
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.weights import arrays_of, fill
from mnist_vae.settings import Settings, check


class ClassifierFacts(Settings, frozen=True, kw_only=True):
    """What stands beside the weights of the classifier."""

    test_accuracy: float
    """In percent."""
    epochs: int
    parameters: int


def save(path: Path, network: Classifier, facts: ClassifierFacts) -> None:
    """Write the weights of the classifier."""
    store.write_arrays(path, "classifier", arrays_of(network), **msgspec.to_builtins(facts))


def load(path: Path) -> tuple[Classifier, ClassifierFacts]:
    """The classifier that ``save`` wrote, on the CPU, and the facts about it.

    Raises InputError when the file is damaged or does not fit the network.
    """
    arrays, facts = store.read_arrays(path, "classifier")
    network = Classifier()
    fill(network, arrays, f"{path}: weights do not fit the classifier")
    return network, check(facts, ClassifierFacts, f"{path}: facts")
