"""The samplers of this package as a scheduler of diffusers: the network predicts, the scheduler steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerMixin, SchedulerOutput
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Int
from pydantic import TypeAdapter
from torch import Tensor

from ihdm.calibration import Calibration
from ihdm.config.processes import (
    PREDICTION,
    SAMPLERS,
    ProcessSettings,
    SamplerSettings,
    default_prediction,
    default_sampler,
)
from ihdm.config.settings import DeltaRatio, PriorNoise
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.predictions import Prediction, Predictor, Statistics
from ihdm.prior import start_bandwidth
from ihdm.processes import Process, build_process
from ihdm.samplers import Step, add_noise, plan_step, take_step

_PROCESS: TypeAdapter[ProcessSettings] = TypeAdapter(ProcessSettings)
_PRIOR_NOISE: TypeAdapter[PriorNoise] = TypeAdapter(PriorNoise)
_DELTA_RATIO: TypeAdapter[DeltaRatio] = TypeAdapter(DeltaRatio, config={"strict": True, "allow_inf_nan": False})

Generators = torch.Generator | Sequence[torch.Generator] | None
"""One generator for a batch, one for each image of it, or PyTorch's own."""


@dataclass
class IHDMSchedulerOutput(SchedulerOutput):
    """The result of a step.

    Attributes:
        prev_sample: u_j, the next state.
        mean: mean of u_j, before noise is added; at level 0 the image.
        estimate: the network's estimate of the image at level k−1, or of the clean image.
    """

    mean: Tensor
    estimate: Tensor


class IHDMScheduler(SchedulerMixin, ConfigMixin):
    """Every sampler of this package for every process, as a scheduler of diffusers; see :mod:`ihdm.samplers`.

    States and images are in the range of the process: [0, 1] for heat, [−1, 1] for diffusion and blurring diffusion.

    Args:
        process: settings of the process as in a configuration: ``{"kind": "heat", "sigma": 0.01, …}``.
        prediction: settings of the prediction; by default that of the process.
        coupling: share of the state that a step keeps; by default that of the process's sampler.
        noise: noise of a step; by default that of the process's sampler.
        evaluations: NFE per image: ``"all"`` levels, a number, or ``"K/4"``.
        spacing: exponent of the evaluated levels; by default 1, and for order 2 that of the process.
        order: 1, or 2 for DPM-Solver++(2M).
        delta_ratio: δ/σ, for samplers that use it.
        prior_noise: bandwidth of the starts: ``delta``, ``sigma`` or ``none``.

    Attributes:
        calibration: calibration of the network, for samplers with measured noise and, if the network
            estimates the next level, for steps over several levels. The pipeline sets it.
        timesteps: the evaluated levels, from K down to the last before the image.

    Raises:
        ValidationError: if the settings are not valid.
        UserError: if the order is 2 and the network does not estimate the clean image.
    """

    order = 1  # of the network's evaluations in a step, in diffusers' words
    init_noise_sigma = 1.0
    has_compatibles = False

    @register_to_config
    def __init__(
        self,
        process: dict[str, Any],
        prediction: dict[str, Any] | str | None = None,
        coupling: str | None = None,
        noise: str | None = None,
        evaluations: int | str = "all",
        spacing: float | str | None = None,
        order: int = 1,
        delta_ratio: float = 1.25,
        prior_noise: PriorNoise = "delta",
    ) -> None:
        _PRIOR_NOISE.validate_python(prior_noise)  # it is kept in the configuration
        self.process_settings = _PROCESS.validate_python(dict(process))
        given = None if prediction is None else PREDICTION.validate_python(prediction)
        self.predictor = Predictor(given or default_prediction(self.process_settings))
        own = SAMPLERS[default_sampler(self.process_settings)]
        self.sampler = SamplerSettings.model_validate(
            {
                "coupling": coupling or own.coupling,
                "noise": noise or own.noise,
                "evaluations": evaluations,
                "spacing": spacing,
                "order": order,
            }
        )
        if mistake := self.sampler.mistake_with(self.process_settings, given):
            raise UserError(f"the sampler {mistake}")
        self.delta_ratio = _DELTA_RATIO.validate_python(delta_ratio)
        self.calibration: Calibration | None = None
        self.num_inference_steps: int | None = None
        self.timesteps: Int[Tensor, evaluation]
        self._next: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self.previous_estimate: Images | None = None
        # The operators of a size and device, and the steps there, are made once.
        self._processes: dict[tuple[int, torch.device], Process] = {}
        self._predictions: dict[tuple[int, torch.device], Prediction] = {}
        self._steps: dict[tuple[int, int, torch.device, float], Step] = {}
        self._evaluate_at(self.sampler, torch.device("cpu"))

    def __len__(self) -> int:
        return self.process_settings.num_levels

    def _evaluate_at(self, sampler: SamplerSettings, device: torch.device | str) -> None:
        levels = sampler.levels(self.process_settings)
        self.chosen = sampler
        self._next = dict(pairwise(levels))
        self._before = {level: before for before, level in self._next.items()}
        self._steps = {}
        self.timesteps = torch.as_tensor(levels[:-1], device=device)

    def set_timesteps(self, num_inference_steps: int | None = None, device: torch.device | str = "cpu") -> None:
        """Choose the evaluated levels.

        Args:
            num_inference_steps: NFE per image, at most K; by default as configured.
            device: device of :attr:`timesteps`.

        Raises:
            UserError: if there are more than K or fewer than one, or the network was not measured and these samplers
                need it.
        """
        sampler, num_levels = self.sampler, self.process_settings.num_levels
        if num_inference_steps is not None:
            if not 1 <= num_inference_steps <= num_levels:
                raise UserError(f"{num_inference_steps} evaluations (NFE) are requested; use 1 to {num_levels}")
            sampler = sampler.model_copy(update={"evaluations": num_inference_steps})
        if self._is_calibrated(sampler):
            self._require_measured(sampler)
        self._evaluate_at(sampler, device)
        self.num_inference_steps = len(self.timesteps)

    def _is_calibrated(self, sampler: SamplerSettings) -> bool:
        return sampler.is_calibrated(self.process_settings, self.predictor.settings)

    def _require_measured(self, sampler: SamplerSettings) -> None:
        num_levels = self.process_settings.num_levels
        measured = set() if self.calibration is None else set(self.calibration.levels.tolist())
        wanted = set(sampler.levels(self.process_settings)) - {0}
        if wanted <= measured:
            return
        counts = [
            count
            for count in range(1, num_levels + 1)
            if set(sampler.model_copy(update={"evaluations": count}).levels(self.process_settings)) - {0} <= measured
        ]
        if sampler.noise != "measured":
            counts = sorted({*counts, num_levels})
        possible = f"use {', '.join(map(str, counts))} evaluations" if counts else "use another sampler"
        raise UserError(
            f"coupling '{sampler.coupling}' with noise '{sampler.noise}' and {sampler.num_evaluations(num_levels)} "
            f"evaluations needs a calibration at every evaluated level, which this network lacks; {possible}"
        )

    @property
    def delta(self) -> float:
        """δ, in units of the process's range."""
        return self.delta_ratio * self.deviation

    @cached_property
    def deviation(self) -> float:
        """Standard deviation s_K of the noise at level K."""
        return build_process(self.process_settings, 2).deviation(len(self))  # the same for images of any size

    @property
    def bandwidth(self) -> float:
        """Standard deviation of the noise of a start that is a blurred training image."""
        return start_bandwidth(self.config.prior_noise, self.sampler, self.deviation, self.delta)

    @property
    def statistics(self) -> Statistics | None:
        """Statistics of the training images, for predictions that need them. The pipeline sets them."""
        return self.predictor.statistics

    @statistics.setter
    def statistics(self, found: Statistics | None) -> None:
        self.predictor = Predictor(self.predictor.settings, found)
        self._predictions.clear()

    def prediction_for(self, images: Images) -> Prediction:
        """Return the prediction for square images of this size, on their device."""
        key = images.shape[-1], images.device
        if key not in self._predictions:
            self._predictions[key] = self.predictor.on(self.process_for(images))
        return self._predictions[key]

    def process_for(self, images: Images) -> Process:
        """Return the process for square images of this size, on their device."""
        key = images.shape[-1], images.device
        if key not in self._processes:
            self._processes[key] = build_process(self.process_settings, *key)
        return self._processes[key]

    def _step_from(self, level: int, state: Images) -> Step:
        key = level, state.shape[-1], state.device, self.delta
        if key not in self._steps:
            calibration = self.calibration if self._is_calibrated(self.chosen) else None
            self._steps[key] = plan_step(
                self.prediction_for(state),
                self.chosen,
                level,
                self._next[level],
                self.delta,
                calibration,
                self._before.get(level),
            )
        return self._steps[key]

    def is_noisy(self, level: int, sample: Images) -> bool:
        """Return whether the step from a level adds noise."""
        step = self._step_from(level, sample)
        return step.next_level > 0 and step.is_noisy

    def scale_model_input(self, sample: Images, timestep: int | Tensor) -> Images:
        """Return the network's input for a state at a level."""
        levels = torch.full((len(sample),), int(timestep), device=sample.device)
        return self.prediction_for(sample).network_input(sample, levels)

    def add_noise(self, original_samples: Images, noise: Images, timesteps: Int[Tensor, "batch"]) -> Images:
        """Return draws of q(u_k | u₀) with this noise.

        Args:
            original_samples: u₀, in the range of the process.
            noise: standard normal.
            timesteps: k of each image, in 1…K.
        """
        process = self.process_for(original_samples)
        return process.draw(process.from_range(original_samples), timesteps, noise)

    def step(
        self,
        model_output: Images,
        timestep: int | Tensor,
        sample: Images,
        generator: Generators = None,
        noise: Images | None = None,
        return_dict: bool = True,
    ) -> IHDMSchedulerOutput | tuple[Tensor, ...]:
        """Take a step from a level to the next one.

        Args:
            model_output: output of the network at this state and level.
            timestep: k, one of :attr:`timesteps`.
            sample: u_k.
            generator: generator of the noise.
            noise: standard normal; by default it is drawn.
            return_dict: whether to return an object instead of a tuple.

        Raises:
            UserError: if this level is not evaluated.
        """
        level = int(timestep)
        if level not in self._next:
            raise UserError(f"level {level} is not among the {len(self._next)} evaluated levels; see timesteps")
        prediction, step = self.prediction_for(sample), self._step_from(level, sample)
        before = self.previous_estimate if level in self._before and self.chosen.order == 2 else None
        taken = take_step(prediction, step, sample, prediction.read(model_output, sample, level), before)
        self.previous_estimate = taken.estimate
        state = taken.mean
        if self.is_noisy(level, sample):
            if noise is None:
                noise = randn_tensor(sample.shape, generator=generator, device=sample.device, dtype=sample.dtype)
            state = add_noise(prediction.process, step, state, noise)
        if not return_dict:
            return state, taken.mean, taken.estimate
        return IHDMSchedulerOutput(prev_sample=state, mean=taken.mean, estimate=taken.estimate)
