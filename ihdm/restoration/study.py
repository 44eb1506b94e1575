"""Comparison of restoration methods on test images, each tuned on held-out images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.restoration import AnyProblem, BlurProblem, RestorationStudy
from ihdm.data.order import photograph_numbers
from ihdm.heat import Images
from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, Photographs, jackknife, mean_estimate
from ihdm.metrics.features import FeatureExtractor, extract
from ihdm.metrics.frechet_kernel import FrechetDistance, Gaussian
from ihdm.restoration import baselines
from ihdm.restoration.problems import Measured, Measurement, Numbers, measurement
from ihdm.restoration.solvers import Restorer, is_reached
from ihdm.samples.generation import even_batches
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor, to_uint8

Draws = Float[Tensor, "image draw channel height width"]
Pictures = Float[np.ndarray, "image height width channel"]
Parameter = float | int | None
Rows = list[dict[str, object]]

SHOWN = 3
"""Number of test images stored for figures: those of highest contrast."""
LARGEST_WINDOW = 7
"""Side of the SSIM window in pixels; on smaller images the largest odd number that fits."""
TRUST = (0.25, 1.0, 4.0)
SHIFTS = (0.0, 0.1, 0.25, 0.5)
"""Additional steps of the solvers for blur, as fractions of all steps."""
WEIGHTS = (1.0, 8.0, 64.0, 512.0)
POWERS = (0.25, 1.0, 4.0)
LUCY_STEPS = (3, 10, 30, 100)
TV_WEIGHTS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2)


@dataclass(frozen=True)
class Method:
    """A restoration method.

    Attributes:
        name: its name.
        solve: maps parameter, measurements, and the number of each sample to images.
        values: candidates for its parameter.
        micro_batch: batch size of its network; None without one.
        draws: whether it is stochastic.
    """

    name: str
    solve: Callable[[Any, Measured, Numbers], Images]
    values: tuple[Parameter, ...] = (None,)
    micro_batch: int | None = None
    draws: bool = False

    def restore(self, value: Parameter, measured: Measured, first: int, num_draws: int) -> Draws:
        """Restore every measurement, in batches of equal size.

        Args:
            value: the parameter.
            measured: the measurements.
            first: number of the first image.
            num_draws: number of samples per measurement of a stochastic method; others have one.
        """
        count = num_draws if self.draws else 1
        numbers = list(product(range(first, first + len(measured)), range(count)))
        parts = []
        for here, filled in even_batches(len(numbers), self.micro_batch or len(numbers)):
            batch = torch.stack([measured[place // count] for place in filled])
            parts.append(self.solve(value, batch, [numbers[place] for place in filled])[:here])
        return torch.cat(parts).unflatten(0, (len(measured), count))


def methods(restorer: Restorer, problem: AnyProblem, how: Measurement, micro_batch: int) -> list[Method]:
    """Return the methods for a problem with this measurement, baselines first."""

    def plain(name: str, restore: Callable[..., Images]) -> Method:
        return Method(name, lambda _value, measured, _: restore(how, measured))

    def tuned(name: str, restore: Callable[..., Images], values: tuple[Parameter, ...]) -> Method:
        return Method(name, lambda value, measured, _: restore(how, measured, value), values)

    found = [plain("measurement", baselines.plain)]
    if problem.kind == "pooling":
        found.append(plain("bicubic", baselines.bicubic))
    if problem.kind == "mask":
        found.append(plain("biharmonic", baselines.biharmonic))
    if problem.kind == "blur":
        found.append(tuned("richardson_lucy", baselines.richardson_lucy, LUCY_STEPS))
    if problem.kind in ("blur", "noise"):
        found.append(tuned("total_variation", baselines.total_variation, TV_WEIGHTS))

    def wiener(how: Measurement, measured: Measured, scale: float) -> Images:
        return baselines.wiener(how, measured, restorer.mean, restorer.power, scale)

    found.append(tuned("wiener", wiener, POWERS))
    if problem.kind in ("blur", "noise") and restorer.process.settings.starts_from_images:
        num_levels = restorer.sampler.num_evaluations(restorer.process.num_levels)
        width = problem.width if isinstance(problem, BlurProblem) else 0.0

        def one_shot(shift: float, measured: Measured, numbers: Numbers) -> Images:
            return restorer.one_shot(how, width, round(shift * num_levels), measured, numbers)

        def start(shift: float, measured: Measured, numbers: Numbers) -> Images:
            return restorer.start(how, width, round(shift * num_levels), measured, numbers)

        def mode(weight: float, measured: Measured, _: Numbers) -> Images:
            return restorer.map(how, weight, measured)

        found.append(Method("map", mode, WEIGHTS, micro_batch))
        if is_reached(restorer.process, width):
            found.append(Method("one_shot", one_shot, SHIFTS, micro_batch))
            found.append(Method("start", start, SHIFTS, micro_batch, draws=True))

    conditioner = lru_cache(1)(partial(restorer.conditioner, how))  # of large matrices, the same for all batches

    def posterior(trust: float, measured: Measured, numbers: Numbers) -> Images:
        return restorer.posterior(conditioner(trust), measured, numbers)

    return [*found, Method("posterior", posterior, TRUST, micro_batch, draws=True)]


def study(
    restorer: Restorer,
    test: StoredImages,
    settings: RestorationStudy,
    extractor: FeatureExtractor,
    report: Callable[[int], None] = lambda _done: None,
) -> Iterator[tuple[Rows, dict[str, Pictures]]]:
    """Restore test images by every method; yield the scores of each, and images for figures by problem/method/kind.

    The first ``num_images`` test images are scored. Each method's parameter has the best PSNR on the next
    ``num_validation`` images, for stochastic methods of the mean of samples: the PSNR of single samples would favor
    overconfident ones. The parameter is NaN without one. The images are a sample and, for stochastic methods, mean and
    deviation of samples.

    Args:
        restorer: the network.
        test: at least ``num_images + num_validation`` test images.
        settings: problems and numbers.
        extractor: features for the Fréchet distance from the test images.
        report: called with the number of finished methods.
    """
    scored, count = test[: settings.num_images], settings.num_images
    held_out = test[count : count + settings.num_validation]
    shown = np.argsort(-(scored / 255).std(axis=(1, 2)).mean(axis=1), kind="stable")[:SHOWN].tolist()
    real = Gaussian.of(extract(extractor, np.asarray(test))[:])
    photographs = photograph_numbers(count, len(test), settings.squares, "test")
    done = 0
    for name, problem in settings.problems.items():
        how = measurement(problem, test.shape[1])
        measured, tried = (
            how.measure(to_tensor(part), settings.seed, first) for part, first in ((scored, 0), (held_out, count))
        )
        scores = _Scores(extractor, real, photographs, settings, how, measured, scored / 255)
        seen = measured[shown]
        picture = baselines.plain(how, seen) if how.pixels is None else how.shown(seen).float()
        found = {"truth": scored[shown] / 255, "measurement": _arrays(picture)}
        yield _labeled(name, "truth", None, scores.of_truth(to_tensor(scored)), found)
        for method in methods(restorer, problem, how, settings.micro_batch):
            value = _tuned(method, tried, held_out, count, settings.num_draws)
            draws = method.restore(value, measured, 0, settings.num_draws)
            rows = scores.of_draws(draws) if method.draws else scores.of_images("estimate", draws[:, 0])
            done += 1
            report(done)
            found = {"sample": _arrays(draws[shown, 0])}
            if draws.shape[1] > 1:
                found |= {"mean": _arrays(draws[shown].mean(dim=1)), "deviation": _arrays(draws[shown].std(dim=1))}
            yield _labeled(name, method.name, value, rows, found)


def _labeled(
    problem: str, method: str, value: Parameter, rows: Rows, pictures: dict[str, Pictures]
) -> tuple[Rows, dict[str, Pictures]]:
    labels = {"problem": problem, "method": method, "parameter": float("nan") if value is None else float(value)}
    return [labels | row for row in rows], {f"{problem}/{method}/{name}": part for name, part in pictures.items()}


def num_methods(restorer: Restorer, settings: RestorationStudy, image_size: int) -> int:
    """Return the number of methods of a study, over all problems."""
    problems = settings.problems.values()
    return sum(len(methods(restorer, one, measurement(one, image_size), 1)) for one in problems)


def _tuned(method: Method, measured: Measured, truth: StoredImages, first: int, num_draws: int) -> Parameter:
    """Return the value with the best PSNR of the mean of samples on validation images."""
    if len(method.values) == 1:
        return method.values[0]

    def quality(value: Parameter) -> float:
        return float(psnr(_arrays(method.restore(value, measured, first, num_draws).mean(dim=1)), truth / 255).mean())

    return max(method.values, key=quality)


@dataclass(frozen=True)
class _Scores:
    """Rows of scores on a problem, with errors over images, or over photographs if these are squares of them."""

    extractor: FeatureExtractor
    real: Gaussian
    """Of the features of test images."""
    photographs: Photographs | None
    settings: RestorationStudy
    how: Measurement
    measured: Measured
    truth: Pictures

    def of_truth(self, images: Images) -> Rows:
        """Return the scores of the true images."""
        return self._rows("truth", {"consistency": self._consistency(images)}, images)

    def of_images(self, result: str, images: Images) -> Rows:
        """Return the scores of restored images."""
        found = _arrays(images)
        means = {
            "psnr": psnr(found, self.truth),
            "ssim": ssim(found, self.truth),
            "consistency": self._consistency(images),
        }
        return self._rows(result, means, images)

    def of_draws(self, draws: Draws) -> Rows:
        """Return the scores of one sample, of the mean of all, and of their spread."""
        flat = _arrays(draws.flatten(0, 1))
        parts = errors_and_expected(flat.reshape(*draws.shape[:2], *self.truth.shape[1:]), self.truth)
        found = self._resampled(lambda part: spread(*(one[part] for one in parts)))
        mean = self.of_images("mean", draws.mean(dim=1))
        return [*self.of_images("sample", draws[:, 0]), *mean, self._row("mean", "spread", found)]

    def _consistency(self, images: Images) -> Float[np.ndarray, "image"]:
        misfit = self.how.apply(images) - self.measured
        return misfit.flatten(1).square().mean(dim=1).sqrt().numpy() / self.how.noise

    def _rows(self, result: str, means: Mapping[str, Float[np.ndarray, "image"]], images: Images) -> Rows:
        """Return the means of scores of each image, and the Fréchet distance of all."""
        name = self.extractor.name
        distance = FrechetDistance(extract(self.extractor, to_uint8(images))[:], self.real)
        metric = "fid" if name == "inception" else "frechet_distance"
        return [
            *(
                self._row(result, score, mean_estimate(values, photographs=self.photographs))
                for score, values in means.items()
            ),
            self._row(result, metric, self._resampled(distance.value), name),
        ]

    def _resampled(self, statistic: Callable[[Int[np.ndarray, "part"]], float]) -> Estimate:
        count, resamples, seed = self.settings.num_images, self.settings.num_resamples, self.settings.seed
        return jackknife(statistic, count, resamples, seed, NOT_NEGATIVE, self.photographs)

    def _row(self, result: str, metric: str, estimate: Estimate, extractor: str = "") -> dict[str, object]:
        labels = {"result": result, "metric": metric, "extractor": extractor, "n": self.settings.num_images}
        return {**labels, **estimate.columns()}


def _arrays(images: Images) -> Pictures:
    return images.permute(0, 2, 3, 1).double().clamp(0, 1).numpy()


def psnr(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the peak signal-to-noise ratio of each image in dB, −10 log₁₀ of the mean squared error in [0, 1]."""
    error = np.square(found.astype(np.float64) - truth).mean(axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(error, 1e-12))


def ssim(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the structural similarity of each image (Wang et al., 2004), by scikit-image."""
    from skimage.metrics import structural_similarity

    window = min(LARGEST_WINDOW, min(found.shape[1:3]) - (1 - min(found.shape[1:3]) % 2))
    return np.array(
        [
            structural_similarity(one, other, win_size=window, data_range=1.0, channel_axis=-1)
            for one, other in zip(found.astype(np.float64), truth.astype(np.float64), strict=True)
        ]
    )


def errors_and_expected(
    draws: Float[np.ndarray, "image draw height width channel"], truth: Pictures
) -> tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]:
    """Return the mean squared error of the mean of n samples, and (1 + 1/n) times their mean variance.

    Both have the same expectation for samples of the true posterior, as the truth is then one more sample.
    """
    count = draws.shape[1]
    error = np.square(draws.mean(axis=1) - truth).mean(axis=(1, 2, 3))
    return error, (1 + 1 / count) * draws.var(axis=1, ddof=1).mean(axis=(1, 2, 3))


def spread(errors: Float[np.ndarray, "image"], expected: Float[np.ndarray, "image"]) -> float:
    """Return the ratio of the sums over images: 1 for calibrated samples, larger for overconfident ones.

    A mean of ratios would be biased upward, as few samples estimate the variance of an image poorly.
    """
    return float(errors.sum() / max(expected.sum(), 1e-12))
