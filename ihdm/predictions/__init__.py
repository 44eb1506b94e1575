"""Predictions of networks: a class for each, with settings in ``ihdm.config.processes``."""

from collections.abc import Callable
from dataclasses import dataclass

from ihdm.config.processes import AnyPrediction, NoiseSettings, ResidualSettings, WhitenedSettings, default_prediction
from ihdm.objective import Network
from ihdm.predictions.direct import Noise, Residual
from ihdm.predictions.prediction import Prediction, Statistics
from ihdm.predictions.whitened import Whitened
from ihdm.processes.process import Process
from ihdm.storage.images import StoredImages

PREDICTIONS: dict[type[AnyPrediction], Callable[..., Prediction]] = {
    ResidualSettings: Residual,
    NoiseSettings: Noise,
    WhitenedSettings: Whitened,
}

__all__ = ["Prediction", "Predictor", "Statistics", "prediction_of"]


@dataclass(frozen=True)
class Predictor:
    """The prediction of a trained network, for any image size and device.

    Attributes:
        settings: settings of the prediction.
        statistics: statistics of the training images, for predictions that need them.
    """

    settings: AnyPrediction
    statistics: Statistics | None = None

    @classmethod
    def fitted(cls, settings: AnyPrediction, images: StoredImages) -> "Predictor":
        """Return the predictor of a network that is trained on these images."""
        return cls(settings, Statistics.of(images) if settings.has_statistics else None)

    @property
    def num_inputs(self) -> int:
        """Number of input images of the network, concatenated in its channels."""
        return 1 + getattr(self.settings, "image", False)

    def on(self, process: Process) -> Prediction:
        """Return the prediction for images of a process."""
        return PREDICTIONS[type(self.settings)](process, self.settings, self.statistics)


def prediction_of(network: Network | None, process: Process) -> Prediction:
    """Return the prediction of a network of a process.

    A trained network has it as ``network.predictor``. Any other function has the default of its process.
    """
    predictor = getattr(network, "predictor", None) or Predictor(default_prediction(process.settings))
    return predictor.on(process)
