"""Image files of a user's own: which are found, how each is decoded, and how it is resized."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, decode_image, decode_picture, halve_and_crop, resize_and_crop, squash
from ihdm.data.files import find_images
from ihdm.data.sources import load_splits, obtain_raw
from ihdm.errors import UserError
from ihdm.portable.own import version_of


def dataset(source, size, channels=3, **more):
    return DatasetSettings(source=source, image_size=size, image_channels=channels, **more)


def load(settings, root):
    return load_splits(settings, obtain_raw(settings, root))


RAMP = np.linspace(0, 1, 400).reshape(20, 20)


def pgm(maxval, kind="P5"):
    values = np.rint(RAMP * maxval).astype(int)
    body = values.astype(">u2").tobytes() if kind == "P5" else " ".join(map(str, values.ravel())).encode()
    return b"%s\n20 20\n%d\n" % (kind.encode(), maxval) + body


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("content", [pgm(65535), pgm(4095), pgm(65535, "P2"), pgm(4095, "P2")])
def test_gray_maps_are_scaled_by_their_largest_value(content, channels):
    pixels = decode_image(content, dataset("folder", 20, channels, path="x"), halve_and_crop).pixels
    np.testing.assert_allclose(pixels, np.repeat(RAMP[..., None] * 255, channels, axis=2), atol=1)


@pytest.mark.parametrize(("dtype", "kind"), [(np.int32, "32-bit integer"), (np.float32, "floating-point")])
def test_values_without_a_range_are_refused(dtype, kind):
    content = saved(Image.fromarray((RAMP * 1000).astype(dtype)), "TIFF")
    with pytest.raises(BrokenImageError, match=f"{kind} values have no fixed range"):
        decode_picture(content, dataset("folder", 20, 1, path="x"))


def test_a_transparent_16_bit_gray_becomes_white():
    values = np.full((20, 20), 3000, np.uint16)
    values[:10] = 1000
    content = saved(Image.fromarray(values), "PNG", transparency=1000)
    picture, was_transparent = decode_picture(content, dataset("folder", 20, 1, path="x"))
    assert was_transparent
    assert (np.asarray(picture)[:10] == 255).all()
    assert (np.asarray(picture)[10:] == 3000 >> 8).all()


def exif_that_cannot_be_written():
    """Orientation 6, and a resolution as text, which makes Pillow's own transposition fail."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, 6) + struct.pack("<HHII", 0x011A, 2, 5, 38)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + bytes(4) + b"72/1\0"


def test_odd_metadata_does_not_matter():
    top = Image.new("L", (40, 40), 0)
    top.paste(255, (0, 0, 20, 40))
    content = saved(top, "JPEG", exif=exif_that_cannot_be_written())
    picture, _ = decode_picture(content, dataset("folder", 20, 1, path="x"))
    assert np.asarray(picture)[:18].mean() > 250
    assert np.asarray(picture)[22:].mean() < 5


@pytest.mark.parametrize("channels", [1, 3])
def test_lab_images_are_read(channels):
    content = saved(Image.new("LAB", (20, 20), (128, 128, 128)), "TIFF")
    pixels = np.asarray(decode_picture(content, dataset("folder", 20, channels, path="x"))[0])
    assert (np.abs(pixels.astype(int) - 119) < 4).all()  # L* = 50


@pytest.mark.parametrize("error", [RuntimeError("bad"), TypeError("bad"), OverflowError("bad"), AssertionError("bad")])
def test_whatever_pillow_raises_is_a_broken_image(error, monkeypatch):
    def fail(_stream):
        raise error

    monkeypatch.setattr("ihdm.data.decoding.Image.open", fail)
    with pytest.raises(BrokenImageError, match=r"^bad$"):
        decode_picture(b"", dataset("folder", 20, 1, path="x"))


def test_opaque_strips_are_the_whole(monkeypatch):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 30, 4), dtype=np.uint8))
    whole = np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
    monkeypatch.setattr("ihdm.data.decoding.STRIP_PIXELS", 100)
    picture, was_transparent = decode_picture(saved(image, "PNG"), dataset("folder", 20, 3, path="x"))
    assert was_transparent
    assert np.array_equal(np.asarray(picture), whole)


def test_images_too_large_for_memory_are_halved_or_refused(monkeypatch):
    """JPEG is decoded at half its size; other formats would take too much memory before they could be made smaller."""
    image = Image.fromarray(np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)).convert("RGB")
    monkeypatch.setattr("ihdm.data.decoding.MOST_PIXELS", 2000)
    picture, _ = decode_picture(saved(image, "JPEG"), dataset("folder", 16, 3, path="x"))
    assert picture.size == (32, 32)
    assert np.asarray(picture).mean() == pytest.approx(np.asarray(image).mean(), abs=1)
    with pytest.raises(BrokenImageError, match=r"^64×64 pixels, more than the .* that fit into memory; make it"):
        decode_picture(saved(image.quantize(4), "PNG"), dataset("folder", 16, 3, path="x"))


def test_only_the_first_frame_is_used():
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        picture, _ = decode_picture(content, dataset("folder", 20, 3, path="x"))
        assert np.asarray(picture)[10, 10, 0] > 200, kind


def test_every_file_is_used_or_counted(make, tmp_path, capsys, monkeypatch):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    make.folder(folder / "album.jpg", 3)
    make.folder(elsewhere, 2)
    (folder / "linked").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (elsewhere / "back").symlink_to(folder / "album.jpg")
    make.picture(7).save(folder / "a.jfif", "JPEG")
    make.picture(8).save(folder / "b.JPE", "JPEG")
    for name in ("c.heic", "d.heic", "e.txt", "f"):
        (folder / name).write_text("")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "locked").mkdir()
    scan = os.scandir

    def scandir(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", scandir)
    found = find_images(folder)
    assert len(found.names) == 7
    assert sorted(name for name in found.names if "/" not in name) == ["a.jfif", "b.JPE"]
    assert sum(name.startswith("linked/") for name in found.names) == 2
    assert found.unused == {
        ".heic": 2, ".txt": 1, "without extension": 1, "not a regular file": 2, "unreadable folder": 1
    }  # fmt: skip
    load(dataset("folder", 20, path=str(folder)), tmp_path)
    assert f"{folder}: 7 image files are used; not used: 2 .heic, 2 not a regular file" in capsys.readouterr().out
    make.folder(tmp_path / "few", 1)
    (tmp_path / "few/x.heic").write_text("")
    with pytest.raises(UserError, match=r"has 1 image files \(not used: 1 \.heic\)"):
        load(dataset("folder", 20, path="few"), tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"), [(b"caf\xe9.png", r"caf\udce9.png"), (b"two\nlines.png", r"two\nlines.png")]
)
def test_odd_names_are_read_and_shown_in_one_line(name, shown, make, tmp_path):
    folder = tmp_path / "mine"
    make.folder(folder, 3)
    path = folder / os.fsdecode(name)
    make.picture(9).save(path)
    settings = dataset("folder", 20, path=str(folder))
    (files, at) = next(
        (images, images.names.index(path.name))
        for images in load(settings, tmp_path).values()
        if path.name in images.names
    )
    assert files.name(at) == shown
    assert files.decode(at).pixels.shape == (20, 20, 3)
    assert len(version_of(settings, folder)) == 64
    assert len(load(settings.model_copy(update={"crops": 2}), tmp_path)["train"]) >= 4


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
