import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ihdm.models.batches import BatchLoader
from ihdm.storage.reading import open_images
from ihdm.storage.tensors import to_tensor

ROOT = Path(__file__).parents[2]


@pytest.fixture
def images(tmp_path):
    np.save(tmp_path / "train.npy", np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8))
    return open_images(tmp_path / "train.npy")


ORDERS = [np.array([3, 3, 49, 0]), np.array([7]), np.arange(50)[::-1]]


@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
    ],
)
def test_a_batch_is_what_indexing_gives(images, device):
    loader = BatchLoader(images, device)
    for indices in ORDERS:
        batch = loader.batch(indices)
        assert batch.dtype == torch.float32
        assert batch.is_contiguous()
        torch.testing.assert_close(batch.cpu(), to_tensor(images[indices]), rtol=0, atol=0)


def test_the_next_batch_is_read_meanwhile(images):
    loader, plain = BatchLoader(images, prepares=True), BatchLoader(images)
    assert not plain.prepares  # on a CPU
    for indices, following in zip(ORDERS, [*ORDERS[1:], None], strict=True):
        assert torch.equal(loader.batch(indices, following), plain.batch(indices))
    loader.batch(ORDERS[0], ORDERS[1])
    assert torch.equal(loader.batch(ORDERS[2]), plain.batch(ORDERS[2]))  # another than was said
    loader.batch(ORDERS[0], np.array([50]))
    with pytest.raises(IndexError, match="of 50 images"):
        loader.batch(np.array([50]))


@pytest.mark.parametrize("position", [-1, 50])
def test_positions_outside_are_refused(images, position):
    with pytest.raises(IndexError, match="of 50 images"):
        BatchLoader(images).batch(np.array([0, position]))


def test_reading_an_array_leaves_it_on_disk():
    # A process of its own, whose memory no other test has touched. The benchmark does the same with 2 GB.
    code = "from benchmarks.loader import memory; print(memory(300_000_000))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(result.stdout) < 50
