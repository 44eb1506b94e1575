"""A look into how a network makes images: paths are those of the samples, gradients those of a known network."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ihdm.config.processes import ANCESTRAL, DDIM, PAPER, HeatSettings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.samples.diagnostics import BranchingNoise, gradients, interpolations, stage_levels, trajectories, trees
from ihdm.samples.generation import Chain, filled_batches, generate

TRAIN = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
PROCESSES = {
    "heat": {"kind": "heat", "sigma": 0.01, "num_levels": 6, "blur_sigma_max": 4.0},
    "diffusion": {"kind": "diffusion", "num_levels": 25},
    "blurring": {"kind": "blurring", "num_levels": 25, "blur_sigma_max": 4.0},
}


def network(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    return 0.1 * torch.tanh(images) + 0.01 * levels[:, None, None, None]


def sampling(kind: str, **changes: object) -> SamplingSettings:
    return SamplingSettings.model_validate({"process": PROCESSES[kind], "seed": 0, "micro_batch": 4, **changes})


def chain_of(kind: str, network=network, train=TRAIN, **changes: object) -> Chain:
    return Chain.of(network, train, sampling(kind, **changes))


def drawn(kind: str, count: int) -> np.ndarray:
    batches = generate(network, TRAIN, sampling(kind), starts=range(count), noises=range(count))
    return np.concatenate([batch.images.permute(0, 2, 3, 1).numpy() for batch in batches])


def test_batches_are_all_of_one_size_and_hold_everything_once():
    batches = list(filled_batches(10, 4))
    assert {len(filled) for _, filled in batches} == {4}
    assert [place for count, filled in batches for place in filled[:count]] == list(range(10))


def heat(num_levels):
    return HeatSettings(kind="heat", sigma=0.01, num_levels=num_levels, blur_sigma_max=4.0)


def test_stages_are_evaluated_levels_from_start_to_image():
    assert stage_levels(PAPER.levels(heat(6)), 100) == [6, 5, 4, 3, 2, 1, 0]
    assert stage_levels(PAPER.levels(heat(40)), 5) == [40, 30, 20, 10, 0]
    few = ANCESTRAL.model_copy(update={"evaluations": 3})
    assert stage_levels(few.levels(heat(1000)), 9) == [1000, 667, 333, 0]


@pytest.mark.parametrize(
    "look",
    [
        lambda chain: interpolations(chain, 2, 2, 4),
        lambda chain: trees(chain, 1, 2, 4),
        lambda chain: trajectories(chain, 2, 3, 2, 4),
        lambda chain: gradients(chain, 1),
    ],
)
def test_values_that_are_not_finite_are_refused(look):
    with pytest.raises(UserError, match="not finite"):
        look(chain_of("heat", lambda images, _levels: images * torch.nan))


@pytest.mark.parametrize("kind", PROCESSES)
def test_the_ends_of_a_path_are_the_two_samples(kind):
    found = interpolations(chain_of(kind), 2, 5, 4)
    assert found.shape == (2, 5, 8, 8, 1)
    samples = drawn(kind, 4)
    error = np.linalg.norm(found[:, [0, -1]].reshape(-1, 8, 8, 1) - samples) / np.linalg.norm(samples)
    assert error < 1e-4  # the angle is rounded, and a network that has learnt nothing makes large values


@pytest.mark.parametrize("kind", PROCESSES)
def test_interpolated_inputs_have_the_variance_of_the_ends(kind):
    """Noise keeps its variance all along, and so do starts of white noise; those of heat lie on a straight line."""
    chain = chain_of(kind)
    first, _ = chain.starts(range(2000))
    second, _ = chain.starts(range(2000, 4000))
    half = chain.process.blend_starts(first, second, torch.full((2000,), np.pi / 4))
    if kind == "heat":
        torch.testing.assert_close(half, (first + second) / 2)
    else:
        assert half.std().item() == pytest.approx(1, abs=4 / np.sqrt(2 * half.numel()))


def test_leaves_share_noise_until_their_paths_split():
    chain = chain_of("heat")
    noise = BranchingNoise(chain, [0, 0, 0, 0, 1], [0b00, 0b01, 0b10, 0b11, 0b00], [6, 3])
    for level in range(1, 7):
        same = [bool((noise[level - 1][0] == noise[level - 1][other]).all()) for other in range(1, 5)]
        assert same == [level > 3, False, False, False], level
    assert noise[5].flatten(1).unique(dim=0).shape[0] == 3  # two branches, and another tree
    assert noise[0].flatten(1).unique(dim=0).shape[0] == 5


@pytest.mark.parametrize("kind", PROCESSES)
def test_paths_that_split_late_end_close(kind):
    found = trees(chain_of(kind), 3, 2, 4)
    assert found["leaves"].shape == (3, 4, 8, 8, 1)
    assert found["shown"].shape == (3, 4, 8, 8, 1)
    assert found["levels"][0] == PROCESSES[kind]["num_levels"]
    np.testing.assert_array_equal(found["shown"][-1], np.rint(np.clip(found["leaves"][0], 0, 1) * 255))
    late = np.abs(found["leaves"][:, 0] - found["leaves"][:, 1]).mean()
    early = np.abs(found["leaves"][:, 0] - found["leaves"][:, 2]).mean()
    assert 0 < late < early


def test_without_noise_there_is_one_leaf():
    found = trees(chain_of("diffusion", sampler=DDIM), 2, 2, 4)
    np.testing.assert_array_equal(found["leaves"], np.repeat(found["leaves"][:, :1], 4, axis=1))


@pytest.mark.parametrize("kind", PROCESSES)
def test_trajectories_end_in_the_samples_of_their_numbers(kind):
    found, num_levels = trajectories(chain_of(kind), 6, 100, 3, 4), PROCESSES[kind]["num_levels"]
    np.testing.assert_array_equal(found["states"][-1], drawn(kind, 6))
    assert found["levels"].tolist() == list(range(num_levels, -1, -1))
    assert len(found["estimates"]) == len(found["states"]) - 1
    assert (found["edges"][0], found["edges"][-1]) == (num_levels, 0)


def test_without_noise_the_updates_sum_to_the_difference_of_start_and_image():
    found = trajectories(chain_of("heat", delta_ratio=0), 6, 100, 3, 4)
    np.testing.assert_allclose(found["states"][0] + found["sums"].sum(axis=0), found["states"][-1], atol=1e-5)


def test_the_gradients_of_a_linear_network_are_its_matrix():
    """f = W u pixel by pixel over two channels: the residual's gradient is W, the estimate's W + 1."""
    train = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 2), dtype=np.uint8)
    weights = torch.as_tensor(softmax(np.random.default_rng(1).standard_normal((64, 64)), axis=1), dtype=torch.float32)

    def linear(images: torch.Tensor, _levels: torch.Tensor) -> torch.Tensor:
        return (images.flatten(2) @ weights.T).view_as(images)

    found = gradients(chain_of("heat", linear, train), 3)
    assert found["residual"].shape == (5, 9, 3, 8, 8)
    for place, (row, column) in enumerate(found["pixels"]):
        expected = 2 * weights[row * 8 + column].view(8, 8).numpy()
        np.testing.assert_allclose(found["residual"][:, place], np.broadcast_to(expected, (5, 3, 8, 8)), atol=1e-6)
        clean = expected + 2 * np.eye(64)[row * 8 + column].reshape(8, 8)
        np.testing.assert_allclose(found["clean"][:, place], np.broadcast_to(clean, (5, 3, 8, 8)), atol=1e-6)


def test_the_residual_of_diffusion_is_the_noise_taken_away():
    """With ε̂ = u the residual is −s u, and the estimate (1 − s) u / a."""
    chain = chain_of("diffusion", lambda images, _levels: images)
    found = gradients(chain, 2)
    for stage, level in enumerate(found["levels"].tolist()):
        scale, noise = np.exp(chain.process.log_scale(level)), chain.process.deviation(level)
        row, column = found["pixels"][4]
        np.testing.assert_allclose(found["residual"][stage, 4, :, row, column], -noise, atol=1e-5)
        clean = found["clean"][stage, 4, :, row, column]
        np.testing.assert_allclose(clean, (1 - noise) / scale, rtol=0.02)  # 1 − s cancels
