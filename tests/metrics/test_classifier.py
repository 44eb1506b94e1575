"""Features of a classifier of the digits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ihdm.config.settings import DatasetSettings
from ihdm.data.sources import load_labels, load_splits
from ihdm.errors import UserError
from ihdm.metrics import classifier
from ihdm.metrics.classifier import ClassifierFeatures
from ihdm.metrics.extractors import fit_extractor, load_extractor
from ihdm.metrics.frechet_kernel import kernel_distance, mean_over_pairs
from ihdm.storage.arrays import save_arrays

DIGITS = DatasetSettings(source="digits", image_size=8, image_channels=1)
IMAGES = load_splits(DIGITS)
LABELS = load_labels(DIGITS, Path())


@pytest.fixture
def make(ihdm, tmp_path) -> Callable[[], Path]:
    """Train a classifier of the digits by the command."""

    def run() -> Path:
        np.save(tmp_path / "train.npy", IMAGES["train"])
        save_arrays(tmp_path / "labels.npz", **LABELS)
        ihdm("metrics", "extractor", "--settings", '{"kind": "classifier"}', "--train", tmp_path / "train.npy",
            "--labels", tmp_path / "labels.npz", "--output", tmp_path / "extractor.npz")  # fmt: skip
        return tmp_path / "extractor.npz"

    return run


@pytest.fixture(scope="module")
def digits() -> ClassifierFeatures:
    return ClassifierFeatures.fit(IMAGES["train"], LABELS["train"])


def test_the_classifier_knows_digits(digits):
    assert digits.accuracy(IMAGES["test"], LABELS["test"]) > 0.9
    features = digits.transform(IMAGES["train"])
    assert features.shape == (1297, 64)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 1, rtol=1e-3)


def test_distances_see_a_missing_class(digits):
    """With as many images; a fair half of the test images is as near as real images are."""
    train, test = digits.transform(IMAGES["train"]), digits.transform(IMAGES["test"])
    without = test[LABELS["test"] != 3][:250]
    fair = test[:250]
    to_train = partial(kernel_distance, reference=train, reference_mean=mean_over_pairs(train))
    assert to_train(without).value > 3 * abs(to_train(fair).value)


def test_labels_without_meaning_are_noticed(monkeypatch, capsys):
    monkeypatch.setattr(classifier, "MIN_STEPS", 8)
    fit_extractor("classifier", IMAGES["train"], labels=np.roll(LABELS["train"], 1))
    printed = capsys.readouterr().out
    assert "of the training images are classified correctly; the largest class has 10" in printed
    assert "warning: these labels hardly follow from the images" in printed


def test_it_is_stored_and_read(make, monkeypatch):
    """The same images give the same weights."""
    monkeypatch.setattr(classifier, "MIN_STEPS", 8)
    monkeypatch.setattr(classifier, "EPOCHS", 1)
    path, expected = make(), ClassifierFeatures.fit(IMAGES["train"], LABELS["train"])
    read = load_extractor(path, IMAGES["test"][:1])
    assert (read.name, read.sha256) == (expected.name, expected.sha256)
    np.testing.assert_array_equal(read.transform(IMAGES["test"]), expected.transform(IMAGES["test"]))
    with pytest.raises(UserError, match="its classifier is for images of 8×8×1; these are 8×8×3"):
        load_extractor(path, np.zeros((1, 8, 8, 3), np.uint8))
    stored = dict(np.load(path))
    save_arrays(path, **(stored | {"network.classes.weight": stored["network.classes.weight"][:, :5]}))
    with pytest.raises(UserError, match=r"extractor\.npz: it has no weights of a classifier"):
        load_extractor(path, IMAGES["test"][:1])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES["train"], None, "the extractor 'classifier' needs labels of the training images"),
        (
            IMAGES["train"],
            LABELS["test"],
            r"labels of shape \(500,\) and type int64 do not belong to 1297 training images",
        ),
        (IMAGES["train"], LABELS["train"] - 1, "one integer per image, 0 or more"),
        (IMAGES["train"], 0 * LABELS["train"], "all training images have the same label"),
        (
            IMAGES["train"][:20],
            LABELS["train"][:20],
            "needs 128 training images of 8 pixels or more; there are 20 of 8",
        ),
        (IMAGES["train"][:, :4, :4], LABELS["train"], "there are 1297 of 4"),
    ],
)
def test_what_cannot_be_trained(images, labels, message):
    with pytest.raises(UserError, match=message):
        fit_extractor("classifier", images, labels=labels)
