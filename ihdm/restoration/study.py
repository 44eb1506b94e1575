"""Comparison of restoration methods on test images, each tuned on held-out images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.restoration import AnyProblem, BlurProblem, RestorationStudy
from ihdm.data.order import photograph_numbers
from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, Photographs, jackknife, mean_estimate
from ihdm.metrics.features import FeatureExtractor, extract
from ihdm.metrics.frechet_kernel import FrechetDistance, Moments
from ihdm.restoration import baselines
from ihdm.restoration.problems import Measured, Measurement, measurement
from ihdm.restoration.scores import errors_and_expected, psnr, spread, ssim
from ihdm.restoration.solvers import Restorer, is_reached, pairs
from ihdm.samples.generation import even_batches
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor, to_uint8

Draws = Float[Tensor, "image draw channel height width"]
Parameter = float | int | None
Statistic = Callable[[Int[np.ndarray, "part"]], float]

SHOWN = 3
"""Number of test images stored for figures: those of highest contrast."""
FRECHET_NAMES = {"inception": "fid"}
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
        values: candidates for its parameter; (None,) if it has none.
        draws: whether it is stochastic.
        restore: maps parameter, measurements, number of the first image and number of samples to images.
    """

    name: str
    values: tuple[Parameter, ...]
    draws: bool
    restore: Callable[[Any, Measured, int, int], Draws]


def methods(restorer: Restorer, problem: AnyProblem, how: Measurement, micro_batch: int) -> list[Method]:
    """Return the methods for a problem, baselines first.

    Args:
        restorer: the network.
        problem: the problem.
        how: its measurement.
        micro_batch: batch size of the network.
    """

    def once(restore: Callable[..., Tensor], *fixed: object) -> Callable[[Any, Measured, int, int], Draws]:
        def run(value: Parameter, measured: Measured, _first: int, _count: int) -> Draws:
            chosen = () if value is None else (value,)
            return restore(how, measured, *fixed, *chosen)[:, None]

        return run

    found = [Method("measurement", (None,), False, once(baselines.plain))]
    if problem.kind == "pooling":
        found.append(Method("bicubic", (None,), False, once(baselines.bicubic)))
    if problem.kind == "mask":
        found.append(Method("biharmonic", (None,), False, once(baselines.biharmonic)))
    if problem.kind == "blur":
        found.append(Method("richardson_lucy", LUCY_STEPS, False, once(baselines.richardson_lucy)))
    if problem.kind in ("blur", "noise"):
        found.append(Method("total_variation", TV_WEIGHTS, False, once(baselines.total_variation)))
    found.append(Method("wiener", POWERS, False, once(baselines.wiener, restorer.mean, restorer.power)))
    sampled = partial(_sampled, micro_batch)
    if problem.kind in ("blur", "noise") and restorer.process.settings.starts_from_images:
        num_levels = restorer.sampler.num_evaluations(restorer.process.num_levels)
        width = problem.width if isinstance(problem, BlurProblem) else 0.0

        def start(shift: float, measured: Measured, first: int, count: int) -> Draws:
            return sampled(partial(restorer.start, how, width, round(shift * num_levels)), measured, first, count)

        def one_shot(shift: float, measured: Measured, first: int, _count: int) -> Draws:
            return sampled(partial(restorer.one_shot, how, width, round(shift * num_levels)), measured, first, 1)

        def mode(weight: float, measured: Measured, first: int, _count: int) -> Draws:
            return sampled(lambda part, _: restorer.map(how, weight, part), measured, first, 1)

        found.append(Method("map", WEIGHTS, False, mode))
        if is_reached(restorer.process, width):
            found += [Method("one_shot", SHIFTS, False, one_shot), Method("start", SHIFTS, True, start)]

    def posterior(trust: float, measured: Measured, first: int, count: int) -> Draws:
        known = restorer.conditioners(how, trust)
        return sampled(partial(restorer.posterior, known, trust), measured, first, count)

    return [*found, Method("posterior", TRUST, True, posterior)]


def _sampled(micro_batch: int, restore: Callable[..., Tensor], measured: Measured, first: int, count: int) -> Draws:
    """Restore every measurement ``count`` times, in batches of equal size."""
    numbers = list(pairs(len(measured), count, first))
    parts = []
    for here, filled in even_batches(len(numbers), micro_batch):
        batch = torch.stack([measured[place // count] for place in filled])
        parts.append(restore(batch, [numbers[place] for place in filled])[:here])
    return torch.cat(parts).unflatten(0, (len(measured), count))


@dataclass(frozen=True)
class Restored:
    """Results of one method on one problem.

    Attributes:
        problem: name of the problem.
        method: name of the method.
        parameter: the chosen parameter; NaN without one.
        rows: scores.
        pictures: images for figures: a sample and, for stochastic methods, mean and deviation of samples.
    """

    problem: str
    method: str
    parameter: float
    rows: list[dict[str, object]]
    pictures: dict[str, np.ndarray]


def study(
    restorer: Restorer,
    test: StoredImages,
    settings: RestorationStudy,
    extractor: FeatureExtractor,
    report: Callable[[int], None] = lambda _done: None,
) -> Iterator[Restored]:
    """Restore test images by every method, and score them.

    The first ``num_images`` test images are scored. Each method's parameter has the best PSNR on the next
    ``num_validation`` images, for stochastic methods of the mean of samples: the PSNR of single samples would favor
    overconfident ones.

    Args:
        restorer: the network.
        test: at least ``num_images + num_validation`` test images.
        settings: problems and numbers.
        extractor: features for the Fréchet distance from the test images.
        report: called with the number of finished methods.
    """
    scored, count = test[: settings.num_images], settings.num_images
    held_out = test[count : count + settings.num_validation]
    shown = np.argsort(-(scored / 255).std(axis=(1, 2)).mean(axis=1), kind="stable")[:SHOWN]
    real = extract(extractor, np.asarray(test))
    photographs = photograph_numbers(count, len(test), settings.squares, "test")
    scores = _Scores(extractor, Moments.of(real[:]), photographs, settings)
    done = 0
    for name, problem in settings.problems.items():
        how = measurement(problem, test.shape[1])
        measured, tried = (
            how.measure(to_tensor(part), settings.seed, first) for part, first in ((scored, 0), (held_out, count))
        )
        yield _truth(name, how, measured, scored, shown, scores)
        for method in methods(restorer, problem, how, settings.micro_batch):
            num_draws = settings.num_draws if method.draws else 1
            value = _tuned(method, tried, held_out, count, num_draws)
            draws = method.restore(value, measured, 0, num_draws)
            rows = list(_rows(method, draws, how, measured, scored, scores))
            done += 1
            report(done)
            parameter = float("nan") if value is None else float(value)
            yield Restored(name, method.name, parameter, rows, _pictures(draws[shown.tolist()]))


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
    """Rows of scores, with errors over images, or over photographs if these are squares of them."""

    extractor: FeatureExtractor
    real: Moments
    """Of the test images."""
    photographs: Photographs | None
    settings: RestorationStudy

    def mean(self, metric: str, values: Float[np.ndarray, "image"]) -> dict[str, object]:
        return self._row(metric, mean_estimate(values, photographs=self.photographs))

    def of_images(self, metric: str, statistic: Statistic) -> dict[str, object]:
        return self._row(metric, self._resampled(statistic))

    def distance(self, pictures: Float[Tensor, "image channel height width"]) -> dict[str, object]:
        features = extract(self.extractor, to_uint8(pictures))
        found = self._resampled(FrechetDistance(features[:], self.real.gaussian).value)
        return self._row(FRECHET_NAMES.get(self.extractor.name, "frechet_distance"), found, self.extractor.name)

    def _resampled(self, statistic: Statistic) -> Estimate:
        count, resamples, seed = self.settings.num_images, self.settings.num_resamples, self.settings.seed
        return jackknife(statistic, count, resamples, seed, NOT_NEGATIVE, self.photographs)

    def _row(self, metric: str, estimate: Estimate, extractor: str = "") -> dict[str, object]:
        return {"metric": metric, "extractor": extractor, "n": self.settings.num_images, **estimate.columns()}


def _rows(
    method: Method, draws: Draws, how: Measurement, measured: Measured, truth: StoredImages, scores: _Scores
) -> Iterator[dict[str, object]]:
    """Yield the scores of one sample, and for stochastic methods of the mean of all."""
    true = truth / 255
    results = {"sample": draws[:, 0], "mean": draws.mean(dim=1)} if method.draws else {"estimate": draws[:, 0]}
    for result, pictures in results.items():
        arrays = _arrays(pictures)
        ratios = how.apply(pictures) - measured
        found: Mapping[str, np.ndarray] = {
            "psnr": psnr(arrays, true),
            "ssim": ssim(arrays, true),
            "consistency": ratios.flatten(1).square().mean(dim=1).sqrt().numpy() / how.noise,
        }
        for metric, values in found.items():
            yield {"result": result, **scores.mean(metric, values)}
        yield {"result": result, **scores.distance(pictures)}
    if method.draws:
        parts = errors_and_expected(_arrays(draws.flatten(0, 1)).reshape(*draws.shape[:2], *true.shape[1:]), true)
        yield {"result": "mean", **scores.of_images("spread", lambda part: spread(*(one[part] for one in parts)))}


def _truth(
    name: str,
    how: Measurement,
    measured: Measured,
    truth: StoredImages,
    shown: Int[np.ndarray, "_"],
    scores: _Scores,
) -> Restored:
    """Return the scores of the true images, and images of truth and measurement."""
    images = to_tensor(truth)
    misfit = (how.apply(images) - measured).flatten(1).square().mean(dim=1).sqrt().numpy() / how.noise
    rows = [
        {"result": "truth", **scores.mean("consistency", misfit)},
        {"result": "truth", **scores.distance(images)},
    ]
    seen = measured[shown.tolist()]
    picture = baselines.plain(how, seen) if how.pixels is None else how.shown(seen).float()
    pictures = {"truth": truth[shown] / 255, "measurement": _arrays(picture)}
    return Restored(name, "truth", float("nan"), rows, pictures)


def _pictures(draws: Draws) -> dict[str, np.ndarray]:
    found = {"sample": _arrays(draws[:, 0])}
    if draws.shape[1] > 1:
        found |= {"mean": _arrays(draws.mean(dim=1)), "deviation": _arrays(draws.std(dim=1))}
    return found


def _arrays(images: Float[Tensor, "image channel height width"]) -> np.ndarray:
    return images.permute(0, 2, 3, 1).double().clamp(0, 1).numpy()
