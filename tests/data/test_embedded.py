import hashlib
from pathlib import Path

import numpy as np
import pytest

from ihdm.config.settings import DatasetSettings
from ihdm.data.source import RawData
from ihdm.data.sources import load_splits
from ihdm.data.sources.photos import NUM_SQUARES, cut_photo, embedded_photos, load_photos
from ihdm.data.writing import find_copies
from ihdm.errors import UserError


def settings(source: str, size: int, channels: int) -> DatasetSettings:
    return DatasetSettings(source=source, image_size=size, image_channels=channels)


def test_digits_use_seventeen_levels(digits):
    shapes = {split: images.shape for split, images in digits.items()}
    assert shapes == {"train": (1297, 8, 8, 1), "test": (500, 8, 8, 1)}
    levels = np.unique(digits["train"])
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


@pytest.fixture
def painted(monkeypatch):
    """Return a function that replaces the photographs with ones of the given pixels."""

    def paint(**given):
        monkeypatch.setattr("ihdm.data.sources.photos.embedded_photos", lambda: given)

    return paint


@pytest.fixture
def sides(monkeypatch):
    """The width of the region, the side and the size of every square that is cut, in order; nothing is resized."""
    found = []

    def record(region, side, size, rng):
        found.append((region.width, side, size))
        return np.zeros((size, size, 3), dtype=np.uint8)

    monkeypatch.setattr("ihdm.data.sources.photos.cut_square", record)
    return found


@pytest.mark.parametrize(("size", "gap"), [(16, 72), (33, 72), (64, 96)])
@pytest.mark.parametrize("width", [451, 512, 640])
def test_no_photo_pixel_is_in_both_splits(painted, size, gap, width):
    """Test strip and gap are marked: training sees neither, and testing sees the strip alone."""
    strip_left = width - round(width / 3)
    photo = np.full((300, width, 3), 10, dtype=np.uint8)
    photo[:, strip_left - gap : strip_left] = 128
    photo[:, strip_left:] = 250
    painted(marked=photo)
    splits = load_photos(settings("photos", size, 3), RawData(Path()))
    assert set(np.unique(splits["train"])) == {10}
    assert set(np.unique(splits["test"])) == {250}


def test_squares_reach_the_ends_of_both_regions(painted):
    """The first and last column of both regions are marked, and come through where squares are not resized."""
    width, gap = 640, 72
    strip_left = width - round(width / 3)
    photo = np.zeros((48, width, 3), dtype=np.uint8)
    ends = {"train": (0, strip_left - gap - 1), "test": (strip_left, width - 1)}
    for split, columns in ends.items():
        for number, column in enumerate(columns):
            photo[:, column] = {"train": 50, "test": 150}[split] + 50 * number
    painted(marked=photo)
    splits = load_photos(settings("photos", 48, 3), RawData(Path()))
    found = {split: set(np.unique(images)) for split, images in splits.items()}
    assert found == {"train": {0, 50, 100}, "test": {0, 150, 200}}


@pytest.mark.parametrize(("size", "smallest", "largest"), [(8, 48, 144), (16, 48, 144), (48, 48, 144), (64, 64, 192)])
def test_sides_are_the_same_mix_in_both_splits(sides, size, smallest, largest):
    load_photos(settings("photos", size, 3), RawData(Path()))
    widths = np.array([width for width, _, _ in sides])
    every = np.array([side for _, side, _ in sides])
    assert len(every) == 7 * sum(NUM_SQUARES.values())
    assert (every.min(), every.max()) == (smallest, largest)
    assert {size for _, _, size in sides} == {size}
    for photo in np.split(np.arange(len(every)), 7):
        train, test = np.split(photo, [NUM_SQUARES["train"]])
        assert (every[photo] <= widths[photo]).all()
        shares = [np.quantile(every[part], np.linspace(0, 1, 9)) for part in (train, test)]
        np.testing.assert_allclose(*shares, atol=1)
        # Evenly spaced on a logarithmic scale; small photographs hold no squares of the largest sides.
        edges = np.geomspace(smallest, min(largest, widths[photo].min()), 9)
        np.testing.assert_allclose(shares[0], edges, atol=1)


def test_all_photos_give_equally_many_squares(painted):
    shapes = {name: photo.shape for name, photo in embedded_photos().items()}
    assert len(shapes) == 7
    painted(**{name: np.full(shape, 30 * i, np.uint8) for i, (name, shape) in enumerate(shapes.items())})
    for split, images in load_splits(settings("photos", 16, 3)).items():
        shades, counts = np.unique(images.mean(axis=(1, 2, 3)), return_counts=True)
        assert shades.tolist() == [0, 30, 60, 90, 120, 150, 180]
        assert set(counts) == {NUM_SQUARES[split]}


def test_photos_show_detail(photos):
    """What the notes of the photos state; hardly any two images are equal."""
    shares = {}
    for split, images in photos.items():
        assert images.shape == (7 * NUM_SQUARES[split], 16, 16, 3)
        assert len({image.tobytes() for image in images}) >= len(images) - 1
        shares[split] = (images.mean(axis=-1).std(axis=(1, 2)) / 255 < 0.02).mean()
    assert {split: round(100 * share) for split, share in shares.items()} == {"train": 5, "test": 12}
    black = {split: (images.max(axis=(1, 2, 3)) == 0).sum() for split, images in photos.items()}
    assert black == {"train": 0, "test": 1}
    assert find_copies(photos["train"], photos["test"]) == {"train": [], "test": []}


def test_photos_too_large_for_a_region(sides):
    for name, photo in embedded_photos().items():
        cut_photo(photo, name, 120)
    with pytest.raises(UserError) as error:
        load_photos(settings("photos", 121, 3), RawData(Path()))
    assert str(error.value) == (
        "source 'photos': squares of 121 pixels do not fit both the training region and the test strip of 'chelsea'; "
        "reduce image_size (all photos fit up to 120)"
    )
    with pytest.raises(UserError, match="reduce image_size"):
        load_photos(settings("photos", 4096, 3), RawData(Path()))


def test_any_prefix_is_a_fair_sample(digits, photos):
    """The order is shuffled: the first images have the mean of all, within four standard errors."""
    for splits in (digits, photos):
        for images in splits.values():
            means = images.mean(axis=(1, 2, 3))
            error = means.std() / np.sqrt(300)
            assert abs(means[:300].mean() - means.mean()) < 4 * error


def test_embedded_images_stay_the_same(digits, photos):
    np.random.seed(1)  # noqa: NPY002 (global state, which must not matter)
    for splits, digests in (
        (digits, ("421908d56dca3ae0", "e5ab25921f3c1719")),
        (photos, ("a4776f9d2b980717", "584752ac1e5f9b9b")),
        (load_splits(settings("photos", 64, 3)), ("d0d5a30a33ef26cd", "395c7e43d671d231")),
    ):
        assert tuple(hashlib.sha256(splits[split].tobytes()).hexdigest()[:16] for split in ("train", "test")) == digests
