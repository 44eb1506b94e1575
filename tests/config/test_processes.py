import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ihdm.config.processes import (
    ANCESTRAL,
    DDIM,
    PAPER,
    BlurringSettings,
    DiffusionSettings,
    HeatSettings,
    SamplerSettings,
    default_sampler,
    observed_levels,
)

HEAT = HeatSettings(kind="heat", sigma=0.01, num_levels=40, blur_sigma_max=4.0)
DIFFUSION = DiffusionSettings(kind="diffusion", num_levels=40)
BLURRING = BlurringSettings(kind="blurring", num_levels=40, blur_sigma_max=4.0)


@pytest.mark.parametrize(
    ("evaluations", "num_levels", "levels"),
    [
        ("all", 5, (5, 4, 3, 2, 1, 0)),
        ("K/1", 5, (5, 4, 3, 2, 1, 0)),
        ("K/2", 8, (8, 6, 4, 2, 0)),
        ("K/4", 50, (50, 46, 42, 38, 33, 29, 25, 21, 17, 12, 8, 4, 0)),
        ("K/9", 5, (5, 0)),
        (1, 1000, (1000, 0)),
        (4, 1000, (1000, 750, 500, 250, 0)),
        (7, 5, (5, 4, 3, 2, 1, 0)),
    ],
)
def test_levels_are_spread_from_the_last_one_to_the_image(evaluations, num_levels, levels):
    assert SamplerSettings(evaluations=evaluations).levels(heat(num_levels)) == levels


def heat(num_levels):
    return HeatSettings(kind="heat", sigma=0.01, num_levels=num_levels, blur_sigma_max=4.0)


def test_quadratic_levels_are_denser_towards_the_image():
    assert SamplerSettings(evaluations=4, spacing=2.0).levels(heat(1000)) == (1000, 562, 250, 62, 0)
    # Where a square falls short of its number, as it does near the image, every level is visited.
    assert SamplerSettings(evaluations=20, spacing=2.0).levels(heat(40))[-8:] == (7, 6, 5, 4, 3, 2, 1, 0)


@given(
    evaluations=st.one_of(st.integers(1, 1200), st.integers(1, 9).map("K/{}".format), st.just("all")),
    spacing=st.sampled_from([None, 0.3, 0.7, 1.0, 2.0, 3.0]),
    num_levels=st.integers(1, 1000),
)
def test_as_many_levels_are_evaluated_as_configured(evaluations, spacing, num_levels):
    sampler = SamplerSettings(evaluations=evaluations, spacing=spacing)
    levels = sampler.levels(heat(num_levels))
    assert (levels[0], levels[-1]) == (num_levels, 0)
    assert list(levels) == sorted(set(levels), reverse=True)
    assert len(levels) - 1 == sampler.num_evaluations(num_levels) <= num_levels


@pytest.mark.parametrize("spacing", ["even", "quadratic"])
@pytest.mark.parametrize("process", [HEAT, DIFFUSION, BLURRING], ids=lambda process: process.kind)
@pytest.mark.parametrize("evaluations", ["all", 40, 39, "K/4"])
def test_heat_needs_a_calibration_to_step_over_several_levels(process, spacing, evaluations):
    """Its network predicts the next level alone; those of the others predict noise, which tells the image itself."""
    sampler = SamplerSettings(evaluations=evaluations, spacing=spacing)
    leaps = evaluations in (39, "K/4")
    assert sampler.is_calibrated(process) == (process is HEAT and leaps)


@pytest.mark.parametrize("process", [HEAT, DIFFUSION, BLURRING], ids=lambda process: process.kind)
def test_measured_noise_must_be_measured(process):
    assert SamplerSettings(noise="measured").is_calibrated(process)
    assert not any(sampler.is_calibrated(process) for sampler in (PAPER, ANCESTRAL, DDIM))


@pytest.mark.parametrize("noise", ["posterior", "measured"])
def test_deterministic_couplings_refuse_posterior_and_measured_noise(noise):
    with pytest.raises(ValidationError, match="leaves no room for noise"):
        SamplerSettings(coupling="deterministic", noise=noise)


@pytest.mark.parametrize("evaluations", [0, -1, "K/0", "K/04", "k/4", "half", 2.5])
def test_impossible_numbers_of_evaluations_are_refused(evaluations):
    with pytest.raises(ValidationError):
        SamplerSettings(evaluations=evaluations)


def test_only_the_papers_sampler_uses_delta():
    assert [sampler.uses_delta for sampler in (PAPER, ANCESTRAL, DDIM)] == [True, False, False]
    assert SamplerSettings() == PAPER
    assert [default_sampler(process) for process in (HEAT, DIFFUSION, BLURRING)] == ["paper", "ancestral", "ancestral"]


def test_networks_are_observed_at_all_levels_or_at_some_up_to_the_last():
    assert observed_levels(HEAT, None) == observed_levels(HEAT, 50) == tuple(range(1, 41))
    assert observed_levels(HEAT, 4) == (10, 20, 30, 40)
