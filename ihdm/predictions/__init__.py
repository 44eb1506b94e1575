"""What networks predict: a file and a class for each prediction, with its settings in ``ihdm.config.predictions``."""

from collections.abc import Callable
from dataclasses import dataclass

from ihdm.config.predictions import AnyPrediction, NoiseSettings, ResidualSettings, WhitenedSettings
from ihdm.config.processes import default_prediction
from ihdm.objective import Network
from ihdm.predictions.noise import Noise
from ihdm.predictions.prediction import Prediction
from ihdm.predictions.residual import Residual
from ihdm.predictions.statistics import Statistics
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
    """The prediction of a trained network, for any size and device of images.

    Attributes:
        settings: of the prediction.
        statistics: of the training images, for predictions that need them.
    """

    settings: AnyPrediction
    statistics: Statistics | None = None

    @classmethod
    def fitted(cls, settings: AnyPrediction, images: StoredImages) -> "Predictor":
        """Return the predictor for a network that is trained on these images."""
        return cls(settings, Statistics.of(images) if settings.has_statistics else None)

    @property
    def num_inputs(self) -> int:
        """Images that the network sees at a time, one after the other in its channels."""
        return 1 + getattr(self.settings, "image", False)

    def on(self, process: Process) -> Prediction:
        """Return the prediction for images of a process."""
        return PREDICTIONS[type(self.settings)](process, self.settings, self.statistics)


def prediction_of(network: Network | None, process: Process) -> Prediction:
    """Return what a network of a process predicts.

    A trained network knows it (``network.predictor``). Any other function predicts the default of its process.
    """
    predictor = getattr(network, "predictor", None) or Predictor(default_prediction(process.settings))
    return predictor.on(process)
