"""Settings of predictions: the input and the target of a network."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, TypeAdapter

from ihdm.config.settings import Settings


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
