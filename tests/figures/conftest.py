"""Made-up results, of the shapes that the pipeline's have, for every figure to be drawn from."""

import importlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from ihdm.config.experiments import Variant
from ihdm.config.reading import read_config
from ihdm.config.scale import Config
from ihdm.figures import Inputs, figure_inputs
from ihdm.figures.style import set_style
from ihdm.measures.data_spectrum import power_law_rows
from ihdm.measures.paths import SIGMAS, shown_paths
from ihdm.metrics.features import StoredFeatures

ROOT = Path(__file__).parents[2]
GRAY, COLOR = (8, 8, 1), (16, 16, 3)
BANDS = 6
EXTRACTORS = {"digits": "dct", "photos": "pca"}


@pytest.fixture(scope="session")
def quick(tmp_path_factory) -> Config:
    """The quick scale, where more is swept."""
    path = tmp_path_factory.mktemp("scale") / "quick.yaml"
    content = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    swept = {
        "blur_sigma_max": {"digits": [2.0, 8.0], "photos": [6.0]},
        "num_train": {"digits": [100, 400], "digits_diffusion": [100, 400], "photos": [500]},
    }
    for parameter, values in swept.items():
        content["sweeps"].setdefault(parameter, {}).update(values)
    path.write_text(yaml.safe_dump(content))
    return read_config(path)


@pytest.fixture
def made_up(tmp_path, quick) -> Callable[..., Inputs]:
    """Write what a figure of some experiments of the quick scale is drawn from, and return where it is."""

    def write(figure: str, *experiments: str) -> Inputs:
        config = quick.model_copy(update={"figures": {figure: experiments}})
        inputs: Inputs = {}
        for key, path in figure_inputs(figure, config).items():
            kind, experiment, ratio = (*key.split(":"), "")[:3]
            variant = config.variants[experiment]
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            make = next(function for pattern, function in MAKERS.items() if fnmatch(f"/{path}", f"*{pattern}*"))
            images = Images(COLOR if variant.dataset == "photos" else GRAY, experiment)
            store(tmp_path / path, make(images, list(config.variants.values()) if path in JOINT else [variant]))
            inputs.setdefault(kind, {}).setdefault(experiment, {})[ratio] = tmp_path / path
        return inputs

    return write


JOINT = ("metrics/sweep.csv",)
"""Of all experiments of the scale together."""


def store(path: Path, content: Any) -> None:
    if isinstance(content, StoredFeatures):
        content.save(path)
    elif path.suffix == ".csv":
        pd.DataFrame(content).to_csv(path, index=False)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        np.save(path, content)


@pytest.fixture
def draw() -> Iterator[Callable[[str, Inputs], Figure]]:
    """Draw a figure in the style of all."""
    set_style()
    yield lambda figure, inputs: importlib.import_module(f"ihdm.figures.{figure}").draw(inputs)
    plt.close("all")


class Images:
    """Soft blobs of one shape."""

    def __init__(self, shape: tuple[int, int, int], name: str) -> None:
        self.shape = shape
        self.random = np.random.default_rng(len(name))

    def __call__(self, *counts: int, blur: float = 0.1) -> np.ndarray:
        """Return float32 images about [0, 1]; the blur is a share of the width."""
        noise = self.random.standard_normal((*counts, *self.shape))
        smooth = gaussian_filter(noise, blur * self.shape[0], axes=(-3, -2))
        return (0.5 + 0.2 * smooth / smooth.std()).astype(np.float32)


def stored(images: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def estimate(value: np.ndarray | float, error: float) -> dict[str, object]:
    return {"n": 8, "value": value, "standard_error": error / 2, "low": value - error, "high": value + error}


Maker = Callable[[Images, list[Variant]], Any]
LEVELS, STEPS = np.array([40, 24, 12]), np.array([550, 1100, 2200])
FREQUENCIES = (np.arange(BANDS) + 0.5) / 2
RANGE, BAND = (grid.ravel() for grid in np.mgrid[:4, :BANDS])
SIGMA, LEVEL, IS_MERGED = (grid.ravel() for grid in np.meshgrid(SIGMAS, range(5, 101, 5), [True, False]))
DISTANCES = ["frechet_distance", "kernel_distance"]

MAKERS: dict[str, Maker] = {
    "/samples.npy": lambda images, _: stored(images(60)),
    "/train.npy": lambda images, _: stored(images(60)),
    "/test.npy": lambda images, _: stored(images(5)),
    "/data_spectrum/": lambda images, _: power_law_rows(stored(images(60)), 20, 0),
    "/starts.npy": lambda images, _: stored(images(60, blur=0.4)),
    "/starts_noises.npy": lambda images, _: images(8, 1, blur=0.4) / 2 + images(8, 16) / 2,
    "/sums.npz": lambda images, _: {
        "edges": [40, 30, 20, 10, 0],
        "sums": np.stack([images(6, blur=blur) - 0.5 for blur in (0.4, 0.25, 0.15, 0.05)]),
    },
    "/paths/toy.npz": lambda *_: shown_paths(),
    "/paths/toy.csv": lambda *_: {
        "sigma": SIGMA, "level": LEVEL, "fraction": LEVEL / 100, "quantity": np.where(IS_MERGED, "merged", "branched"),
        **estimate(2 / (1 + np.exp(-(LEVEL / 100 - 0.8 + 3 * SIGMA) * 12)) * np.where(IS_MERGED, 1, 0.9), 0.05),
    },
    "/features/": lambda images, variants: StoredFeatures(
        images.random.standard_normal((60, 16)).astype(np.float32), EXTRACTORS[variants[0].dataset], "0" * 64
    ),
    "/memorisation/": lambda _, variants: {
        "set": ["samples"] * 2 + ["test"] * 2, "extractor": ["pixels", EXTRACTORS[variants[0].dataset]] * 2,
        "metric": "nearest_distance", "n_reference": variants[0].experiment.num_train or 60, **estimate(1.5, 0.1),
    },
    "/hierarchy/": lambda *_: {
        "split": range(3), "level": LEVELS, "fraction": LEVELS / 40, "null": 0.3, **estimate(0.2 * LEVELS / 40, 0.03),
    },
    "/interpolation/": lambda *_: {
        "space": ["pixels", "features"] * 2, "quantity": ["path_ratio"] * 2 + ["largest_step"] * 2,
        "null": [5.2, 6.4, 7.6, 9.6], **estimate(np.array([1.3, 1.6, 1.9, 2.4]), 0.2),
    },
    "/cumulative_sums/": lambda *_: {
        "range": RANGE, "level_from": 40 - 10 * RANGE, "level_to": 30 - 10 * RANGE, "band": BAND,
        "frequency": FREQUENCIES[BAND], **estimate(np.exp(-((BAND - RANGE) ** 2) / 2) / 2.5, 0.03),
    },
    "/generation/": lambda *_: {
        "band": [*map(str, range(BANDS)), "order"], "frequency": np.append(FREQUENCIES, np.nan), "level": 20,
        **estimate(np.append(np.linspace(0.3, 0.9, BANDS), 0.97), 0.02),
    },
    # Distances fall with the steps, and the power rises to one.
    "/milestones/": lambda _, variants: {
        "dataset": variants[0].dataset, "step": np.tile(STEPS, 3),
        "metric": np.repeat([*DISTANCES, "relative_power_highest"], 3),
        **estimate(np.concatenate([1 + 500 / STEPS, 0.1 + 50 / STEPS, 1 - 200 / STEPS]), 0.05),
    },
    # Of samples, and of real images.
    "/distance/": lambda *_: {
        "set": ["samples"] * 2 + ["train"] * 2, "metric": DISTANCES * 2,
        **estimate(np.array([1.2, 0.12, 0.5, 0.01]), 0.05),
    },
}  # fmt: skip
"""What makes the content of files by a part of their path: an array, arrays by name, or columns of a table."""


def makes(*patterns: str) -> Callable[[Maker], Maker]:
    def add(function: Maker) -> Maker:
        MAKERS.update(dict.fromkeys(patterns, function))
        return function

    return add


@makes("/trajectories.npz")
def trajectories(images, _):
    levels = np.arange(40, -1, -4)
    end, start = images(32), images(32, blur=0.4)
    share = (levels / 40)[:, None, None, None, None]
    states = share * start + (1 - share) * end
    return {"levels": levels, "states": states, "estimates": states[:-1]}


@makes("/tree.npz")
def tree(images, _):
    shown = images(4, 8)
    for row in range(3):
        shown[row] = images(2**row, blur=0.4 - 0.1 * row).repeat(8 // 2**row, axis=0)
    return {"levels": [40, 24, 12], "leaves": images(5, 8), "shown": stored(shown)}


@makes("/interpolations.npy")
def interpolations(images, _):
    share = np.linspace(0, 1, 10)[None, :, None, None, None]
    return (1 - share) * images(4, 1) + share * images(4, 1)


@makes("/gradients.npz")
def gradients(images, _):
    size = images.shape[0]
    pixels = np.stack(np.meshgrid(*[np.arange(1, 4) * size // 4] * 2, indexing="ij"), axis=-1).reshape(9, 2)
    point = np.zeros((5, 9, 4, size, size), dtype=np.float32)
    point[:, np.arange(9), :, pixels[:, 0], pixels[:, 1]] = 1
    smooth = [gaussian_filter(map_, 3 - stage / 2, axes=(-2, -1)) for stage, map_ in enumerate(point)]
    found = np.stack(smooth) - point / 20
    return {"levels": [40, 30, 20, 10, 1], "pixels": pixels, "residual": found, "clean": -found}


@makes("/input_gradients/")
def input_gradients(_images, _):
    stages, radii = (grid.ravel() for grid in np.mgrid[:5, 1:4])
    columns = {"stage": stages, "level": np.array([40, 30, 20, 10, 1])[stages], "output": "residual"}
    columns |= {"quantity": [f"within_{radius}" for radius in radii], "null": 0.05 * radii**2}
    return columns | estimate(1 - np.exp(-radii * (1 + stages) / 5), 0.03)


@makes("/disentanglement/")
def disentanglement(_images, variants):
    start = np.array([0.95, 1 / getattr(variants[0].experiment.process, "blur_sigma_max", 4.0)])
    shares = {"start": start, "noise": (1 - start) / 2, "interaction": (1 - start) / 2}
    errors = {f"{source}_error": 0.3 * share * (1 - share) for source, share in shares.items()}
    return {"quantity": ["mean colour", "structure"], **shares, **errors}


@makes("/sweep.csv")
def sweep(_images, variants):
    """Distance falls with the number of training images and δ/σ, and near images come with fewer of them."""
    rows = []
    for place, variant in enumerate(variants):
        process, number = variant.experiment.process, variant.experiment.num_train or 1000
        features = EXTRACTORS[variant.dataset]
        known = {
            "dataset": variant.dataset, "experiment": variant.name, "base": variant.base, "swept": variant.swept,
            "num_train": number, "num_levels": process.num_levels, "sigma": getattr(process, "sigma", None),
            "blur_sigma_max": getattr(process, "blur_sigma_max", None), "seed": variant.experiment.seed,
            "set": "samples", "n": 100,
        }  # fmt: skip
        for ratio in variant.delta_ratios:
            known |= {"delta_ratio": ratio, "metric": "frechet_distance", "extractor": features}
            rows.append(known | {"value": 3 + place / 4 + 100 / number + ratio, "standard_error": 0.2})
        known |= {"delta_ratio": variant.delta_ratio, "metric": "frechet_distance_held_out", "extractor": features}
        rows.append(known | {"value": 4 + place / 4 + 100 / number, "standard_error": 0.2})
        known |= {"metric": "share_near"}
        for extractor in ("pixels", features):
            rows.append(known | {"extractor": extractor, "value": min(1, 30 / number), "standard_error": 0.03})
    return rows


@makes("/asymptotics/")
def asymptotics(_images, _):
    def part(name: str, value: np.ndarray, **columns: object) -> pd.DataFrame:
        return pd.DataFrame({"part": name, "num_levels": 40, **columns, **estimate(value, 0.05)})

    levels, ratios, bands = (grid.ravel() for grid in np.meshgrid([10, 20, 30], [1, 2**0.5], range(4), indexing="ij"))
    toy_ratios, live = (grid.ravel() for grid in np.meshgrid([1, 1.25, 2**0.5, 1.6], ["live", "dead"]))
    network_power = 1 + (ratios - 2**0.5) / 2 + bands * levels / 400
    return pd.concat([
        part("toy_loss", 1 + 10 / np.array([10, 100, 1000]), num_levels=[10, 100, 1000]),
        part("network_losses", 1 + 8 / np.array([5, 10, 20, 40]), num_levels=[5, 10, 20, 40]),
        part("network_loss", 1.3 - np.arange(5) / 20, level=[8, 16, 24, 32, 40]),
        part("toy_langevin", toy_ratios / 2**0.5 + (live == "dead"), delta_ratio=toy_ratios, band=live),
        part("network_langevin", network_power, level=levels, delta_ratio=ratios, band=bands),
    ])  # fmt: skip


MEASUREMENTS = {
    "deblurring": ("measurement", "richardson_lucy", "total_variation", "wiener", "one_shot", "map"),
    "super_resolution": ("measurement", "bicubic", "wiener"),
}


@makes("/restoration/*.npz")
def restored(images, _):
    found: dict[str, np.ndarray] = {}
    for problem, methods in MEASUREMENTS.items():
        truth = np.clip(images(3), 0, 1)
        coarse = truth[:, ::2, ::2] if problem == "super_resolution" else truth
        found |= {f"{problem}/truth/truth": truth, f"{problem}/truth/measurement": coarse}
        found |= {f"{problem}/{method}/sample": truth for method in methods}
        found |= {f"{problem}/posterior/sample": truth, f"{problem}/posterior/mean": truth}
        found[f"{problem}/posterior/deviation"] = truth / 5
    return found


@makes("/restoration/*.csv")
def restoration_scores(_images, _):
    """Wiener is the best without a network."""
    rows = []
    for problem, methods in MEASUREMENTS.items():
        results = [(method, "estimate") for method in methods] + [("posterior", "sample"), ("posterior", "mean")]
        for place, (method, result) in enumerate(results):
            known = {"experiment": "digits", "problem": problem, "method": method, "result": result}
            found = estimate(30.0 if method == "wiener" else 20.0 + place, 1.0)
            rows += [{**known, "metric": metric, **found} for metric in ("psnr", "ssim")]
    return rows
