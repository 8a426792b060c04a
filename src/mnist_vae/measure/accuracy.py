"""How many labels are right."""

from __future__ import annotations

import numpy as np

from mnist_vae.measure import checks


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Percentage of predicted labels [N] that are the true ones [N]; both whole numbers."""
    guesses = checks.labels("predicted", predicted, np.size(predicted))
    truth = checks.labels("labels", labels, len(guesses))
    return 100 * int(np.count_nonzero(guesses == truth)) / len(truth)
