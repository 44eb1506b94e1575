import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ihdm.config.reading import parse_settings
from ihdm.config.restoration import BlurProblem, MaskProblem, NoiseProblem, PoolingProblem, RestorationSettings
from ihdm.errors import UserError
from ihdm.heat import HeatProcess
from ihdm.restoration.problems import measurement

PROBLEMS = {
    "blur": BlurProblem(kind="blur", width=1.3, noise=0.02),
    "pooling": PoolingProblem(kind="pooling", factor=2, noise=0.02),
    "mask": MaskProblem(kind="mask", hidden=0.4, noise=0.02),
    "hole": MaskProblem(kind="mask", hidden=0.25, shape="hole", noise=0.02),
    "noise": NoiseProblem(kind="noise", noise=0.2),
}
IMAGES = torch.rand((3, 2, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_blur_is_that_of_heat():
    how = measurement(PROBLEMS["blur"], 8)
    expected = HeatProcess([0.0, 1.3], 8, 8, dtype=torch.float64).blur(IMAGES, 1)
    torch.testing.assert_close(how.apply(IMAGES).unflatten(2, (8, 8)), expected)
    assert how.matrix.sum(dim=1).numpy() == pytest.approx(np.ones(64))
    assert how.matrix.sum(dim=0).numpy() == pytest.approx(np.ones(64))


def test_pooling_takes_means_of_squares():
    found = measurement(PROBLEMS["pooling"], 8).apply(IMAGES).unflatten(2, (4, 4))
    torch.testing.assert_close(found, torch.nn.functional.avg_pool2d(IMAGES, 2))


@pytest.mark.parametrize(("name", "hidden"), [("mask", 26), ("hole", 16)])
def test_masks_hide_so_many_pixels(name, hidden):
    how = measurement(PROBLEMS[name], 8)
    assert len(how.pixels) == 64 - hidden
    torch.testing.assert_close(how.apply(IMAGES), IMAGES.flatten(2)[:, :, how.pixels])
    shown = how.shown(how.apply(IMAGES))
    assert (shown == 0.5).sum() == 6 * hidden
    if name == "hole":
        assert (shown[:, :, 2:6, 2:6] == 0.5).all()


def test_a_noise_problem_measures_the_image_itself():
    how = measurement(PROBLEMS["noise"], 8)
    torch.testing.assert_close(how.apply(IMAGES).unflatten(2, (8, 8)), IMAGES)
    assert bool((how.transfer == 1).all())


@given(name=st.sampled_from(sorted(PROBLEMS)), seed=st.integers(0, 10**6))
def test_the_adjoint_is_the_transpose(name, seed):
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩."""
    how, rng = measurement(PROBLEMS[name], 8), torch.Generator().manual_seed(seed)
    images = torch.randn((1, 1, 8, 8), generator=rng, dtype=torch.float64)
    measured = torch.randn((1, 1, len(how.matrix)), generator=rng, dtype=torch.float64)
    left, right = (how.apply(images) * measured).sum(), (images * how.adjoint(measured)).sum()
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize("name", ["blur", "noise"])
def test_diagonal_measurements_are_diagonal_in_the_cosine_basis(name):
    how = measurement(PROBLEMS[name], 8)
    process = HeatProcess([0.0, 1.0], 8, 8, dtype=torch.float64)
    basis = process._rows.basis
    modes = basis @ IMAGES @ basis.T
    seen = basis @ how.shown(how.apply(IMAGES)) @ basis.T
    torch.testing.assert_close(seen, how.transfer * modes)


def test_noise_is_of_the_images_number_and_of_its_strength():
    how = measurement(PROBLEMS["noise"], 8)
    together = how.measure(IMAGES, 5, 10)
    torch.testing.assert_close(how.measure(IMAGES[1:2], 5, 11), together[1:2])
    noise = how.measure(torch.zeros(300, 1, 8, 8), 0)
    # Of 19 200 values, so that the standard deviation is known to 0.5 %.
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert not torch.equal(how.measure(IMAGES, 6, 10), together)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (PoolingProblem(kind="pooling", factor=3), "factor 3 does not divide 8 pixels"),
        (MaskProblem(kind="mask", hidden=0.001), "hides none or all"),
        (MaskProblem(kind="mask", hidden=0.999), "hides none or all"),
    ],
)
def test_problems_that_do_not_fit_the_image_size_are_refused(problem, said):
    with pytest.raises(UserError, match=said):
        measurement(problem, 8)


def test_large_images_are_refused():
    with pytest.raises(UserError, match="on at most 96 pixels"):
        measurement(PROBLEMS["blur"], 128)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"problems": {}}', "problems"),
        ('{"problems": {"a": {"kind": "fog"}}}', "problems.a"),
        ('{"problems": {"a": {"kind": "blur"}}}', "width"),
        ('{"problems": {"a": {"kind": "noise", "noise": 0}}}', "noise"),
    ],
)
def test_settings_that_mean_nothing_are_refused(text, said):
    with pytest.raises(UserError, match=said):
        parse_settings(RestorationSettings, text)
