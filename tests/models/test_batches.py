import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ihdm.models.batches import BatchLoader, batch_indices, draw_batch, draw_levels, even_slices
from ihdm.storage.reading import open_images
from ihdm.storage.tensors import to_tensor


@given(seed=st.integers(0, 99), batch_size=st.integers(1, 40), num_images=st.integers(1, 30))
def test_every_epoch_uses_every_image_once(seed, batch_size, num_images):
    steps = 3 * num_images // batch_size + 1
    order = np.concatenate([batch_indices(seed, step, batch_size, num_images) for step in range(steps)])
    for epoch in order[: len(order) // num_images * num_images].reshape(-1, num_images):
        assert sorted(epoch) == list(range(num_images))


def test_epochs_have_different_orders():
    first, second = batch_indices(0, 0, 50, 50), batch_indices(0, 1, 50, 50)
    assert (first != second).any()


@given(seed=st.integers(0, 999), batch_size=st.integers(1, 70), num_levels=st.integers(1, 50))
def test_stratified_levels_are_as_even_as_can_be(seed, batch_size, num_levels):
    levels = draw_levels(np.random.default_rng(seed), "stratified", batch_size, num_levels)
    counts = np.bincount(levels, minlength=num_levels + 1)
    assert counts[0] == 0
    assert len(counts) == num_levels + 1
    assert set(counts[1:]) <= {batch_size // num_levels, -(-batch_size // num_levels)}


@pytest.mark.parametrize(("choice", "first", "last"), [("uniform", 1, 7), ("stratified", 1, 7), ("as_released", 1, 6)])
def test_each_image_has_a_uniform_level(choice, first, last):
    """Chi-squared test at each of three positions of a batch; fails by chance once in 10⁴ seeds."""
    draws = np.array([draw_levels(np.random.default_rng(seed), choice, 3, 7) for seed in range(3000)])
    for position in range(3):
        counts = np.bincount(draws[:, position], minlength=8)
        assert counts[:first].sum() + counts[last + 1 :].sum() == 0
        assert stats.chisquare(counts[first : last + 1]).pvalue > 1e-4 / 3


def test_independent_levels_are_independent():
    """Unlike stratified ones, two levels of a batch coincide with probability 1/K."""
    draws = np.array([draw_levels(np.random.default_rng(seed), "uniform", 2, 7) for seed in range(4000)])
    share = (draws[:, 0] == draws[:, 1]).mean()
    assert share == pytest.approx(1 / 7, abs=4 * np.sqrt(1 / 7 * 6 / 7 / 4000))


@given(total=st.integers(1, 200), count=st.integers(1, 20))
def test_even_slices(total, count):
    slices = even_slices(total, count)
    assert [i for part in slices for i in range(total)[part]] == list(range(total))
    lengths = [part.stop - part.start for part in slices]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("num_processes", [1, 2, 3, 8])
def test_shares_make_up_the_batch(make_experiment, images, num_processes):
    """Whatever the number of processes, a step sees the same images with the same levels and the same noise."""
    experiment = make_experiment(levels="stratified")
    whole = draw_batch(experiment, BatchLoader(images), 5, slice(0, 8))
    shares = [draw_batch(experiment, BatchLoader(images), 5, share) for share in even_slices(8, num_processes)]
    for name in ("images", "levels", "noise"):
        assert torch.equal(torch.cat([getattr(share, name) for share in shares]), getattr(whole, name))


def test_a_batch_is_what_it_says(make_experiment, images):
    experiment = make_experiment()
    batch = draw_batch(experiment, BatchLoader(images), 5, slice(0, 8))
    chosen = images[batch_indices(experiment.seed, 5, 8, len(images))]
    np.testing.assert_array_equal(batch.images.numpy(), np.moveaxis(chosen, 3, 1).astype(np.float32) / 255)
    again, other = (draw_batch(experiment, BatchLoader(images), step, slice(0, 8)) for step in (5, 6))
    assert torch.equal(batch.noise, again.noise)
    assert not torch.equal(batch.noise, other.noise)


def test_noise_is_standard_normal(make_experiment, images):
    loader = BatchLoader(images)
    noise = torch.cat([draw_batch(make_experiment(), loader, step, slice(0, 8)).noise for step in range(50)])
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-4


ROOT = Path(__file__).parents[2]


@pytest.fixture
def stored(tmp_path):
    np.save(tmp_path / "train.npy", np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8))
    return open_images(tmp_path / "train.npy")


ORDERS = [np.array([3, 3, 49, 0]), np.array([7]), np.arange(50)[::-1]]


NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_a_batch_is_what_indexing_gives(stored, device):
    loader = BatchLoader(stored, device)
    for indices in ORDERS:
        batch = loader.batch(indices)
        assert batch.dtype == torch.float32
        assert batch.is_contiguous()
        torch.testing.assert_close(batch.cpu(), to_tensor(stored[indices]), rtol=0, atol=0)


def test_the_next_batch_is_read_meanwhile(stored):
    loader, plain = BatchLoader(stored, prepares=True), BatchLoader(stored)
    assert not plain.prepares  # on a CPU
    for indices, following in zip(ORDERS, [*ORDERS[1:], None], strict=True):
        assert torch.equal(loader.batch(indices, following), plain.batch(indices))
    loader.batch(ORDERS[0], ORDERS[1])
    assert torch.equal(loader.batch(ORDERS[2]), plain.batch(ORDERS[2]))  # another than was said
    loader.batch(ORDERS[0], np.array([50]))
    with pytest.raises(IndexError, match="of 50 images"):
        loader.batch(np.array([50]))


@pytest.mark.parametrize("position", [-1, 50])
def test_positions_outside_are_refused(stored, position):
    with pytest.raises(IndexError, match="of 50 images"):
        BatchLoader(stored).batch(np.array([0, position]))


def test_reading_an_array_leaves_it_on_disk():
    # A process of its own, whose memory no other test has touched. The benchmark does the same with 2 GB.
    code = "from benchmarks.loader import memory; print(memory(300_000_000))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(result.stdout) < 50
