"""Damaged pipeline folders are refused with one line that names the file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ihdm.errors import UserError
from ihdm.portable.folder import read
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import MixturePrior, StoredStatistics
from ihdm.predictions import Statistics

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def saved(train, tmp_path) -> Callable[[IHDMPipeline], Path]:
    """Save a pipeline with statistics of its training images."""

    def save(pipeline: IHDMPipeline) -> Path:
        pipeline.register_modules(statistics=StoredStatistics.of(Statistics.of(train)))
        pipeline.save_pretrained(tmp_path / "model")
        return tmp_path / "model"

    return save


@pytest.fixture
def folder(make_pipeline, saved) -> Path:
    return saved(make_pipeline(is_measured=True))


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("unet", lambda one: {f"_orig_mod.{name}": one[name] for name in one}, "tensors that the network does not"),
        ("unet", lambda one: {name: one[name] for name in one if name != "conv_in.bias"}, "are missing: conv_in.bias"),
        ("unet", lambda one: {name: one[name].int() for name in one}, "holds torch.int32"),
        ("unet", lambda one: {name: one[name].half() for name in one}, None),
        ("prior", lambda one: {"coeffs": one["coefficients"]}, "tensors that the network does not have: coeffs"),
        ("prior", lambda one: {"coefficients": one["coefficients"] * torch.inf}, "coefficients holds values that are"),
        ("calibration", lambda one: one | {"gain": one["gain"] * torch.nan}, "gain holds values that are not finite"),
        ("calibration", lambda one: one | {"levels": one["levels"] - 1}, "levels do not ascend"),
        ("statistics", lambda one: {"mean": one["mean"]}, "tensors are missing: power"),
        ("statistics", lambda one: {"mean": one["mean"], "variance": one["power"]}, "does not have: variance"),
        ("statistics", lambda one: one | {"mean": one["mean"] * torch.nan}, "mean holds values that are not finite"),
    ],
)  # fmt: skip
def test_only_weights_that_fit_are_loaded(folder, part, change, message):
    path = folder / part / WEIGHTS
    save_file(change(load_file(path)), path)
    if message is None:
        read(folder)
        return
    with pytest.raises(UserError, match=f"^{folder}.*{part}.*{message}"):
        read(folder)


@pytest.mark.parametrize("part", ["unet", "prior", "calibration"])
@pytest.mark.parametrize("content", [b"", bytes(4000), None])
def test_cut_weights_are_named(folder, part, content):
    path = folder / part / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(UserError, match=f"^{path}: damaged weights .*download or generate the file again"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("unet/config.json", {"sample_size": 64}, "prior/config.json has height 8, but the network is for"),
        ("unet/config.json", {"sample_size": None}, "describes no network for square images"),
        ("unet/config.json", {"in_channels": 1}, "conv_in.weight has shape"),
        ("unet/config.json", {"_process": {"kind": "diffusion", "num_levels": 25}}, "was made for kind diffusion"),
        ("prior/config.json", {"height": 16}, "prior/config.json has height 16"),
        ("prior/config.json", {"width": 16}, "prior/config.json has width 16"),
        ("calibration/config.json", {"num_levels": 5}, r"levels has shape \(6,\) instead of \(5,\)|gain has shape"),
        ("scheduler/scheduler_config.json", {"delta_ratio": "1.25"}, "scheduler_config.json: 1.25: .*valid number"),
        ("scheduler/scheduler_config.json", {"delta_ratio": float("nan")}, "scheduler_config.json: nan: .*finite"),
        ("scheduler/scheduler_config.json", {"process": {"kind": "heat", "sigma": 0.02, "num_levels": 7,
         "blur_sigma_min": 0.4, "blur_sigma_max": 6.0}}, "not calibrated at level 7"),
        ("model_index.json", [], "model_index.json: cannot be read"),
        ("unet/config.json", [], "unet/config.json: cannot be read"),
    ],
)  # fmt: skip
def test_only_parts_that_fit_are_put_together(folder, name, changes, message):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes if isinstance(changes, dict) else changes))
    with pytest.raises(UserError, match=f"^{folder}.*{message}|{message}"):
        read(folder)


def test_a_whitened_network_needs_statistics_of_its_size(make_pipeline, saved):
    whitened = saved(make_pipeline(prediction="whitened"))
    assert read(whitened).statistics is not None
    path = whitened / "statistics/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"channels": 1}))
    with pytest.raises(UserError, match="mean has shape"):
        read(whitened)
    index = whitened / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"statistics": [None, None]}))
    with pytest.raises(UserError, match="'whitened' needs the statistics of the training images, which are missing"):
        read(whitened)


@pytest.mark.parametrize("factor", [0, -1])
def test_a_mixture_has_positive_weights(pipeline, tmp_path, factor):
    prior = MixturePrior(2, 3, 1, 1, 8, 8)
    prior.weights.fill_(factor)
    pipeline.register_modules(prior=prior)
    pipeline.save_pretrained(tmp_path / "model")
    with pytest.raises(UserError, match="prior: its weights are negative or all zero"):
        read(tmp_path / "model")


def test_a_name_on_the_hub_is_recognized():
    with pytest.raises(UserError, match="hf download someone/model"):
        read(Path("someone/model"))
