"""The network as diffusers builds it, for folders and pipelines that diffusers loads."""

from pathlib import Path

from diffusers import UNet2DModel
from jaxtyping import Int
from torch import Tensor, nn

from ihdm.config.processes import ProcessSettings
from ihdm.config.settings import Precision
from ihdm.heat import Images
from ihdm.models.network import Deblurrer, load_network
from ihdm.models.unet import InputConvolution
from ihdm.storage.images import StoredImages


class _Sample(nn.Module):
    """A ``UNet2DModel`` that returns a tensor, and whose first convolution stays in float32."""

    def __init__(self, unet: UNet2DModel) -> None:
        super().__init__()
        unet.conv_in.__class__ = InputConvolution
        self.unet = unet

    def forward(self, images: Images, levels: Int[Tensor, "batch"]) -> Images:
        return self.unet(images, levels, return_dict=False)[0]


def as_deblurrer(unet: UNet2DModel, precision: Precision) -> Deblurrer:
    """Return diffusers' network, in evaluation mode, as the callable that the method is written in."""
    return Deblurrer(_Sample(unet.eval()), precision)


def load_unet(folder: Path, process: ProcessSettings, images: StoredImages) -> UNet2DModel:
    """Load a trained network as diffusers' ``UNet2DModel``.

    Raises:
        UserError: if the folder holds no network of this process and of such images.
    """
    load_network(folder, process, images)
    return UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)
