import pytest
import torch
from safetensors.torch import load_file

from ihdm.config import NetworkSettings
from ihdm.errors import UserError
from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, build_network, load_network, save_network


def preset() -> NetworkSettings:
    return NetworkSettings(
        image_size=16,
        image_channels=3,
        base_channels=32,
        channel_multipliers=(1, 2, 2),
        blocks_per_level=1,
        attention_levels=(1, 2),
        dropout=0.1,
    )


def test_golden(golden, request):
    values = golden("network")
    network = build_network(preset()).eval()
    weights = load_file(request.path.parent / "golden/network.safetensors")
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    with torch.no_grad():
        output = network(torch.as_tensor(values["image"]), torch.as_tensor(values["level"])).sample
    torch.testing.assert_close(output, torch.as_tensor(values["output"]), atol=2e-5, rtol=0)


def test_a_fresh_network_predicts_nothing():
    with torch.no_grad():
        assert not build_network(preset())(torch.rand(2, 3, 16, 16), torch.tensor([1, 50])).sample.any()


def test_saved_and_loaded(tmp_path):
    network = build_network(preset())
    torch.nn.init.normal_(network.conv_out.weight)
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    images, levels = torch.rand(2, 3, 16, 16), torch.tensor([1, 50])
    with torch.no_grad():
        assert torch.equal(loaded(images, levels), network.eval()(images, levels).sample)
    assert not loaded.training


def test_damaged_or_missing_networks_are_refused(tmp_path):
    with pytest.raises(UserError, match="no network can be loaded"):
        load_network(tmp_path / "nowhere")
    save_network(build_network(preset()), tmp_path)
    weights = tmp_path / WEIGHTS_NAME
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="no network can be loaded"):
        load_network(tmp_path)
    (tmp_path / CONFIG_NAME).write_text("{}}")
    with pytest.raises(UserError, match="no network can be loaded"):
        load_network(tmp_path)
