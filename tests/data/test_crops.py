from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.data.order import photograph_numbers
from ihdm.data.sources import load_splits, obtain_raw
from ihdm.errors import UserError


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures of one color each, with a brighter right half."""
    for number in range(10):
        pixels = np.full((40, 60 + number, 3), 20 * number, dtype=np.uint8)
        pixels[:, 30:] += 50
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def settings(folder, **options):
    return DatasetSettings(source="folder", path=str(folder), image_size=16, image_channels=3, **options)


def load(chosen):
    return load_splits(chosen, obtain_raw(chosen, Path()))


def test_each_picture_gives_so_many_squares(pictures):
    splits = load(settings(pictures, crops=7))
    assert splits["train"].shape == (63, 16, 16, 3)
    assert splits["test"].shape == (7, 16, 16, 3)
    # A square has the colors of its picture alone, dark and bright.
    shades = {split: [int(np.median(image)) for image in images] for split, images in splits.items()}
    assert max(shades["test"]) - min(shades["test"]) <= 55
    assert max(shades["train"]) - min(shades["train"]) > 150


def test_every_square_is_of_the_picture_with_its_number(tmp_path):
    for number in range(10):
        Image.fromarray(np.full((40, 60, 3), 20 * number, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    images = load(settings(tmp_path, crops=7))["train"]
    numbers = photograph_numbers(50, len(images), 7, "train")
    assert len(set(zip(images[:50, 0, 0, 0].tolist(), numbers.tolist(), strict=True))) == 9


def test_whole_images_and_squares_of_one_picture_are_independent():
    assert photograph_numbers(10, 10, 1, "test") is None
    assert photograph_numbers(10, 10, 10, "test") is None
    assert photograph_numbers(2, 10, 5, "test") is None  # leaving one out leaves one image
    with pytest.raises(UserError, match="the 11 images of split 'test' are not 5 squares of each photograph"):
        photograph_numbers(10, 11, 5, "test")


def test_many_photographs_are_joined_to_groups():
    assert set(photograph_numbers(1000, 1000, 10, "train").tolist()) == set(range(20))


def test_squares_are_of_many_sizes_and_places(pictures):
    """Where the border between the halves is, differs; some squares lie on one side of it."""
    images = load(settings(pictures, crops=40))["train"]
    borders = [int((image[8, :, 0] > image[8, 0, 0] + 25).argmax()) for image in images]
    assert len(set(borders)) > 8
    assert borders.count(0) > 20


def test_the_same_pictures_give_the_same_squares(pictures):
    first, second = (load(settings(pictures, crops=3))["train"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_prefix_is_of_many_pictures(pictures):
    images = load(settings(pictures, crops=50))["train"]
    assert len({int(image.min()) for image in images[:45]}) > 6


def test_broken_images_are_reported_or_left_out(pictures, capsys):
    (pictures / "0.png").write_bytes(b"nothing")
    (pictures / "1.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"images of split '\w+' cannot be used: [01].png .* or set skip_broken"):
        load(settings(pictures, crops=3))
    splits = load(settings(pictures, crops=3, skip_broken=True))
    assert sum(len(images) for images in splits.values()) == 24
    assert "skipped" in capsys.readouterr().err


def test_only_folders_are_cut():
    with pytest.raises(UserError, match="source 'digits' takes no 'crops'; only folder does"):
        load_splits(DatasetSettings(source="digits", image_size=8, image_channels=1, crops=3))
    with pytest.raises(ValueError, match="crops cannot be combined"):
        settings("pictures", crops=3, resize="squash")
