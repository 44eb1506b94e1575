"""Made-up results, of the shapes that the pipeline's have, for every figure to be drawn from."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

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
from ihdm.measures.paths import SIGMAS, shown_paths
from ihdm.metrics.features import StoredFeatures

ROOT = Path(__file__).parents[2]
GRAY, COLOR = (8, 8, 1), (16, 16, 3)
BANDS = 6
EXTRACTORS = {"digits": "dct", "photos": "pca"}


@pytest.fixture(scope="session")
def quick(tmp_path_factory) -> Config:
    return with_sweeps(tmp_path_factory.mktemp("scale") / "quick.yaml")


def with_sweeps(path: Path) -> Config:
    """Return the quick scale, where more is swept; it is written to ``path``."""
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
        return write_inputs(tmp_path, quick, figure, experiments)

    return write


@pytest.fixture
def draw() -> Iterator[Callable[[str, Inputs], Figure]]:
    """Draw a figure in the style of all."""
    set_style()
    yield lambda figure, inputs: importlib.import_module(f"ihdm.figures.{figure}").draw(inputs)
    plt.close("all")


def write_inputs(
    folder: Path, config: Config, figure: str, experiments: tuple[str, ...], shape: tuple[int, int, int] | None = None
) -> Inputs:
    """Write each file by the function of its name; images are of ``shape``, or as those of their set."""
    config = config.model_copy(update={"figures": {figure: experiments}})
    inputs: Inputs = {}
    for key, path in figure_inputs(figure, config).items():
        kind, experiment, ratio = (*key.split(":"), "")[:3]
        variant = config.variants[experiment]
        output = folder / path
        output.parent.mkdir(parents=True, exist_ok=True)
        maker = next(function for ending, function in MAKERS.items() if ending in f"/{path}")
        images = Images(shape or (COLOR if variant.dataset == "photos" else GRAY), experiment)
        maker(output, images, list(config.variants.values()) if path in JOINT else [variant])
        inputs.setdefault(kind, {}).setdefault(experiment, {})[ratio] = output
    return inputs


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


def table(path: Path, **columns: object) -> None:
    pd.DataFrame(columns).to_csv(path, index=False)


def trajectories(path: Path, images: Images, _: list[Variant]) -> None:
    levels = np.arange(40, -1, -4)
    end, start = images(32), images(32, blur=0.4)
    share = (levels / 40)[:, None, None, None, None]
    states = share * start + (1 - share) * end
    np.savez(path, levels=levels, states=states, estimates=states[:-1])


def images_of_a_set(path: Path, images: Images, _: list[Variant]) -> None:
    np.save(path, stored(images(60, blur=0.4 if path.stem == "starts" else 0.1)))


def starts_noises(path: Path, images: Images, _: list[Variant]) -> None:
    np.save(path, images(8, 1, blur=0.4) / 2 + images(8, 16) / 2)


def tree(path: Path, images: Images, _: list[Variant]) -> None:
    shown = images(4, 8)
    for row in range(3):
        shown[row] = images(2**row, blur=0.4 - 0.1 * row).repeat(8 // 2**row, axis=0)
    np.savez(path, levels=[40, 24, 12], leaves=images(5, 8), shown=stored(shown))


def hierarchy(path: Path, _images: Images, _: list[Variant]) -> None:
    levels = np.array([40, 24, 12])
    table(path, split=range(3), level=levels, fraction=levels / 40, null=0.3, **estimate(0.2 * levels / 40, 0.03))


def interpolations(path: Path, images: Images, _: list[Variant]) -> None:
    share = np.linspace(0, 1, 10)[None, :, None, None, None]
    np.save(path, (1 - share) * images(4, 1) + share * images(4, 1))


def interpolation(path: Path, _images: Images, _: list[Variant]) -> None:
    value = np.array([1.3, 1.6, 1.9, 2.4])
    spaces, quantities = ["pixels", "features"] * 2, ["path_ratio"] * 2 + ["largest_step"] * 2
    table(path, space=spaces, quantity=quantities, null=4 * value, **estimate(value, 0.2))


def sums(path: Path, images: Images, _: list[Variant]) -> None:
    blurs = (0.4, 0.25, 0.15, 0.05)
    np.savez(path, edges=[40, 30, 20, 10, 0], sums=np.stack([images(6, blur=blur) - 0.5 for blur in blurs]))


def cumulative_sums(path: Path, _images: Images, _: list[Variant]) -> None:
    ranges, bands = (grid.ravel() for grid in np.mgrid[:4, :BANDS])
    value = np.exp(-((bands - ranges) ** 2) / 2)
    levels = {"level_from": 40 - 10 * ranges, "level_to": 30 - 10 * ranges}
    table(path, range=ranges, **levels, band=bands, frequency=(bands + 0.5) / 2, **estimate(value / 2.5, 0.03))


def gradients(path: Path, images: Images, _: list[Variant]) -> None:
    size = images.shape[0]
    pixels = np.stack(np.meshgrid(*[np.arange(1, 4) * size // 4] * 2, indexing="ij"), axis=-1).reshape(9, 2)
    point = np.zeros((5, 9, 4, size, size), dtype=np.float32)
    point[:, np.arange(9), :, pixels[:, 0], pixels[:, 1]] = 1
    found = (
        np.stack([gaussian_filter(map_, 3 - stage / 2, axes=(-2, -1)) for stage, map_ in enumerate(point)]) - point / 20
    )
    np.savez(path, levels=[40, 30, 20, 10, 1], pixels=pixels, residual=found, clean=-found)


def input_gradients(path: Path, _images: Images, _: list[Variant]) -> None:
    stages, radii = (grid.ravel() for grid in np.mgrid[:5, 1:4])
    quantities = [f"within_{radius}" for radius in radii]
    value = 1 - np.exp(-radii * (1 + stages) / 5)
    levels = np.array([40, 30, 20, 10, 1])[stages]
    table(
        path, stage=stages, level=levels, output="residual", quantity=quantities, null=0.05 * radii**2,
        **estimate(value, 0.03),
    )  # fmt: skip


def features(path: Path, images: Images, variants: list[Variant]) -> None:
    values = images.random.standard_normal((60, 16)).astype(np.float32)
    StoredFeatures(values, EXTRACTORS[variants[0].dataset], "0" * 64).save(path)


def memorisation(path: Path, images: Images, variants: list[Variant]) -> None:
    extractor = EXTRACTORS[variants[0].dataset]
    spaces, sets = ["pixels", extractor] * 2, ["samples"] * 2 + ["test"] * 2
    n_reference = variants[0].experiment.num_train or 60
    table(
        path, set=sets, extractor=spaces, metric="nearest_distance", n_reference=n_reference, **estimate(1.5, 0.1)
    )  # fmt: skip


def generation(path: Path, _images: Images, _: list[Variant]) -> None:
    frequency = np.append((np.arange(BANDS) + 0.5) / 2, np.nan)
    value = np.append(np.linspace(0.3, 0.9, BANDS), 0.97)
    table(path, band=[*map(str, range(BANDS)), "order"], frequency=frequency, level=20, **estimate(value, 0.02))


def disentanglement(path: Path, _images: Images, variants: list[Variant]) -> None:
    blur = getattr(variants[0].experiment.process, "blur_sigma_max", 4.0)
    start = np.array([0.95, 1 / blur])
    rest = (1 - start) / 2
    shares = {"start": start, "noise": rest, "interaction": rest}
    errors = {f"{source}_error": 0.3 * share * (1 - share) for source, share in shares.items()}
    table(path, quantity=["mean colour", "structure"], **shares, **errors)


def sweep(path: Path, _images: Images, variants: list[Variant]) -> None:
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
    pd.DataFrame(rows).to_csv(path, index=False)


def milestones(path: Path, _images: Images, variants: list[Variant]) -> None:
    """Distances fall with the steps, and the power rises to one."""
    steps = np.array([550, 1100, 2200])
    parts = [
        pd.DataFrame({"dataset": variants[0].dataset, "step": steps, "metric": metric, **estimate(value, 0.05)})
        for metric, value in (
            ("frechet_distance", 1 + 500 / steps),
            ("kernel_distance", 0.1 + 50 / steps),
            ("relative_power_highest", 1 - 200 / steps),
        )
    ]
    pd.concat(parts).to_csv(path, index=False)


def distance(path: Path, _images: Images, _: list[Variant]) -> None:
    """Of samples, and of real images."""
    parts = [
        pd.DataFrame({"set": found, "metric": ["frechet_distance", "kernel_distance"], **estimate(value, 0.05)})
        for found, value in (("samples", np.array([1.2, 0.12])), ("train", np.array([0.5, 0.01])))
    ]
    pd.concat(parts).to_csv(path, index=False)


def paths(path: Path, _images: Images, _: list[Variant]) -> None:
    np.savez(path, **shown_paths())


def path_measures(path: Path, _images: Images, _: list[Variant]) -> None:
    sigmas, levels, merged = (grid.ravel() for grid in np.meshgrid(SIGMAS, range(5, 101, 5), [True, False]))
    value = 2 / (1 + np.exp(-(levels / 100 - 0.8 + 3 * sigmas) * 12)) * np.where(merged, 1, 0.9)
    quantities = np.where(merged, "merged", "branched")
    table(path, sigma=sigmas, level=levels, fraction=levels / 100, quantity=quantities, **estimate(value, 0.05))


def asymptotics(path: Path, _images: Images, _: list[Variant]) -> None:
    def part(name: str, value: np.ndarray, **columns: object) -> pd.DataFrame:
        return pd.DataFrame({"part": name, "num_levels": 40, **columns, **estimate(value, 0.05)})

    levels, ratios, bands = (grid.ravel() for grid in np.meshgrid([10, 20, 30], [1, 2**0.5], range(4), indexing="ij"))
    toy_ratios, live = (grid.ravel() for grid in np.meshgrid([1, 1.25, 2**0.5, 1.6], ["live", "dead"]))
    network_power = 1 + (ratios - 2**0.5) / 2 + bands * levels / 400
    parts = [
        part("toy_loss", 1 + 10 / np.array([10, 100, 1000]), num_levels=[10, 100, 1000]),
        part("network_losses", 1 + 8 / np.array([5, 10, 20, 40]), num_levels=[5, 10, 20, 40]),
        part("network_loss", 1.3 - np.arange(5) / 20, level=[8, 16, 24, 32, 40]),
        part("toy_langevin", toy_ratios / 2**0.5 + (live == "dead"), delta_ratio=toy_ratios, band=live),
        part("network_langevin", network_power, level=levels, delta_ratio=ratios, band=bands),
    ]
    pd.concat(parts).to_csv(path, index=False)


MEASUREMENTS = {
    "deblurring": ("measurement", "richardson_lucy", "total_variation", "wiener", "one_shot", "map"),
    "super_resolution": ("measurement", "bicubic", "wiener"),
}


def restoration(path: Path, images: Images, _: list[Variant]) -> None:
    """Scores, or pictures of one: Wiener is the best without a network."""
    if path.suffix == ".npz":
        pictures: dict[str, np.ndarray] = {}
        for problem, methods in MEASUREMENTS.items():
            truth = np.clip(images(3), 0, 1)
            coarse = truth[:, ::2, ::2] if problem == "super_resolution" else truth
            pictures |= {f"{problem}/truth/truth": truth, f"{problem}/truth/measurement": coarse}
            pictures |= {f"{problem}/{method}/sample": truth for method in methods}
            for kind in ("sample", "mean", "deviation"):
                pictures[f"{problem}/posterior/{kind}"] = truth / 5 if kind == "deviation" else truth
        np.savez(path, **pictures)
        return
    rows = []
    for problem, methods in MEASUREMENTS.items():
        results = [(method, "estimate") for method in methods] + [("posterior", "sample"), ("posterior", "mean")]
        for place, (method, result) in enumerate(results):
            value = 30.0 if method == "wiener" else 20.0 + place
            for metric in ("psnr", "ssim"):
                row = {"experiment": "digits", "problem": problem, "method": method, "result": result, "metric": metric}
                rows.append(row | estimate(value, 1.0))
    pd.DataFrame(rows).to_csv(path, index=False)


MAKERS: dict[str, Callable[[Path, Images, list[Variant]], None]] = {
    "/trajectories.npz": trajectories,
    "/features/": features,
    "/memorisation/": memorisation,
    "/generation/": generation,
    "/disentanglement/": disentanglement,
    "/sweep.csv": sweep,
    "/milestones/": milestones,
    "/distance/": distance,
    "/paths/toy.npz": paths,
    "/paths/toy.csv": path_measures,
    "/asymptotics/": asymptotics,
    "/tree.npz": tree,
    "/restoration/": restoration,
    "/hierarchy/": hierarchy,
    "/interpolations.npy": interpolations,
    "/interpolation/": interpolation,
    "/sums.npz": sums,
    "/cumulative_sums/": cumulative_sums,
    "/gradients.npz": gradients,
    "/input_gradients/": input_gradients,
    "/samples.npy": images_of_a_set,
    "/starts.npy": images_of_a_set,
    "/train.npy": images_of_a_set,
    "/starts_noises.npy": starts_noises,
}
JOINT = ("metrics/sweep.csv",)
"""Of all experiments of the scale together."""
