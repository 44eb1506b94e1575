import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ihdm.config.processes import DDIM, HeatSettings
from ihdm.config.stages import SamplingSettings
from ihdm.heat import HeatProcess
from ihdm.models.network import Deblurrer
from ihdm.prior import draw_starts, prior_bandwidth
from ihdm.samples.generation import even_size, filled_batches, generate

TRAIN = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def sampling(**changes) -> SamplingSettings:
    values = {
        "process": HeatSettings(kind="heat", sigma=0.01, num_levels=6, blur_sigma_max=4.0),
        "seed": 5,
        "delta_ratio": 1.25,
        "prior_noise": "delta",
        "micro_batch": 4,
    }
    return SamplingSettings(**{**values, **changes})


@pytest.fixture(scope="module")
def network(unet) -> Deblurrer:
    return Deblurrer(unet)


def images_of(network, numbers, settings=None) -> torch.Tensor:
    settings = settings or sampling()
    return torch.cat([batch.images for batch in generate(network, TRAIN, settings, starts=numbers, noises=numbers)])


def test_a_sample_has_the_same_bits_in_any_batch(network):
    everything = images_of(network, range(10))
    assert torch.equal(images_of(network, [7, 2, 9]), everything[[7, 2, 9]])
    halves = torch.cat([images_of(network, range(5)), images_of(network, range(5, 10))])
    assert torch.equal(halves, everything)


def test_micro_batches_change_only_the_last_bits(network):
    alone = images_of(network, range(10), sampling(micro_batch=1))
    torch.testing.assert_close(alone, images_of(network, range(10)), atol=1e-4, rtol=0)


def test_start_and_noise_are_chosen_apart(network):
    settings = sampling()
    (batch,) = generate(network, TRAIN, settings, starts=[3, 3, 4], noises=[0, 1, 0])
    assert torch.equal(batch.starts[0], batch.starts[1])
    assert not torch.equal(batch.images[0], batch.images[1])
    assert not torch.equal(batch.images[0], batch.images[2])
    (other,) = generate(network, TRAIN, settings, starts=[3, 4, 3], noises=[0, 0, 1])
    assert torch.equal(batch.images[0], other.images[0])
    assert torch.equal(batch.images[1], other.images[2])


def test_kept_levels_are_those_of_the_path(network):
    (batch,) = generate(network, TRAIN, sampling(), starts=range(4), noises=range(4), keep_levels=[3, 5])
    assert sorted(batch.means) == [0, 3, 5]
    (plain,) = generate(network, TRAIN, sampling(), starts=range(4), noises=range(4))
    assert torch.equal(plain.images, batch.images)


def test_the_seed_decides(network):
    assert not torch.equal(images_of(network, range(4)), images_of(network, range(4), sampling(seed=6)))


def test_starts_are_blurred_training_images():
    heat = HeatProcess([0.0, 1.0, 3.0], 8, 8)
    starts, chosen = draw_starts(TRAIN, heat, 0.0, 0, range(200))
    expected = heat.blur(torch.as_tensor(TRAIN[chosen]).permute(0, 3, 1, 2).float() / 255, 2)
    torch.testing.assert_close(starts, expected)
    assert len(set(chosen.tolist())) > 25  # all but a few of the 30
    noisy, _ = draw_starts(TRAIN, heat, 0.1, 0, range(200))
    standardized = ((noisy - starts) / 0.1).numpy().ravel()
    assert stats.kstest(standardized, "norm").pvalue > 1e-4
    doubled, _ = draw_starts(TRAIN, heat, 0.2, 0, range(200))
    torch.testing.assert_close(doubled - starts, 2 * (noisy - starts), atol=1e-5, rtol=0)


def test_bandwidths():
    assert [prior_bandwidth(name, 0.01, 0.0125) for name in ("delta", "sigma", "none")] == [0.0125, 0.01, 0.0]


@pytest.mark.parametrize(("prior_noise", "bandwidth"), [("delta", 0.01), ("sigma", 0.01), ("none", 0.0)])
def test_without_delta_starts_have_the_noise_of_the_process(network, prior_noise, bandwidth):
    """Unless they are asked to have none."""
    settings = sampling(prior_noise=prior_noise, sampler=DDIM)
    (batch,) = generate(network, TRAIN, settings, starts=range(4), noises=range(4))
    heat = HeatProcess([0.0, 4.0], 8, 8)
    expected, _ = draw_starts(TRAIN, heat, bandwidth, settings.seed, range(4))
    torch.testing.assert_close(batch.starts, expected)


@given(count=st.integers(1, 2000), most=st.integers(1, 600))
def test_even_batches_are_as_few_as_can_be_and_need_less_filling_than_there_are_batches(count, most):
    size = even_size(count, most)
    batches = list(filled_batches(count, size))
    assert size <= most
    assert len(batches) == -(-count // most)
    assert sum(here for here, _ in batches) == count
    assert size * len(batches) - count < len(batches)
