import threading

import numpy as np
import pytest
import torch
from scipy import stats

from ihdm.sampling import PreparedNoise, SeededNoise, reverse_process


@pytest.fixture
def case(golden):
    return {name: torch.as_tensor(value) for name, value in golden("sampler").items()}


def test_golden(case, linear_network):
    network = linear_network(int(case["num_levels"]))
    final = reverse_process(network, case["init"], case["noise"], float(case["delta"]))
    torch.testing.assert_close(final, case["final_mean"], atol=2e-6, rtol=0)


def test_noise_need_not_be_stored(case, linear_network):
    asked = []

    class Lazy:
        def __len__(self):
            return int(case["num_levels"])

        def __getitem__(self, index):
            asked.append(index)
            return case["noise"][index]

    network, lazy = linear_network(12), Lazy()
    stored = reverse_process(network, case["init"], case["noise"], 0.0125)
    assert torch.equal(reverse_process(network, case["init"], lazy, 0.0125), stored)
    assert asked == list(range(11, 0, -1))  # the result is a mean: the noise of level 1 is never drawn


def test_no_noise_makes_sampling_deterministic(case, linear_network):
    first = reverse_process(linear_network(12), case["init"], case["noise"], 0.0)
    second = reverse_process(linear_network(12), case["init"], case["noise"].flip(0), 0.0)
    assert torch.equal(first, second)


def test_without_levels_there_is_no_step(case):
    with pytest.raises(ValueError, match="no level"):
        reverse_process(lambda images, levels: images, case["init"], case["noise"][:0], 0.01)


def test_seeded_noise_depends_on_the_sample_alone():
    alone = SeededNoise(3, [7], 5, (2, 4, 4))
    among = SeededNoise(3, [1, 7, 2], 5, (2, 4, 4))
    for index in range(5):
        assert torch.equal(alone[index][0], among[index][1])
    assert not torch.equal(alone[0], alone[1])
    assert not torch.equal(among[0][0], among[0][1])
    assert not torch.equal(SeededNoise(4, [7], 5, (2, 4, 4))[0], alone[0])
    with pytest.raises(IndexError, match="levels are 1…5"):
        alone[5]


def test_seeded_noise_is_standard_normal():
    noise = SeededNoise(0, range(50), 4, (1, 16, 16))
    draws = np.concatenate([noise[index].numpy().ravel() for index in range(4)])
    assert stats.kstest(draws, "norm").pvalue > 1e-4


def test_prepared_noise_is_the_same_and_drawn_before_it_is_asked_for():
    noise, drawn = SeededNoise(3, [7, 2], 5, (2, 4, 4)), []

    class Watched:
        def __len__(self):
            return len(noise)

        def __getitem__(self, index):
            drawn.append((index, threading.current_thread() is threading.main_thread()))
            return noise[index]

    prepared = PreparedNoise(Watched(), [4, 2, 1])
    assert len(prepared) == 5
    for index in (4, 2, 1, 3):
        assert torch.equal(prepared[index], noise[index])
    assert drawn == [(4, False), (2, False), (1, False), (3, True)]
