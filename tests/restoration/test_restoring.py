"""Restoration with a model folder, in parts; commands have the whole of it in tests/commands/test_standalone.py."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ihdm.portable.restoring import Restored, restorer_of, write_restored
from ihdm.portable.scheduler import IHDMScheduler

SIZE = 8


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.jpg", "b.png"], ["a.png", "b.png"]),
        (["a.jpg", "a.png", "b.jpg"], ["a.jpg.png", "a.png.png", "b.png"]),
        (["a.jpg", "a.png", "a.jpg.png"], ["a.jpg.png", "a.png.png", "a.jpg.png.png"]),
        (["one/a.jpg", "two/a.png"], ["one/a.png", "two/a.png"]),
    ],
)
def test_no_picture_is_written_over_another(names, expected, tmp_path):
    shades = torch.linspace(0, 1, len(names))[:, None, None, None, None]
    draws = shades.expand(-1, 2, 1, SIZE, SIZE)
    write_restored(Restored(None, draws[:, 0], draws), names, tmp_path / "restored")
    for kind in ("mean", "sample"):
        folder = tmp_path / "restored" / kind
        assert {str(path.relative_to(folder)) for path in folder.rglob("*.png")} == set(expected)
        found = [np.asarray(Image.open(folder / name)).mean() / 255 for name in expected]
        assert found == pytest.approx(shades.flatten().tolist(), abs=0.01)


def test_the_process_is_on_the_cpu_and_the_network_where_the_pipeline_is(restorer, images):
    """On ``meta`` here, where tensors hold nothing."""
    made = restorer("diffusion", evaluations=5)

    def remote(states, levels):
        assert {states.device.type, levels.device.type} == {"meta"}
        return torch.zeros(states.shape)

    pipeline = SimpleNamespace(
        calibration=SimpleNamespace(table=lambda: made.calibration),
        scheduler=IHDMScheduler({"kind": "diffusion", "num_levels": 25, "clip": False}),
        image_shape=(1, SIZE, SIZE),
        deblurrer=lambda precision: remote,
        device=torch.device("meta"),
        prior=None,
    )
    restoring = restorer_of(pipeline, 5, 0)
    assert restoring.process.device == torch.device("cpu")
    assert restoring.network(images, torch.ones(len(images))).device.type == "cpu"
