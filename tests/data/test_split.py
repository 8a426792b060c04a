"""Which images are tested on: a part of each class, the same every time, none of them twice."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_vae.data import split as module
from mnist_vae.data.split import check_splits, draw_splits
from mnist_vae.errors import InputError

LABELS = np.repeat(np.arange(3, dtype=np.uint8), (100, 50, 10))
CLASSES = ("a", "b", "c")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images are enough for a split."""
    monkeypatch.setattr(module, "FEWEST", 2)


def test_a_split_has_ten_images_where_it_can() -> None:
    assert len(draw_splits({"train": 20}, {}, (), 0.01)["test"]) == 10
    with pytest.raises(InputError, match="19 images, needs at least 20: 10 to train and 10 to"):
        draw_splits({"train": 19}, {}, (), 0.5)
    test = draw_splits({"train": 160}, {"train": LABELS}, CLASSES, 0.01)["test"]
    assert np.bincount(LABELS[test]).tolist() == [4, 4, 4]
    with pytest.raises(InputError, match="9 images to test with, needs at least 10"):
        check_splits({"train": 10, "test": 9}, {}, ())


@pytest.mark.usefixtures("few")
def test_the_part_is_drawn_of_each_class() -> None:
    splits = draw_splits({"train": 160}, {"train": LABELS}, CLASSES, 0.2)
    assert np.bincount(LABELS[splits["test"]]).tolist() == [20, 10, 2]
    both = np.concatenate([splits["train"], splits["test"]])
    assert sorted(both.tolist()) == list(range(160))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(("fraction", "count"), [(0.01, 2), (0.1, 2), (0.25, 5), (0.9, 18)])
def test_without_classes_it_is_drawn_of_all(fraction: float, count: int) -> None:
    splits = draw_splits({"train": 20}, {}, (), fraction)
    assert [len(splits["train"]), len(splits["test"])] == [20 - count, count]


@pytest.mark.usefixtures("few")
def test_each_side_keeps_an_image_of_each_class() -> None:
    labels = np.array([0, 0, 1, 1], np.uint8)
    for fraction in (0.01, 0.9):
        splits = draw_splits({"train": 4}, {"train": labels}, ("a", "b"), fraction)
        for index in splits.values():
            assert sorted(labels[index]) == [0, 1]


def test_given_splits_are_kept_and_mixed() -> None:
    splits = draw_splits({"train": 160, "test": 30}, {"train": LABELS}, CLASSES, 0.2)
    assert sorted(splits["train"]) == list(range(160))
    assert sorted(splits["test"]) == list(range(30))
    assert set(LABELS[splits["train"][:20]]) == {0, 1, 2}


def test_the_same_is_drawn_every_time() -> None:
    first, second = (draw_splits({"train": 160}, {"train": LABELS}, CLASSES, 0.2) for _ in "12")
    for split, index in first.items():
        np.testing.assert_array_equal(index, second[split])


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("count", "labels", "message"),
    [
        (0, [], "0 images, needs at least 4: 2 to train and 2 to test on"),
        (1, [], "1 images, needs at least 4"),
        (3, [0, 0, 1], "1 images of class 'b', needs at least 2: 1 to train and 1 to test on"),
        (2, [0, 0], "0 images of class 'b', needs at least 2"),
    ],
)
def test_too_few_are_refused(count: int, labels: list[int], message: str) -> None:
    of = {"train": np.array(labels, np.uint8)} if labels else {}
    with pytest.raises(InputError, match=message):
        draw_splits({"train": count}, of, ("a", "b") if labels else (), 0.5)  # type: ignore[arg-type]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("counts", "labels", "message"),
    [
        ({"train": 9, "test": 1}, {}, "1 images to test with, needs at least 2"),
        ({"train": 9}, {"train": np.array([0, 0, 2])}, "no image of class 'b' to train with"),
        ({"train": 9}, {"train": np.array([0, 1])}, "no image of class 'c' to train with"),
    ],
)
def test_what_lacks_images_is_named(
    counts: dict[str, int], labels: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_splits(counts, labels, CLASSES)  # type: ignore[arg-type]
