"""Made-up results, of the shapes that the pipeline's have, for every figure to be drawn from."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from ihdm.config.experiments import Variant
from ihdm.config.reading import read_config
from ihdm.config.scale import Config
from ihdm.figures import Inputs, figure_inputs
from ihdm.figures.style import set_style

ROOT = Path(__file__).parents[2]
GREY, COLOUR = (8, 8, 1), (16, 16, 3)
BANDS = 6


@pytest.fixture(scope="session")
def quick() -> Config:
    return read_config(ROOT / "workflow/config/quick.yaml")


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
        images = Images(shape or (COLOUR if variant.dataset == "photos" else GREY), experiment)
        maker(output, images, [config.variants[name] for name in experiments] if path in JOINT else [variant])
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


MAKERS: dict[str, Callable[[Path, Images, list[Variant]], None]] = {
    "/trajectories.npz": trajectories,
    "/samples.npy": images_of_a_set,
    "/starts.npy": images_of_a_set,
    "/train.npy": images_of_a_set,
    "/starts_noises.npy": starts_noises,
}
JOINT = ("metrics/sweep.csv",)
"""Of all experiments together."""
