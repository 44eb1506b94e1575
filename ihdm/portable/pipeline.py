"""A trained model as a pipeline of diffusers: network, scheduler and prior."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from diffusers import DiffusionPipeline, UNet2DModel
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from ihdm.config.settings import Precision
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.models.network import Deblurrer
from ihdm.models.unet import InputConvolution
from ihdm.portable.checking import require_agreement, require_weights
from ihdm.portable.prior import Prior, StoredCalibration, StoredStatistics
from ihdm.portable.scheduler import Generators, IHDMScheduler
from ihdm.predictions import Predictor
from ihdm.pretrained import resolve
from ihdm.storage.tensors import require_finite, to_uint8

Callback = Callable[["IHDMPipeline", int, int, dict[str, Tensor]], dict[str, Tensor] | None]
"""Is called after each step with the pipeline, the step's number, its level, and ``latents``, the state, and ``mean``;
what it returns as ``latents`` takes the place of the state."""
Draw = Callable[[], Images]
"""Draws the standard normal noise of the next step."""


def keep_input_precise(unet: UNet2DModel) -> None:
    """Keep the first convolution in float32 under autocast."""
    unet.conv_in.__class__ = InputConvolution


class _Sample(nn.Module):
    """A ``UNet2DModel`` that returns a tensor."""

    def __init__(self, unet: UNet2DModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch _ height width"]:
        return self.unet(images, levels, return_dict=False)[0]


class IHDMPipeline(DiffusionPipeline):
    """Generates images with a trained network of any process.

    .. code-block:: python

        from ihdm import IHDMPipeline
        pipe = IHDMPipeline.from_pretrained(folder)
        images = pipe(batch_size=16).images

    Args:
        unet: the network.
        scheduler: process and sampler.
        prior: prior of the starts; None for processes that start from noise.
        calibration: calibration of the network, which some samplers need.
        statistics: statistics of the training images, for the prediction `whitened`.
    """

    model_cpu_offload_seq = "unet"
    _optional_components = ["prior", "calibration", "statistics"]  # noqa: RUF012 (diffusers has it so)

    def __init__(
        self,
        unet: UNet2DModel,
        scheduler: IHDMScheduler,
        prior: Prior | None = None,
        calibration: StoredCalibration | None = None,
        statistics: StoredStatistics | None = None,
    ) -> None:
        super().__init__()
        if isinstance(unet, UNet2DModel):  # before hooks replace its `forward`
            keep_input_precise(unet)
        self.register_modules(
            unet=unet, scheduler=scheduler, prior=prior, calibration=calibration, statistics=statistics
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike[str], **kwargs: Any) -> Self:  # noqa: ANN401
        """Load a pretrained model by name, or a pipeline from a folder; arguments are those of diffusers.

        Raises:
            UserError: if pickled weights are requested, weights are damaged, or parts do not fit together.
        """
        if not kwargs.setdefault("use_safetensors", True):
            raise UserError("use_safetensors=False: pickled weights can run code when loaded; use safetensors")
        given = pretrained_model_name_or_path
        folder = resolve(given) if isinstance(given, str) else Path(given)
        if not folder.is_dir():
            folder = Path(cls.download(str(pretrained_model_name_or_path), **kwargs))
        require_weights(folder, cls.config_name, kwargs)
        loaded: Self = super().from_pretrained(str(folder), **kwargs)
        require_agreement(loaded, str(pretrained_model_name_or_path))
        return loaded

    @property
    def predictor(self) -> Predictor:
        """The prediction target of the network."""
        if self.statistics is not None:
            self.scheduler.statistics = self.statistics.table()
        return self.scheduler.predictor

    def deblurrer(self, precision: Precision) -> Deblurrer:
        """Return the network as a callable f(u, k) in evaluation mode."""
        keep_input_precise(self.unet)  # it may have been replaced
        return Deblurrer(_Sample(self.unet.eval()), precision, self.predictor)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        config = self.unet.config
        return config.out_channels, config.sample_size, config.sample_size

    @torch.no_grad()
    def __call__(
        self,
        batch_size: int = 1,
        evaluations: int | None = None,
        generator: Generators = None,
        *,
        starts: Images | None = None,
        shared_start: bool = False,
        shared_noise: bool = False,
        precision: Precision = "no",
        output_type: Literal["pil", "np", "pt"] = "pil",
        return_dict: bool = True,
        callback_on_step_end: Callback | None = None,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Generate images.

        With a list of generators, an image does not depend on the rest of the batch.

        Args:
            batch_size: number of images.
            evaluations: NFE per image; by default that of the scheduler.
            generator: one generator, or one per image.
            starts: u_K in the range of the process; by default they are drawn.
            shared_start: whether all images have the start of the first.
            shared_noise: whether all images have the noise of the first.
            precision: precision of the network; states stay in float32.
            output_type: ``pil`` for PIL images; ``pt`` or ``np`` for values in [0, 1], channels last for ``np``.
            return_dict: whether to return an object instead of a tuple.
            callback_on_step_end: called after each step.

        Raises:
            UserError: if the number of generators or the shape of the starts is wrong, the sampler needs a calibration
                that is missing, or starts or images have values that are not finite.
        """
        own = self._generators(generator, batch_size)
        if starts is None:
            starts = self.draw_starts(1, own[0]) if shared_start else self.draw_starts(batch_size, generator)
        if starts.shape[1:] != self.image_shape or len(starts) not in (1, batch_size):
            wanted = "×".join(map(str, self.image_shape))
            raise UserError(
                f"starts has shape {tuple(starts.shape)}, but {batch_size} images of {wanted} are requested"
            )
        if not bool(starts.isfinite().all()):
            raise UserError("starts has values that are not finite (NaN or infinity)")
        starts = starts.to(self._execution_device).expand(batch_size, -1, -1, -1)

        def draw() -> Images:
            if shared_noise:
                return self._normal(1, own[0]).expand(batch_size, -1, -1, -1)
            return self._normal(batch_size, generator)

        images = _last(self._run(starts, draw, evaluations, precision, callback_on_step_end))
        return self._finish(images, output_type, return_dict=return_dict)

    @torch.no_grad()
    def interpolate(
        self,
        first: torch.Generator,
        second: torch.Generator,
        num_positions: int = 8,
        evaluations: int | None = None,
        precision: Precision = "no",
        output_type: Literal["pil", "np", "pt"] = "pil",
    ) -> ImagePipelineOutput:
        """Interpolate between the images of two generators (paper, section 4.3).

        Starts are interpolated linearly for heat, otherwise spherically; the noise of every step spherically.

        Args:
            first: generator of the first image.
            second: generator of the last image.
            num_positions: images per path, both ends included; 2 or more.
            evaluations: NFE per image; by default that of the scheduler.
            precision: precision of the network; states stay in float32.
            output_type: as for a call of the pipeline.

        Raises:
            UserError: if there are fewer than two positions.
        """
        if num_positions < 2:
            raise UserError(f"num_positions is {num_positions}; at least 2 are needed, the two ends")
        device = self._execution_device
        angles = torch.linspace(0, np.pi / 2, num_positions, device=device)
        cosines, sines = (part[:, None, None, None] for part in (angles.cos(), angles.sin()))
        ends = [self.draw_starts(1, generator).to(device) for generator in (first, second)]
        process = self.scheduler.process_for(ends[0])
        starts = process.blend_starts(*(end.expand(num_positions, -1, -1, -1) for end in ends), angles)

        def draw() -> Images:
            return cosines * self._normal(1, first) + sines * self._normal(1, second)

        images = _last(self._run(starts, draw, evaluations, precision, None))
        return self._finish(images, output_type, return_dict=True)

    @torch.no_grad()
    def trajectory(
        self,
        batch_size: int = 1,
        evaluations: int | None = None,
        generator: Generators = None,
        precision: Precision = "no",
    ) -> Iterator[tuple[int, Images]]:
        """Yield images as they form, in [0, 1]: the start with level K, then the mean of each step with its level.

        Arguments are those of a call of the pipeline. The noise of the process is included.
        """
        starts = self.draw_starts(batch_size, generator).to(self._execution_device)
        process = self.scheduler.process_for(starts)
        yield len(self.scheduler), process.from_range(starts)
        for level, mean in self._run(starts, lambda: self._normal(batch_size, generator), evaluations, precision, None):
            yield level, process.from_range(mean)

    def draw_starts(self, batch_size: int, generator: Generators = None) -> Images:
        """Draw starts u_K, in the range of the process.

        Raises:
            UserError: if the number of generators is wrong, or the process needs a prior and the pipeline has none.
        """
        own = self._generators(generator, batch_size)
        self._require_float32()
        noise = self._normal(batch_size, generator)
        if not self.scheduler.process_settings.starts_from_images:
            return noise
        if self.prior is None:
            raise UserError("this pipeline has no prior to draw starts from; pass starts")
        blurred = self.prior.draw(own)
        return blurred.to(noise.device, torch.float32) + self.scheduler.bandwidth * noise

    def _require_float32(self) -> None:
        """Refuse weights in half precision, which is too coarse for the noise σ."""
        if self.unet.dtype != torch.float32:
            raise UserError(
                f"the weights are {self.unet.dtype}, too coarse for the noise σ; keep them in float32 and set precision"
            )

    def _run(
        self,
        state: Images,
        draw: Draw,
        evaluations: int | None,
        precision: Precision,
        callback: Callback | None,
    ) -> Iterator[tuple[int, Images]]:
        """Yield the level and the mean after every step."""
        self._require_float32()
        network = self.deblurrer(precision)
        scheduler = self.scheduler
        scheduler.calibration = self.calibration.table() if self.calibration is not None else None
        scheduler.set_timesteps(evaluations, device=state.device)
        visited, estimate = [*scheduler.timesteps.tolist(), 0], None
        with self.progress_bar(total=len(visited) - 1) as progress:
            for number, (level, next_level) in enumerate(pairwise(visited)):
                levels = torch.full((len(state),), level, device=state.device)
                output = network(scheduler.scale_model_input(state, level), levels)
                noise = draw() if scheduler.is_noisy(level, state) else None
                scheduler.previous_estimate = estimate  # of this batch: others may be on their way too
                step = scheduler.step(output, level, state, noise=noise)
                estimate = step.estimate
                state = step.prev_sample
                if callback:
                    changed = callback(self, number, level, {"latents": state, "mean": step.mean}) or {}
                    state = changed.get("latents", state)
                progress.update()
                if next_level == 0:
                    require_finite(state)
                yield next_level, state if next_level == 0 else step.mean
        self.maybe_free_model_hooks()

    def _normal(self, count: int, generator: Generators) -> Images:
        own = list(generator) if isinstance(generator, Sequence) else generator
        return randn_tensor((count, *self.image_shape), generator=own, device=self._execution_device)

    @staticmethod
    def _generators(generator: Generators, count: int) -> list[torch.Generator | None]:
        """Return the generator of each image."""
        if generator is None or isinstance(generator, torch.Generator):
            return [generator] * count
        if len(generator) != count:
            raise UserError(f"{len(generator)} generators for {count} images; pass one generator, or one per image")
        return list(generator)

    def _finish(self, images: Images, output_type: str, *, return_dict: bool) -> ImagePipelineOutput | tuple[Any]:
        shown = self.scheduler.process_for(images).from_range(images).clamp(0, 1).cpu()
        found: Any = shown
        if output_type == "np":
            found = shown.permute(0, 2, 3, 1).numpy()
        elif output_type == "pil":
            found = as_pictures(to_uint8(shown))
        return ImagePipelineOutput(images=found) if return_dict else (found,)


def _last(steps: Iterator[tuple[int, Images]]) -> Images:
    """Return the result of the last step, without keeping earlier ones in memory."""
    ((_, images),) = deque(steps, maxlen=1)
    return images


def as_pictures(images: np.ndarray) -> list[Image.Image]:
    """Return stored images, uint8 N×H×W×C, as PIL images."""
    return [Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image) for image in images]
