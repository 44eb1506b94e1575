"""The network as diffusers' ``UNet2DModel``, for pipelines that diffusers loads."""

from pathlib import Path

from diffusers import UNet2DModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from ihdm.config.processes import ProcessSettings
from ihdm.config.settings import Precision
from ihdm.heat import Images
from ihdm.models.network import Deblurrer, load_network
from ihdm.models.unet import InputConvolution
from ihdm.predictions import Predictor
from ihdm.storage.images import StoredImages


def keep_input_precise(unet: UNet2DModel) -> None:
    """Keep the first convolution in float32 under autocast; to be called before hooks replace its ``forward``."""
    unet.conv_in.__class__ = InputConvolution


class _Sample(nn.Module):
    """A ``UNet2DModel`` that returns a tensor, and whose first convolution stays in float32."""

    def __init__(self, unet: UNet2DModel) -> None:
        super().__init__()
        keep_input_precise(unet)
        self.unet = unet

    def forward(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch _ height width"]:
        return self.unet(images, levels, return_dict=False)[0]


def as_deblurrer(unet: UNet2DModel, precision: Precision, predictor: Predictor | None = None) -> Deblurrer:
    """Wrap diffusers' network as a plain callable and switch it to evaluation mode; see :class:`Deblurrer`."""
    return Deblurrer(_Sample(unet.eval()), precision, predictor)


def load_unet(folder: Path, process: ProcessSettings, images: StoredImages) -> tuple[UNet2DModel, Predictor | None]:
    """Load a trained network as diffusers' ``UNet2DModel``, with its prediction target.

    Raises:
        UserError: if the folder has no network of this process and image size.
    """
    predictor = load_network(folder, process, images).predictor
    return UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True), predictor
