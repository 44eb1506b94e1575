"""Features of a small classifier that is trained on the labels of a data set.

For small images of objects such as clothes, where networks trained on photographs are of little use. Its features are
not Inception's, so no distance in them is an FID.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ihdm.data.source import Labels
from ihdm.errors import UserError
from ihdm.metrics.features import Features, weights_sha256
from ihdm.seeds import generator, torch_seed
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor

NUM_FEATURES = 64
EPOCHS = 4
MIN_STEPS = 300
"""Small data sets have more epochs."""
BATCH = 128
LEARNING_RATE = 3e-3
"""Peak learning rate of the one-cycle schedule (Smith and Topin, 2019)."""
SMALLEST = 8
"""Pixels per side; the network halves images twice."""


class Classifier(nn.Module):
    """Three convolutions and two linear layers, 41 000 parameters with one channel and ten classes.

    Args:
        channels: channels of the images.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((channels, 16, 1), (16, 32, 2), (32, 64, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, padding=1), nn.BatchNorm2d(after), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 64, NUM_FEATURES))
        # Without weights, so that every feature has unit variance over the training images.
        self.norm = nn.BatchNorm1d(NUM_FEATURES, affine=False)
        self.classes = nn.Linear(NUM_FEATURES, classes)

    def forward(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        """Return the logits of images in [0, 1]."""
        logits: Tensor = self.classes(functional.silu(self.features(images)))
        return logits

    def features(self, images: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch feature"]:
        """Return the values before the last layer."""
        values: Tensor = self.norm(self.layers(images))
        return values


WEIGHTS = tuple(Classifier(1, 2).state_dict())
"""Names of a classifier's weights."""


class ClassifierFeatures:
    """The 64 values before the last layer of a classifier, with zero mean and unit variance over its training images.

    Args:
        weights: the classifier's state by name.
        image_shape: height, width and channels of its training images.

    Raises:
        UserError: if they are not those of a classifier.
    """

    name = f"classifier{NUM_FEATURES}"

    def __init__(self, weights: Mapping[str, np.ndarray], image_shape: Sequence[int]) -> None:
        try:
            self._network = Classifier(int(image_shape[-1]), len(weights["classes.bias"]))
            self._network.load_state_dict({name: torch.as_tensor(value) for name, value in weights.items()})
        except (KeyError, IndexError, TypeError, RuntimeError) as error:
            raise UserError(f"it has no weights of a classifier ({str(error).splitlines()[0]})") from None
        self._network.eval()
        self.image_shape = tuple(map(int, image_shape))
        self.weights = dict(weights)
        self.sha256 = weights_sha256(*(weights[name] for name in sorted(weights)))

    @classmethod
    def fit(
        cls, images: StoredImages, labels: Labels, report: Callable[[int], None] = lambda _done: None
    ) -> "ClassifierFeatures":
        """Train a classifier; the same images and labels give the same weights on the same CPU.

        Args:
            images: the training images.
            labels: their classes, integers from 0.
            report: called with the number of finished steps, of :func:`num_steps`.

        Raises:
            UserError: if labels are no classes of these images, or there are too few images, or too small ones.
        """
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise UserError(
                f"labels of shape {labels.shape} and type {labels.dtype} do not belong to {len(images)} training "
                "images; they must be one integer per image, 0 or more"
            )
        if len(np.unique(labels)) < 2:
            raise UserError("all training images have the same label; a classifier needs two classes or more")
        if len(images) < BATCH or images.shape[1] < SMALLEST:
            raise UserError(
                f"a classifier needs {BATCH} training images of {SMALLEST} pixels or more; there are {len(images)} of "
                f"{images.shape[1]}; use another extractor"
            )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(torch_seed(0, "classifier"))
            network = Classifier(images.shape[-1], int(labels.max()) + 1)
        optimizer = torch.optim.Adam(network.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=num_steps(len(images)) + 1)
        for step, batch in enumerate(_batches(len(images)), start=1):
            logits = network(to_tensor(images[batch]))
            loss = functional.cross_entropy(logits, torch.as_tensor(labels[batch], dtype=torch.long))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            report(step)
        network.eval()
        weights = {name: value.numpy() for name, value in network.state_dict().items()}
        # The moving averages of training lag behind.
        values = _apply(network.layers, images).astype(np.float64)
        statistics = {"norm.running_mean": values.mean(axis=0), "norm.running_var": values.var(axis=0)}
        weights |= {name: value.astype(np.float32) for name, value in statistics.items()}
        return cls(weights, images.shape[1:])

    def transform(self, images: StoredImages) -> Features:
        """Return one float32 vector of 64 values per image."""
        return _apply(self._network.features, images)

    def accuracy(self, images: StoredImages, labels: Labels) -> float:
        """Return the share of images that are classified correctly."""
        return float((_apply(self._network, images).argmax(axis=1) == labels).mean())


def num_steps(count: int) -> int:
    """Return the number of training steps on so many images."""
    return _num_epochs(count) * (count // BATCH)


def _num_epochs(count: int) -> int:
    return max(EPOCHS, -(-MIN_STEPS // max(1, count // BATCH)))


def _apply(network: Callable[[Tensor], Tensor], images: StoredImages) -> Features:
    with torch.no_grad():
        parts = [network(to_tensor(images[first : first + BATCH])) for first in range(0, len(images), BATCH)]
    values: Features = torch.cat(parts).numpy()
    return values


def _batches(count: int) -> Iterator[np.ndarray]:
    """Yield the positions of each batch, ascending because memory-mapped arrays are read faster in order."""
    for epoch in range(_num_epochs(count)):
        order = generator(0, "classifier's order", epoch).permutation(count)
        for first in range(0, count - BATCH + 1, BATCH):
            yield np.sort(order[first : first + BATCH])
