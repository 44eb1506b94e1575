"""Fit or check the feature extractor of a data set, and store its name and the hash of its weights."""

from ihdm.config.settings import Extractor, Settings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import TRAIN
from ihdm.runs import Input, each_dataset


class ExtractorSettings(Settings):
    """Kind of the extractor."""

    kind: Extractor


def compute(files: Files, settings: ExtractorSettings) -> Results:
    """Return the extractor."""
    from ihdm.metrics.extractors import extractor_device, fit_extractor, save_extractor
    from ihdm.storage.reading import open_images, read_archive

    fitted = fit_extractor(
        settings.kind,
        open_images(files["train"]),
        labels=read_archive(files["labels"], ["train"])["train"] if "labels" in files else None,
        inception=files["inception"],
        device=extractor_device(settings.kind),
    )
    return {"extractor": lambda path: save_extractor(settings.kind, fitted, path)}


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={
        "train": TRAIN,
        "labels": Input(
            "data/{dataset}/labels.npz",
            exists=lambda run: run.extractor == "classifier",
            about="the labels, .npz with array train, for a classifier",
            is_optional=True,
        ),
    },
    outputs={"extractor": "metrics/features/{extractor}/{dataset}/extractor.npz"},
    settings=lambda run: ExtractorSettings(kind=run.extractor),
    model=ExtractorSettings,
    gpu="features",
    memory_mb=8000,
)
