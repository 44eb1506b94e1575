import pytest
import torch

from ihdm.config.processes import PAPER
from ihdm.config.settings import HeatSettings
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, sampling_steps
from ihdm.sampling import SeededNoise, reverse_process, reverse_steps


def heat(size, num_levels, sigma=0.01, blur_sigma_max=4.0, blur_sigma_min=0.3):
    settings = HeatSettings(
        kind="heat", sigma=sigma, num_levels=num_levels, blur_sigma_min=blur_sigma_min, blur_sigma_max=blur_sigma_max
    )
    return build_process(settings, size)


def test_the_papers_sampler_has_the_reference_values(golden, linear_network):
    case = {name: torch.as_tensor(value) for name, value in golden("sampler").items()}
    num_levels = int(case["num_levels"])
    process = heat(case["init"].shape[-1], num_levels)
    steps = plan_steps(process, PAPER, float(case["delta"]))
    *_, (level, image) = sampling_steps(linear_network(num_levels), process, steps, case["init"], case["noise"])
    assert level == 0
    torch.testing.assert_close(image, case["final_mean"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("delta", [0.0, 0.01, 0.0125])
def test_the_papers_sampler_is_algorithm_2_bit_for_bit(delta):
    """With a network that mixes pixels and levels; every mean on the way is the same, too."""
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(3, 3, 3, padding=1)

    def network(images, levels):
        return 0.1 * torch.tanh(convolution(images) + 0.02 * levels.view(-1, 1, 1, 1))

    process, num_levels = heat(16, 50), 50
    start = torch.rand((5, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    noise = SeededNoise(0, range(5), num_levels, (3, 16, 16))
    expected = list(reverse_steps(network, start, noise, delta))
    found = list(sampling_steps(network, process, plan_steps(process, PAPER, delta), start, noise))
    assert [level for level, _ in found] == [level for level, _ in expected]
    for (_, mean), (_, reference) in zip(found, expected, strict=True):
        assert torch.equal(mean, reference)
    assert torch.equal(found[-1][1], reverse_process(network, start, noise, delta))


def test_noise_is_drawn_where_it_is_used():
    """Not for the result, which is a mean, nor where a sampler adds none."""
    process, asked = heat(4, 6), []

    class Recorded:
        def __len__(self):
            return 6

        def __getitem__(self, index):
            asked.append(index)
            return torch.zeros(1, 1, 4, 4)

    def sample(delta):
        asked.clear()
        start = torch.zeros(1, 1, 4, 4)
        list(sampling_steps(lambda u, _: 0.1 * u, process, plan_steps(process, PAPER, delta), start, Recorded()))
        return list(asked)

    assert sample(0.01) == [5, 4, 3, 2, 1]
    assert sample(0.0) == []
