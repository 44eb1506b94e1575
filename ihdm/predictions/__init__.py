"""What networks predict: a file and a class for each prediction, with its settings in ``ihdm.config.predictions``."""

from dataclasses import dataclass

from ihdm.config.predictions import AnyPrediction, NoiseSettings, ResidualSettings
from ihdm.config.processes import default_prediction
from ihdm.objective import Network
from ihdm.predictions.noise import Noise
from ihdm.predictions.prediction import Prediction
from ihdm.predictions.residual import Residual
from ihdm.processes.process import Process

PREDICTIONS = {ResidualSettings: Residual, NoiseSettings: Noise}

__all__ = ["Prediction", "Predictor", "prediction_of"]


@dataclass(frozen=True)
class Predictor:
    """What a trained network predicts, whatever the size and device of images.

    Attributes:
        settings: of the prediction.
    """

    settings: AnyPrediction

    def on(self, process: Process) -> Prediction:
        """Return the prediction for images of a process."""
        prediction: Prediction = PREDICTIONS[type(self.settings)](process)
        return prediction


def prediction_of(network: Network | None, process: Process) -> Prediction:
    """Return what a network of a process predicts.

    A trained network knows it (``network.predictor``). Any other function predicts the default of its process.
    """
    predictor = getattr(network, "predictor", None) or Predictor(default_prediction(process.settings))
    return predictor.on(process)
