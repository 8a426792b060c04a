from __future__ import annotations

import numpy as np

from mnist_vae.measure.accuracy import accuracy


def test_accuracy_is_the_percentage_of_labels_that_are_right() -> None:
    labels = np.array([7, 2, 1, 0])
    assert accuracy(labels, labels) == 100
    assert accuracy(np.array([7, 2, 7, 9]), labels) == 50
