import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ihdm.data.decoding import halve_and_crop, resize_and_crop, squash

SIZES = st.integers(8, 70)


def noise(width, height, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@given(width=st.integers(32, 150), height=st.integers(32, 150), size=st.sampled_from([8, 16, 31, 32]))
@settings(max_examples=60, deadline=None)
def test_lsun_is_resized_as_torchvision_does(width, height, size):
    from torchvision.transforms import CenterCrop, Compose, Resize

    picture = noise(width, height)
    expected = Compose([Resize(size), CenterCrop(size)])(picture)
    np.testing.assert_array_equal(np.asarray(resize_and_crop(picture, size)), np.asarray(expected))


def test_halving_is_the_mean_of_two_by_two_pixels():
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    # Pillow rounds after the rows and again after the columns.
    once = pixels.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(np.asarray(halve_and_crop(Image.fromarray(pixels), 32), dtype=float), once, atol=1.01)
    twice = np.asarray(halve_and_crop(Image.fromarray(pixels), 16), dtype=float)
    np.testing.assert_allclose(twice, pixels.reshape(16, 4, 16, 4).mean(axis=(1, 3)), atol=2.01)


def test_between_one_and_two_times_the_filter_is_bicubic():
    picture = noise(60, 50)
    expected = picture.resize((round(60 * 32 / 50), 32), Image.Resampling.BICUBIC).crop((3, 0, 35, 32))
    np.testing.assert_array_equal(np.asarray(halve_and_crop(picture, 32)), np.asarray(expected))


@pytest.mark.parametrize("resize", [halve_and_crop, resize_and_crop])
@given(width=st.integers(9, 200), height=st.integers(9, 200), size=st.integers(4, 9))
@settings(max_examples=60, deadline=None)
def test_the_result_is_a_square_of_the_size_asked_for(resize, width, height, size):
    assert resize(noise(width, height), size).size == (size, size)


@pytest.mark.parametrize("resize", [halve_and_crop, resize_and_crop])
def test_the_middle_is_kept(resize):
    pixels = np.zeros((32, 96), dtype=np.uint8)
    pixels[:, 32:64] = 255
    assert (np.asarray(resize(Image.fromarray(pixels), 32)) == 255).all()
    assert (np.asarray(resize(Image.fromarray(pixels.T.copy()), 32)) == 255).all()


@pytest.mark.parametrize("resize", [halve_and_crop, resize_and_crop])
def test_a_picture_of_the_right_size_is_left_alone(resize):
    np.testing.assert_array_equal(np.asarray(resize(noise(24, 24), 24)), np.asarray(noise(24, 24)))


def test_squashing_is_what_clean_fid_does_but_for_fractions_of_grey_levels():
    from cleanfid.resize import make_resizer

    picture = noise(60, 40)
    released = make_resizer("PIL", False, "bicubic", (16, 16))(np.asarray(picture))
    np.testing.assert_allclose(np.asarray(squash(picture, 16), dtype=float), released, atol=1.01)


def test_squashing_keeps_what_cutting_leaves_out():
    pixels = np.zeros((32, 96), dtype=np.uint8)
    pixels[:, 32:64] = 255
    squashed = np.asarray(squash(Image.fromarray(pixels), 32))
    assert squashed.shape == (32, 32)
    assert squashed.mean() == pytest.approx(255 / 3, rel=0.02)
