import numpy as np
import pytest

from ihdm.config.settings import DatasetSettings
from ihdm.data.copies import find_copies
from ihdm.data.sources import load_splits
from ihdm.data.sources.photos import TEST_FRACTION, cut_crops, embedded_photos


def settings(source: str, size: int, channels: int) -> DatasetSettings:
    return DatasetSettings(source=source, image_size=size, image_channels=channels)


def test_digits_use_seventeen_levels():
    splits = load_splits(settings("digits", 8, 1))
    assert {split: images.shape for split, images in splits.items()} == {
        "train": (1297, 8, 8, 1),
        "test": (500, 8, 8, 1),
    }
    levels = np.unique(splits["train"])
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


@pytest.mark.parametrize("size", [16, 32])
def test_no_photo_pixel_is_in_both_splits(size, monkeypatch):
    """Photos whose every pixel has a value of its own in the image: the splits must share no value and keep a gap."""
    height, width = 120, 320
    columns = np.arange(width)
    photo = np.zeros((height, width, 3), dtype=np.uint8)
    photo[..., 0], photo[..., 1] = columns % 256, columns // 256
    monkeypatch.setattr("ihdm.data.sources.photos.embedded_photos", lambda: {"ramp": photo})
    splits = load_splits(settings("photos", size, 3))
    seen = {name: images[..., 0].astype(int) + 256 * images[..., 1].astype(int) for name, images in splits.items()}
    assert seen["train"].max() + size < seen["test"].min()
    assert seen["test"].min() == round(width * (1 - TEST_FRACTION))


def test_photos_are_crops_of_the_seven():
    splits = load_splits(settings("photos", 16, 3))
    assert len(embedded_photos()) == 7
    crops = {crop.tobytes() for photo in embedded_photos().values() for crop in cut_crops(photo, 16)[:50]}
    found = {image.tobytes() for image in splits["train"]}
    assert len(crops & found) > 0.9 * len(crops)  # identical crops of flat sky count once


def test_only_black_photos_are_in_both_splits():
    """What the notes of the photos say."""
    for size, expected in ((16, {"train": 46, "test": 87}), (32, {"train": 0, "test": 0})):
        splits = load_splits(settings("photos", size, 3))
        copies = find_copies(splits["train"], splits["test"])
        assert {split: len(positions) for split, positions in copies.items()} == expected
        assert not any(splits[split][position].any() for split in copies for position in copies[split])


def test_any_prefix_is_a_fair_sample():
    """The order is shuffled: the first images have the mean of all, within four standard errors."""
    for source, size, channels in (("digits", 8, 1), ("photos", 16, 3)):
        for images in load_splits(settings(source, size, channels)).values():
            means = images.mean(axis=(1, 2, 3))
            error = means.std() / np.sqrt(300)
            assert abs(means[:300].mean() - means.mean()) < 4 * error


def test_crops_lie_on_a_lattice():
    photo = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    crops = cut_crops(photo, 4)
    assert crops.shape == (4 * 5, 4, 4, 3)
    np.testing.assert_array_equal(crops[6], photo[2:6, 2:6])
