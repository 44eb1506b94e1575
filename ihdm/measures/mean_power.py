"""Average the power of all training images in frequency bands, once for all comparisons."""

from ihdm.measures import Files, Measure, NoSettings, Results
from ihdm.measures.inputs import TRAIN
from ihdm.runs import each_dataset


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the mean power."""
    from ihdm.metrics.spectrum import MeanPower
    from ihdm.storage.reading import open_images

    return {"power": MeanPower.of(open_images(files["train"])).save}


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"train": TRAIN},
    outputs={"power": "metrics/mean_power/{dataset}.npz"},
)
