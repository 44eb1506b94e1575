"""Shapes and types written in annotations are checked while the tests run."""

from collections.abc import Callable, Iterator
from pathlib import Path

from jaxtyping import install_import_hook

CHECKED = (
    "calibration",
    "heat",
    "likelihood",
    "models.batches",
    "models.training",
    "models.network",
    *("measures.cumulative_sums", "measures.data_spectrum", "measures.disentanglement", "measures.forward"),
    *("measures.generation", "measures.hierarchy", "measures.input_gradients", "measures.interpolation"),
    *("measures.minimum", "measures.paths", "measures.psd"),
    "metrics",
    "objective",
    "prior",
    "processes",
    "samplers",
    "samples",
    "sampling",
    "storage.images",
    "storage.tensors",
)
install_import_hook([f"ihdm.{module}" for module in CHECKED], "beartype.beartype")

import contextlib  # noqa: E402
import gc  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
import yaml  # noqa: E402
from filelock import FileLock  # noqa: E402
from torch import Tensor  # noqa: E402

from ihdm.__main__ import main  # noqa: E402
from ihdm.config.settings import DatasetSettings  # noqa: E402
from ihdm.data.sources import load_splits  # noqa: E402
from ihdm.processes import Process  # noqa: E402

torch.set_num_threads(1)
# Libraries have many permanent objects, which every garbage collection would scan again.
gc.set_threshold(50_000)

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests/golden"


ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


class SmokeRun(threading.Thread):
    """One run of the pipeline at the smoke scale for all workers, beside the tests that do not need it.

    The first worker to take the lock runs Snakemake; the others wait and read how it ended.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.results = Path(os.environ.get("IHDM_SMOKE", folder)) / "results"
        self.outcome = "the smoke run did not end"

    def run(self) -> None:
        ended = self.folder / "ended"
        while True:
            # A test of this worker may let go of root's permissions for a moment, which holds for all threads.
            with contextlib.suppress(PermissionError), FileLock(self.folder / "lock"):
                if not ended.exists():
                    try:
                        ended.write_text(self.snakemake())
                    except Exception as error:
                        ended.write_text(f"the smoke run failed: {error!r}")
                self.outcome = ended.read_text()
                return
            time.sleep(0.1)

    def snakemake(self) -> str:
        """Run it and return what it printed if it failed."""
        self.results.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text()) | {"results": str(self.results)}
        config_file = self.results.with_suffix(".yaml")
        config_file.write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", str(config_file)]
        imports = self.results.parent / "imports"
        imports.mkdir(exist_ok=True)
        paths = os.pathsep.join(filter(None, [str(ROOT / "tests/traced"), os.environ.get("PYTHONPATH")]))
        traced = ENVIRONMENT | {"PYTHONPATH": paths, "IHDM_IMPORTS": str(imports)}
        finished = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=traced, timeout=1800)
        return f"exit status {finished.returncode}\n{finished.stderr}" if finished.returncode else ""


def needs_smoke_run(item: pytest.Item) -> bool:
    return "smoke_results" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with tests of the smoke run last, as it takes minutes; workers share tests by file."""
    waiting = {item.path for item in items if needs_smoke_run(item)}
    items.sort(key=lambda item: item.path in waiting)


@pytest.fixture(scope="session", autouse=True)
def smoke_run(request, tmp_path_factory) -> Iterator[SmokeRun]:
    """The run, which begins with the first test if any test needs it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # which all workers share
    run = SmokeRun(folder / "smoke")
    if any(map(needs_smoke_run, request.session.items)):
        run.folder.mkdir(exist_ok=True)
        run.start()
    yield run
    if run.is_alive():
        run.join()  # another worker needs it


@pytest.fixture(scope="session")
def smoke_results(smoke_run) -> Path:
    """The results of one run of the pipeline at the smoke scale, which no test may change; its configuration beside."""
    smoke_run.join()
    assert smoke_run.outcome == "", smoke_run.outcome
    return smoke_run.results


@pytest.fixture(scope="session")
def digits() -> dict[str, np.ndarray]:
    """The splits of the embedded digits, which no test may change."""
    return load_splits(DatasetSettings(source="digits", image_size=8, image_channels=1))


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """The splits of the embedded photographs at 16 pixels, which no test may change."""
    return load_splits(DatasetSettings(source="photos", image_size=16, image_channels=3))


@pytest.fixture
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Load the reference values of one kind; see golden/README.md."""

    def load(name: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as stored:
            return dict(stored)

    return load


@pytest.fixture
def linear_network() -> Callable[[int], Callable[[Tensor, Tensor], Tensor]]:
    """The network of the reference values, f(u, k) = −0.05 u + 0.01 k / K, for a given K."""
    return lambda num_levels: lambda images, levels: -0.05 * images + 0.01 * levels.view(-1, 1, 1, 1) / num_levels


@pytest.fixture(scope="session")
def exact_network() -> Callable[..., Callable[[Tensor, Tensor], Tensor]]:
    """The network of a process whose estimate is a given one.

    It is told by the DCT coefficients of the image, in the process's range, as a function of those of u_k and of k.
    """

    def make(process: Process, posterior_mean: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def scale(level: int) -> Tensor:
            return torch.as_tensor(np.exp(process.log_scale(level)), dtype=torch.float32)

        def network(noisy: Tensor, levels: Tensor) -> Tensor:
            level = int(levels[0])
            coefficients = process.transform(noisy)
            image = posterior_mean(coefficients, level)
            if process.settings.own_prediction == "residual":
                return process.inverse(scale(level - 1) * image - coefficients)
            return process.inverse(coefficients - scale(level) * image) / process.deviation(level)

        return network

    return make


@pytest.fixture(scope="session")
def ihdm() -> Callable[..., None]:
    """Run a command as ``python -m ihdm`` does; one that fails raises SystemExit."""

    def run(*arguments: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["ihdm", *map(str, arguments)])
            try:
                main()
            except SystemExit as end:
                if end.code:
                    raise

    return run


@pytest.fixture
def ihdm_fails(ihdm) -> Callable[..., str]:
    """Run a command that must fail for the user's fault; return its one line."""

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as caught:
            ihdm(*arguments)
        message = str(caught.value)
        assert message.startswith("ihdm: ")
        assert "\n" not in message
        return message

    return run
