"""Labels of both sorts, right and wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_vae.data.labels import check_classes, name_classes
from mnist_vae.errors import InputError


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.uint64])
def test_numbers_are_their_own_names(dtype: type) -> None:
    classes, labels = name_classes(
        {"train": np.array([2, 0, 1], dtype), "test": np.array([3], dtype)}
    )
    assert classes == ("0", "1", "2", "3")
    assert [(array.dtype.name, array.tolist()) for array in labels.values()] == [
        ("uint8", [2, 0, 1]),
        ("uint8", [3]),
    ]


def test_text_names_its_classes() -> None:
    classes, labels = name_classes({"train": np.array(["cat", "Ant", "bee", "cat"])})
    assert classes == ("Ant", "bee", "cat")
    assert labels["train"].tolist() == [2, 0, 1, 2]
    assert labels["train"].dtype == np.uint8


def test_none_are_none() -> None:
    assert name_classes({}) == ((), {})


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1, -1], [0], "train labels hold -1 to 1, must be whole numbers from 0 to 99"),
        ([0, 1], [100], "test labels hold 100 to 100, must be"),
        ([0, 1], ["a"], "test labels hold text, must be whole numbers"),
        (["a", "b"], [1], "train labels hold text"),
        (["a", "b"], ["c"], "test labels hold 'c', training labels do not"),
        ([0, 0], [0], "one class, '0', must be none or 2 to 100"),
        ([str(number) for number in range(101)], ["1"], "101 classes, must be none or 2 to 100"),
    ],
)
def test_wrong_labels_are_refused(train: list[object], test: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        name_classes({"train": np.array(train), "test": np.array(test)})


@pytest.mark.parametrize("name", ["a\nb", " ", "", "\udcff", "a\x1b[0m"])
def test_a_name_must_be_text_that_can_be_shown(name: str) -> None:
    check_classes(("a", "é 字"))
    with pytest.raises(InputError, match="must be text that can be shown"):
        check_classes(("a", name))
