"""Settings of forward processes, of what their networks predict, and of the samplers that reverse them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, TypeAdapter

from ihdm.config.settings import BlurWidth, Count, NoiseWidth, NumLevels, Settings

Schedule = Literal["linear", "cosine", "clipped_cosine"]
"""Noise schedule: DDPM's linear β, the cosine schedule of improved DDPM, or that of Blurring Diffusion, whose log
signal-to-noise ratio is clipped to ±10."""
Coupling = Literal["independent", "markov", "deterministic"]
StepNoise = Literal["delta", "posterior", "measured", "none"]
FORMER_SPACINGS = {"even": 1.0, "quadratic": 2.0}
"""Exponents that earlier versions spelled as words."""
Spacing = Annotated[float, Field(ge=0.1, le=10), BeforeValidator(lambda value: FORMER_SPACINGS.get(str(value), value))]
ManyLevels = Annotated[int, Field(ge=25, le=100_000)]
KIND = "which process: heat, diffusion, blurring, soft or flow"
EVALUATIONS_PATTERN = r"^(all|K/[1-9][0-9]{0,5})$"


class ResidualSettings(Settings):
    """The difference to the image of the next level, as in the paper."""

    kind: ClassVar[str] = "residual"
    estimates_next_level: ClassVar[bool] = True
    """Whether the network estimates only the next level, so that a step over several levels needs a calibration."""
    has_statistics: ClassVar[bool] = False
    """Whether it needs statistics of the training images, in a file next to the network."""


class NoiseSettings(Settings):
    """The noise ε, as in DDPM."""

    kind: ClassVar[str] = "noise"
    estimates_next_level: ClassVar[bool] = False
    has_statistics: ClassVar[bool] = False


class WhitenedSettings(Settings):
    """Preconditioning per DCT mode: inputs of unit variance in every mode, and v as the target."""

    estimates_next_level: ClassVar[bool] = False
    has_statistics: ClassVar[bool] = True

    kind: Literal["whitened"] = Field(default="whitened", description="the only prediction with settings")
    max_stride: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0,
        description="loss weights: 0 weights all modes and levels equally, n by the contribution of steps over 1 to n "
        "levels to the likelihood bound, so that 1 optimizes the bound",
    )
    floor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1e-7,
        description="lower bound of the power of a mode, for images in [0, 1]; weaker modes are amplified no further",
    )
    image: bool = Field(default=False, description="add the noisy image to the network's input, as extra channels")


AnyPrediction = ResidualSettings | NoiseSettings | WhitenedSettings
PredictionName = Literal["residual", "noise", "whitened"]
KINDS: dict[PredictionName, type[AnyPrediction]] = {
    "residual": ResidualSettings,
    "noise": NoiseSettings,
    "whitened": WhitenedSettings,
}


def _by_name(value: AnyPrediction | PredictionName) -> AnyPrediction:
    return KINDS[value]() if isinstance(value, str) else value


def _shortest(value: AnyPrediction) -> str | dict[str, object]:
    return value.model_dump() if isinstance(value, WhitenedSettings) and value != WhitenedSettings() else value.kind


if TYPE_CHECKING:
    PredictionSettings = AnyPrediction
    OwnPrediction = AnyPrediction | None
else:
    PredictionSettings = Annotated[
        PredictionName | WhitenedSettings,
        BeforeValidator(lambda value: _shortest(value) if isinstance(value, AnyPrediction) else value),
        AfterValidator(_by_name),
        PlainSerializer(_shortest),
    ]
    """Settings of a prediction, written as its name if all are defaults."""
    OwnPrediction = Annotated[
        PredictionSettings | None,
        Field(
            exclude_if=lambda value: value is None,
            description="target of the network, by default `residual` for heat, `noise` for diffusion and "
            "blurring, and `whitened` for soft and flow",
        ),
    ]
    """The same, or None for the default of the process, which JSON omits."""
PREDICTION: TypeAdapter[AnyPrediction] = TypeAdapter(PredictionSettings)


class ProcessBase(Settings):
    """Properties of a process that other code asks for."""

    has_constant_noise: ClassVar[bool] = False
    """Whether s_k = σ at every level, too faint to see; the sampling noise δ is then set as δ/σ."""
    starts_from_images: ClassVar[bool] = False
    """Whether u_K is a blurred image with noise instead of pure noise."""
    own_prediction: ClassVar[PredictionName] = "noise"
    """The default prediction."""
    loses_modes: ClassVar[bool] = False
    """Whether the blur erases some modes, which then cannot be recovered from u_k and its noise."""
    fades_alike: ClassVar[bool] = False
    """Whether a_k is the same for all DCT modes, so that the noise in u_k determines the clean image."""
    spacing: ClassVar[float] = 2.0
    """Default exponent of the spacing of levels for second-order samplers."""


class HeatSettings(ProcessBase):
    """Inverse heat dissipation: forward blur and training noise."""

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

    fades_alike: ClassVar[bool] = True

    kind: Literal["diffusion"] = Field(description=KIND)
    num_levels: ManyLevels = Field(default=1000, description="K, the number of noisy levels")
    schedule: Schedule = Field(default="linear", description="noise schedule")
    clip: bool = Field(default=True, description="clip estimates of the clean image to the range of images")


class BlurringSettings(ProcessBase):
    """Blurring diffusion: noise grows as in diffusion, and fine detail fades first."""

    kind: Literal["blurring"] = Field(description=KIND)
    num_levels: ManyLevels = Field(default=1000, description="K, the number of levels")
    schedule: Schedule = Field(default="clipped_cosine", description="noise schedule")
    blur_sigma_max: Annotated[float, Field(ge=0, le=100_000)] = Field(
        description="blur width σ_B at level K, in pixels; 0 is diffusion"
    )
    blur_floor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.001, description="smallest factor by which the blur scales a frequency"
    )


class SoftSettings(HeatSettings):
    """Soft Diffusion: the blur of heat dissipation with noise that grows with the level."""

    has_constant_noise: ClassVar[bool] = False
    own_prediction: ClassVar[PredictionName] = "whitened"
    spacing: ClassVar[float] = 0.7

    kind: Literal["soft"] = Field(description=KIND)  # type: ignore[assignment]
    sigma: NoiseWidth = Field(default=0.01, description="noise at level 1, in units of the image range [0, 1]")
    sigma_max: NoiseWidth = Field(default=0.1, description="noise at level K, with geometric growth between")


class FlowSettings(ProcessBase):
    """Heat dissipation flow matching: a straight path from the image to noise that also blurs."""

    own_prediction: ClassVar[PredictionName] = "whitened"
    loses_modes: ClassVar[bool] = True
    spacing: ClassVar[float] = 1.4

    kind: Literal["flow"] = Field(description=KIND)
    num_levels: ManyLevels = Field(default=1000, description="K, the number of levels")


AnyProcess = HeatSettings | DiffusionSettings | BlurringSettings | SoftSettings | FlowSettings
PROCESS_KINDS = tuple(get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(AnyProcess))
ProcessSettings = Annotated[AnyProcess, Field(discriminator="kind")]


def observed_levels(process: AnyProcess, most: int | None) -> tuple[int, ...]:
    """Return the levels at which a network is evaluated, ascending: all, or ``most`` of them, evenly spaced up to K."""
    if most is None or process.num_levels <= most:
        return tuple(range(1, process.num_levels + 1))
    return tuple(sorted({round(process.num_levels * number / most) for number in range(1, most + 1)}))


class SamplerSettings(Settings):
    """A sampler: the levels that it evaluates, the coupling of its steps, and the noise that they add.

    From level k to the next level j < k, per DCT mode: u_j = c u_k + (a_j − c a_k) x̂ + noise.
    """

    coupling: Coupling = Field(
        default="independent",
        description="share c of the current state that a step keeps: 0, that of a Markov forward process, or all, with "
        "no room for noise",
    )
    noise: StepNoise = Field(
        default="delta",
        description="noise of a step: δ in every mode; the variance that the coupling leaves; that plus the network's "
        "measured residual variance; or none",
    )
    evaluations: Count | Annotated[str, Field(pattern=EVALUATIONS_PATTERN)] = Field(
        default="all", description="function evaluations (NFE) per image: all levels, a number, or K/4"
    )
    spacing: Spacing | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="exponent p of the evaluated levels K (i/n)^p: 1 is even, larger values are denser near the image; "
        "by default 1, for order 2 that of the process: 0.5 for heat, 0.7 for soft, 1.4 for flow, 2 for others",
    )
    order: Literal[1, 2] = Field(
        default=1,
        exclude_if=lambda value: value == 1,
        description="2 extrapolates the estimated clean image from the previous step (DPM-Solver++(2M))",
    )

    def num_evaluations(self, num_levels: int) -> int:
        """Return the NFE per image for a process with K levels."""
        if isinstance(self.evaluations, int):
            return min(self.evaluations, num_levels)
        share = re.fullmatch(r"K/(\d+)", self.evaluations)
        return max(1, num_levels // int(share.group(1))) if share else num_levels

    def levels(self, process: AnyProcess) -> tuple[int, ...]:
        """Return the levels from K down to 0, the image: one more than the NFE."""
        num_levels = process.num_levels
        count = self.num_evaluations(num_levels)
        power = self.spacing or (1.0 if self.order == 1 else process.spacing)
        # Where levels would coincide, near the image or near K, every level is evaluated.
        evenly = (round(num_levels * (step / count) ** power) for step in range(count, -1, -1))
        return tuple(min(max(level, count - i), num_levels - i) for i, level in enumerate(evenly))

    @property
    def uses_delta(self) -> bool:
        """Whether steps add noise of standard deviation δ."""
        return self.noise == "delta"

    def is_calibrated(self, process: AnyProcess, prediction: AnyPrediction | None = None) -> bool:
        """Whether it needs the network's calibration: the residual variance, or gains for steps over several levels.

        ``prediction`` defaults to that of the process.
        """
        skips = self.num_evaluations(process.num_levels) < process.num_levels
        return self.noise == "measured" or ((prediction or default_prediction(process)).estimates_next_level and skips)

    def mistake_with(self, process: AnyProcess, prediction: AnyPrediction | None = None) -> str | None:
        """Return why its order does not fit a process and prediction, and how to fix it; None if it does.

        ``prediction`` defaults to that of the process.
        """
        predicted = prediction or default_prediction(process)
        estimates_image = predicted.kind == "whitened" or (predicted.kind == "noise" and process.fades_alike)
        if self.order == 1 or estimates_image:
            return None
        return (
            f"has order 2, which needs estimates of the clean image, but prediction '{predicted.kind}' of process "
            f"'{process.kind}' estimates another level; use a sampler of order 1, or prediction 'whitened'"
        )

    def _mistakes(self) -> Iterator[str]:
        if self.order == 2 and (self.coupling, self.noise) != ("deterministic", "none"):
            yield (
                f"order 2 is not defined for coupling '{self.coupling}' with noise '{self.noise}'; use coupling "
                "'deterministic' and noise 'none', or order 1"
            )
        if self.coupling == "deterministic" and self.noise in ("posterior", "measured"):
            yield (
                f"coupling 'deterministic' leaves no room for noise '{self.noise}'; use noise 'none' or 'delta', or "
                "another coupling"
            )


PAPER = SamplerSettings()
"""The paper's sampler (algorithm 2): every level, c = 0, δ in every mode."""
ANCESTRAL = SamplerSettings(coupling="markov", noise="posterior")
"""The sampler of DDPM and of Blurring Diffusion: every level, with the noise of the forward process."""
DDIM = SamplerSettings(coupling="deterministic", noise="none")
"""DDIM; for heat, the sampler of Cold Diffusion (algorithm 2 there)."""

SAMPLERS = {"paper": PAPER, "ancestral": ANCESTRAL, "ddim": DDIM}
"""The samplers that every configuration can name."""


class HasPrediction(Settings):
    """Shared by settings with a process and the prediction of its network."""

    process: ProcessSettings
    prediction: OwnPrediction = None

    @property
    def predicted(self) -> AnyPrediction:
        """The prediction, with the default filled in."""
        return self.prediction or default_prediction(self.process)

    @property
    def has_paper_bound(self) -> bool:
        """Whether the network deblurs level by level with constant noise, as the paper's bound and limit require."""
        return self.process.has_constant_noise and self.predicted.estimates_next_level


def with_evaluations(sampler: SamplerSettings, count: int) -> SamplerSettings:
    """Return the same sampler with another NFE."""
    return sampler.model_copy(update={"evaluations": count})


def default_prediction(process: AnyProcess) -> AnyPrediction:
    """Return the default prediction of a process."""
    return KINDS[process.own_prediction]()


def default_sampler(process: AnyProcess) -> str:
    """Return the name of the default sampler of a process."""
    return "paper" if process.has_constant_noise else "ancestral"
