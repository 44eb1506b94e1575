"""Settings of predictions: what a network sees, and what it predicts."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, TypeAdapter

from ihdm.config.settings import Settings


class ResidualSettings(Settings):
    """The difference to the image of the next level, as in the paper."""

    kind: ClassVar[str] = "residual"
    estimates_next_level: ClassVar[bool] = True
    """Whether the estimate is of the next level alone, so that a step over several levels needs a calibration."""


class NoiseSettings(Settings):
    """The noise ε, as in DDPM."""

    kind: ClassVar[str] = "noise"
    estimates_next_level: ClassVar[bool] = False


class WhitenedSettings(Settings):
    """Preconditioning per DCT mode: unit variance in every mode of the input, and v as the target."""

    estimates_next_level: ClassVar[bool] = False

    kind: Literal["whitened"] = Field(default="whitened", description="the one prediction that has settings")
    max_stride: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0,
        description="weights of the loss: 0 counts all modes and levels alike, n by what steps over 1 to n levels add "
        "to the bound on the likelihood, so that 1 trains for the bound",
    )
    floor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1e-7, description="least power of a mode of images in [0, 1]; weaker modes are amplified no more"
    )
    image: bool = Field(default=False, description="show the network the noisy image too, in further input channels")


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
    """Settings of a prediction; those that have their defaults are written as a name."""
    OwnPrediction = Annotated[
        PredictionSettings | None,
        Field(
            exclude_if=lambda value: value is None,
            description="what the network predicts, by default `residual` for heat, `noise` for diffusion and "
            "blurring, and `whitened` for soft and flow",
        ),
    ]
    """The same, or None for the default of the process, which is then left out of JSON."""
PREDICTION: TypeAdapter[AnyPrediction] = TypeAdapter(PredictionSettings)
