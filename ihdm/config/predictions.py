"""Settings of predictions: what a network sees, and what it predicts."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, PlainSerializer, TypeAdapter

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


AnyPrediction = ResidualSettings | NoiseSettings
PredictionName = Literal["residual", "noise"]


def _by_name(value: AnyPrediction | PredictionName) -> AnyPrediction:
    return next(kind() for kind in get_args(AnyPrediction) if kind.kind == value) if isinstance(value, str) else value


PredictionSettings = Annotated[PredictionName, AfterValidator(_by_name), PlainSerializer(lambda value: value.kind)]
"""Settings of a prediction, as its name."""
PREDICTION: TypeAdapter[AnyPrediction] = TypeAdapter(PredictionSettings)
OwnPrediction = Annotated[
    PredictionSettings | None,
    Field(
        exclude_if=lambda value: value is None,
        description="what the network predicts, by default `residual` for heat and `noise` for other processes",
    ),
]
"""Settings of a prediction, None for that which networks of a process have by default; it is then left out of JSON."""
