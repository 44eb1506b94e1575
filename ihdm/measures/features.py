"""Extract the features of a set of real images once, for all distances."""

from ihdm.measures import Files, Measure, NoSettings, Results
from ihdm.measures.inputs import EXTRACTOR
from ihdm.runs import Input, Run, each_dataset


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the features."""
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import extract
    from ihdm.progress import Progress
    from ihdm.storage.reading import open_images

    stored = open_images(files["images"])
    chosen, _ = load_extractor(files["extractor"], stored[:1], inception=files["inception"])
    with Progress(f"features of {files['images']}", len(stored), unit="images") as progress:
        return {"features": extract(chosen, stored, progress.update).save}


MEASURE = Measure(
    compute=compute,
    runs=lambda config: [
        Run(config, dataset=run.dataset, split=split) for run in each_dataset(config) for split in ("train", "test")
    ],
    inputs={"extractor": EXTRACTOR, "images": Input("data/{dataset}/{split}.npy", about="the images, .npy")},
    outputs={"features": "metrics/features/{extractor}/{dataset}/{split}.npz"},
    gpu="features",
    memory_mb=8000,
    minutes=720,
)
