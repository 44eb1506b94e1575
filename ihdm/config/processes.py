"""What can be configured of processes and of the samplers that reverse them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field

from ihdm.config.predictions import KINDS, AnyPrediction, PredictionName
from ihdm.config.settings import BlurWidth, Count, Name, NoiseWidth, NumLevels, Settings

Schedule = Literal["linear", "cosine", "clipped_cosine"]
"""How noise grows with the level: DDPM's linear β, the cosine schedule of improved DDPM, or that of Blurring Diffusion,
whose log signal-to-noise ratio goes from 10 to −10."""
Coupling = Literal["independent", "markov", "deterministic"]
StepNoise = Literal["delta", "posterior", "measured", "none"]
WORDS = {"even": 1.0, "quadratic": 2.0}
"""Exponents of spacings that earlier versions had words for."""
Spacing = Annotated[float, Field(ge=0.1, le=10), BeforeValidator(lambda value: WORDS.get(str(value), value))]


KIND = "which process: heat, diffusion, blurring, soft or flow"


class ProcessBase(Settings):
    """What is said of processes where they are not named."""

    has_constant_noise: ClassVar[bool] = False
    """Whether s_k = σ at every level, faint enough not to be seen; the sampling noise δ is then given as δ/σ."""
    starts_from_images: ClassVar[bool] = False
    """Whether u_K is a blurred image with noise, and not noise alone."""
    own_prediction: ClassVar[PredictionName] = "noise"
    """What its networks predict unless something else is configured."""
    loses_modes: ClassVar[bool] = False
    """Whether the blur leaves nothing of some modes, so that no noise taken from u_k tells what they were."""
    spacing: ClassVar[float] = 2.0
    """Exponent of the spacing of levels that second-order samplers have unless something else is configured."""


class HeatSettings(ProcessBase):
    """Inverse heat dissipation: the forward blur and the training noise."""

    has_constant_noise: ClassVar[bool] = True
    starts_from_images: ClassVar[bool] = True
    own_prediction: ClassVar[PredictionName] = "residual"
    loses_modes: ClassVar[bool] = True
    spacing: ClassVar[float] = 0.5

    kind: Literal["heat"] = Field(description=KIND)
    sigma: NoiseWidth = Field(description="training noise σ, in units of the image range [0, 1]")
    num_levels: NumLevels = Field(description="K, the number of blurred levels")
    blur_sigma_min: BlurWidth = Field(default=0.5, description="blur width σ_B at level 1, in pixels")
    blur_sigma_max: BlurWidth = Field(description="blur width σ_B at level K, in pixels")

    def _mistakes(self) -> Iterator[str]:
        if self.blur_sigma_max < self.blur_sigma_min:
            yield f"blur_sigma_max {self.blur_sigma_max} is below blur_sigma_min {self.blur_sigma_min}"


class DiffusionSettings(ProcessBase):
    """Diffusion without blur (DDPM): noise grows and the image fades."""

    kind: Literal["diffusion"] = Field(description=KIND)
    num_levels: Annotated[int, Field(ge=25, le=100_000)] = Field(
        default=1000, description="K, the number of noisy levels"
    )
    schedule: Schedule = Field(default="linear", description="how noise grows with the level")
    clip: bool = Field(default=True, description="clip estimates of the clean image to the range of images")


class BlurringSettings(ProcessBase):
    """Blurring diffusion: noise grows as in diffusion, and fine detail fades first."""

    kind: Literal["blurring"] = Field(description=KIND)
    num_levels: Annotated[int, Field(ge=25, le=100_000)] = Field(default=1000, description="K, the number of levels")
    schedule: Schedule = Field(default="clipped_cosine", description="how noise grows with the level")
    blur_sigma_max: Annotated[float, Field(ge=0, le=100_000)] = Field(
        description="blur width σ_B at level K, in pixels; 0 is diffusion"
    )
    blur_floor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.001, description="what the blur leaves of every frequency at least"
    )


class SoftSettings(HeatSettings):
    """Soft Diffusion: the blur of heat dissipation under noise that grows with the level."""

    has_constant_noise: ClassVar[bool] = False
    own_prediction: ClassVar[PredictionName] = "whitened"
    spacing: ClassVar[float] = 0.7

    kind: Literal["soft"] = Field(description=KIND)  # type: ignore[assignment]
    sigma: NoiseWidth = Field(default=0.01, description="noise at level 1, in units of the image range [0, 1]")
    sigma_max: NoiseWidth = Field(default=0.1, description="noise at level K; between them it grows geometrically")


class FlowSettings(ProcessBase):
    """Heat dissipation flow matching: a straight path from the image to noise, which blurs on its way."""

    own_prediction: ClassVar[PredictionName] = "whitened"
    loses_modes: ClassVar[bool] = True
    spacing: ClassVar[float] = 1.4

    kind: Literal["flow"] = Field(description=KIND)
    num_levels: Annotated[int, Field(ge=25, le=100_000)] = Field(default=1000, description="K, the number of levels")


AnyProcess = HeatSettings | DiffusionSettings | BlurringSettings | SoftSettings | FlowSettings
PROCESS_KINDS = tuple(get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(AnyProcess))
ProcessSettings = Annotated[AnyProcess, Field(discriminator="kind")]


def observed_levels(process: AnyProcess, most: int | None) -> tuple[int, ...]:
    """Return the levels that a network is evaluated at, ascending: all, or so many of them, evenly spaced up to K."""
    if most is None or process.num_levels <= most:
        return tuple(range(1, process.num_levels + 1))
    return tuple(sorted({round(process.num_levels * number / most) for number in range(1, most + 1)}))


class SamplerSettings(Settings):
    """One member of the family of samplers: which levels are visited, how steps are coupled, what noise they add.

    From level k to the next level j < k, per DCT mode: u_j = c u_k + (a_j − c a_k) x̂ + noise.
    """

    coupling: Coupling = Field(
        default="independent",
        description="c, what is kept of the present state: nothing, as much as a Markov forward process would, or all, "
        "which leaves no room for noise",
    )
    noise: StepNoise = Field(
        default="delta",
        description="what is added: δ in every mode; what the coupling leaves room for; that and what the network was "
        "measured to leave open; or nothing",
    )
    evaluations: Count | Annotated[str, Field(pattern=r"^(all|K/[1-9][0-9]{0,5})$")] = Field(
        default="all", description="network evaluations for an image: all levels, a number, or K/4"
    )
    spacing: Spacing | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="exponent p of the levels that are evaluated, K (i/n)^p: 1 is even, larger ones are denser "
        "towards the image; by default 1, and for order 2 that of the process: 0.5 for heat, 0.7 for soft, 1.4 for "
        "flow, 2 for others",
    )
    order: Literal[1, 2] = Field(
        default=1,
        exclude_if=lambda value: value == 1,
        description="2 extrapolates the estimate of the clean image from that of the step before (DPM-Solver++(2M))",
    )

    def num_evaluations(self, num_levels: int) -> int:
        """Return how many evaluations an image takes, of a process of K levels."""
        if isinstance(self.evaluations, int):
            return min(self.evaluations, num_levels)
        share = re.fullmatch(r"K/(\d+)", self.evaluations)
        return max(1, num_levels // int(share.group(1))) if share else num_levels

    def levels(self, process: AnyProcess) -> tuple[int, ...]:
        """Return the levels that are visited, from K down to 0, the image: one more than there are evaluations."""
        num_levels = process.num_levels
        count = self.num_evaluations(num_levels)
        power = self.spacing or (1.0 if self.order == 1 else process.spacing)
        # Where levels would fall together, near the image or near K, every level is evaluated.
        evenly = (round(num_levels * (step / count) ** power) for step in range(count, -1, -1))
        return tuple(min(max(level, count - i), num_levels - i) for i, level in enumerate(evenly))

    @property
    def uses_delta(self) -> bool:
        """Whether δ says how much noise is added."""
        return self.noise == "delta"

    def is_calibrated(self, process: AnyProcess, prediction: AnyPrediction | None = None) -> bool:
        """Whether it needs the network's calibration: its residual variance, or the gains of steps over several levels.

        Args:
            process: the process.
            prediction: what the network predicts; by default what is the default of the process.
        """
        skips = self.num_evaluations(process.num_levels) < process.num_levels
        return self.noise == "measured" or ((prediction or default_prediction(process)).estimates_next_level and skips)

    def _mistakes(self) -> Iterator[str]:
        if self.order == 2 and (self.coupling, self.noise) != ("deterministic", "none"):
            yield "order 2 is for coupling 'deterministic' with noise 'none'"
        if self.coupling == "deterministic" and self.noise in ("posterior", "measured"):
            yield (
                f"coupling 'deterministic' leaves no room for noise '{self.noise}'; take noise 'none' or 'delta', or "
                "another coupling"
            )


PAPER = SamplerSettings()
"""The paper's sampler (algorithm 2): every level, nothing kept, δ in every mode."""
ANCESTRAL = SamplerSettings(coupling="markov", noise="posterior")
"""DDPM's sampler, and Blurring Diffusion's: every level, with the noise of the forward process."""
DDIM = SamplerSettings(coupling="deterministic", noise="none")
"""DDIM's sampler; on heat it is Cold Diffusion's (algorithm 2 there)."""

SAMPLERS = {"paper": PAPER, "ancestral": ANCESTRAL, "ddim": DDIM}
"""Those that every configuration knows by name."""


class HasPrediction:
    """Settings with a process and what a network of it predicts."""

    process: AnyProcess
    prediction: AnyPrediction | None

    @property
    def predicted(self) -> AnyPrediction:
        """What the network predicts."""
        return self.prediction or default_prediction(self.process)

    @property
    def has_paper_bound(self) -> bool:
        """Whether the network deblurs level by level under constant noise, as the paper's bound and limit need."""
        return self.process.has_constant_noise and self.predicted.estimates_next_level


class StudySettings(Settings):
    """A study of quality against network evaluations: each sampler with each number of them."""

    samplers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] = Field(
        description="samplers by name; one with δ is tried at every δ/σ of the experiment"
    )
    counts: Annotated[tuple[Count, ...], Field(min_length=1, max_length=100)] = Field(
        description="network evaluations for an image"
    )

    def resolve(self, samplers: Mapping[str, SamplerSettings]) -> list[SamplerSettings]:
        """Return every sampler with every number of evaluations."""
        return [with_evaluations(samplers[name], count) for name in self.samplers for count in self.counts]


def with_evaluations(sampler: SamplerSettings, count: int) -> SamplerSettings:
    """Return the same sampler with another number of network evaluations."""
    return sampler.model_copy(update={"evaluations": count})


def default_prediction(process: AnyProcess) -> AnyPrediction:
    """Return what networks of a process predict unless something else is chosen."""
    return KINDS[process.own_prediction]()


def default_sampler(process: AnyProcess) -> str:
    """Return the name of the sampler of a process for which none is chosen."""
    return "paper" if process.has_constant_noise else "ancestral"
