"""What a file or a folder of results is, in words for readers who have nothing else at hand."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from ihdm.measures import reported

Format = str | list[str | dict[str, str]]
"""A media type; with the page of its specification where there is no type of its own."""

NUMPY = "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"
SAFETENSORS = "https://huggingface.co/docs/safetensors/index"
SPECIFICATIONS = {NUMPY: "The NPY format", SAFETENSORS: "The safetensors format"}
"""Pages of formats that have no media type, by address."""

FORMATS: dict[str, Format] = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npy": ["application/octet-stream", {"@id": NUMPY}],
    ".npz": ["application/zip", {"@id": NUMPY}],
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".rst": "text/x-rst",
    ".safetensors": ["application/octet-stream", {"@id": SAFETENSORS}],
    ".tex": "application/x-tex",
    ".tsv": "text/tab-separated-values",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

KINDS = (
    (r".*\.meta\.json", "Record: command, settings, seed, hashes of inputs and outputs, versions, device and time"),
    (r"data/([^/]+)/(train|test)\.npy", "Images of data set {0}, {1} split, uint8 N×H×W×C"),
    (r"data/([^/]+)/(train|test)\.json", "What is known of the images of data set {0}, {1} split: source and licence"),
    (r"models/([^/]+)/milestones/step(\d+)/.*\.safetensors", "Averaged weights of network {0} after {1} steps"),
    (
        r"models/([^/]+)/milestones/step(\d+)/.*\.json",
        "Layers of network {0} as it was after {1} steps, and its process",
    ),
    (r"models/([^/]+)/[^/]*\.safetensors", "Averaged weights of network {0}, as diffusers' UNet2DModel loads them"),
    (r"models/([^/]+)/config\.json", "Layers of network {0}, for diffusers' UNet2DModel, and the process it is for"),
    (r"models/([^/]+)/history\.csv", "Training loss of network {0} by step"),
    (r"models/([^/]+)/held_out\.csv", "Losses of network {0} on held-out images by step and level"),
    (r"models/([^/]+)/calibration\.npz", "How the estimates of network {0} must be scaled, and what they leave open"),
    (r"portable/([^/]+)/README\.md", "Card of model {0}: its data and their licence, what it keeps of them, measures"),
    (r"portable/([^/]+)/samples\.png", "Sheet of samples of model {0}"),
    (r"portable/([^/]+)/model_index\.json", "Which class each part of model {0} is of"),
    (r"portable/([^/]+)/unet/.*", "Network of model {0}: layers or averaged weights"),
    (r"portable/([^/]+)/scheduler/.*", "Process and sampler of model {0}"),
    (r"portable/([^/]+)/prior/.*", "What starts of model {0} are made of, which is kept of training images"),
    (r"portable/([^/]+)/calibration/.*", "What was measured of the network of model {0}, for its samplers"),
    (r"samples/([^/]+)/delta([^/]+)/samples\.npy", "Samples of {0} at δ/σ {1}, uint8 N×H×W×C"),
    (r"samples/([^/]+)/delta([^/]+)/starts\.npy", "Starts that the samples of {0} at δ/σ {1} were made from"),
    (r"samples/([^/]+)/delta([^/]+)/samples\.csv", "Training image behind the start of each sample of {0} at δ/σ {1}"),
    (r"samples/([^/]+)/delta([^/]+)/grid\.png", "Sheet of the first samples of {0} at δ/σ {1}"),
    (r"samples/([^/]+)/sequence\.npz", "Samples of {0} as they form"),
    (r"samples/([^/]+)/starts_noises\.npy", "Samples of {0}, each of several starts with each of several noises"),
    (r"samples/([^/]+)/probes/([^/]+)\.np[yz]", "A look into how {0} makes images: {1}"),
    (r"metrics/sweep\.(?:csv|parquet)", "All that was measured of samples and bound, with what was swept"),
    (r"metrics/features/.*\.npz", "Features of images, or their moments"),
    (r"metrics/(.+)/([^/]+)\.(?:csv|npz)", "Measured: {0}, of {1}"),
    (r"tables/([^/]+)\.(?:csv|md|tex)", "Table as a paper prints it: {0}"),
    (r"report/claims\.(?:csv|md|json)", "The claims of the paper, each with a verdict"),
    (r"report/index\.html", "Page of everything that was found out"),
    (r"benchmarks/(.+)\.tsv", "Seconds and memory that it took to make {0}"),
    (r"pipeline/scale\.json", "The scale: the complete configuration that the results were made with"),
    (r"pipeline/Snakefile", "The pipeline that makes the results, for Snakemake"),
    (r"pipeline/workflow/report/([^/]+)\.rst", "Caption of {0}"),
    (r"pipeline/workflow/rules/([^/]+)\.smk", "Rules of the pipeline: {0}"),
    (r"pipeline/(environment.*\.yml|requirements\.lock)", "Packages that the pipeline needs"),
    (r"pipeline/CITATION\.cff", "How to cite the software and the paper"),
    (r"pipeline/LICENSE", "Licence of the software"),
)
"""What files are, by path; the first that fits."""

FOLDERS = (
    (r"data", "Images that networks were trained and tested on"),
    (r"data/([^/]+)", "Data set {0}"),
    (r"models", "Trained networks"),
    (r"models/([^/]+)", "Network {0}, which diffusers' UNet2DModel.from_pretrained loads"),
    (r"portable", "Models as folders that load without data and configuration"),
    (r"portable/([^/]+)", "Model {0}, which IHDMPipeline.from_pretrained of the package ihdm loads"),
    (r"portable/([^/]+)/([^/]+)", "Part of model {0}: {1}"),
    (r"samples", "Generated images"),
    (r"samples/([^/]+)", "Generated images of {0}"),
    (r"samples/([^/]+)/delta([^/]+)", "Samples of {0} at δ/σ {1}, with what each started from"),
    (r"metrics", "What was measured: one table of each kind over all experiments, and what these are joined from"),
    (r"figures", "Figures"),
    (r"tables", "Tables as a paper prints them"),
    (r"report", "Claims with verdicts, and the page of all results"),
    (r"benchmarks", "What each job of the pipeline cost"),
    (r"pipeline", "The pipeline that makes the results, and the configuration that it was given"),
)


def describe(path: str, captions: Mapping[str, str]) -> str:
    """Say what a file is.

    Args:
        path: below the crate.
        captions: of figures, by name.
    """
    place = PurePosixPath(path)
    if place.parts[0] == "metrics" and len(place.parts) == 2 and place.stem in reported():
        return reported()[place.stem].heading
    if place.parts[0] == "figures" and not path.endswith(".meta.json"):
        return captions.get(place.stem, f"Figure {place.stem}")
    return _first(KINDS, path) or f"File of {place.parts[0]}"


def describe_folder(path: str) -> str:
    """Say what a folder is, by its path below the crate."""
    return _first(FOLDERS, path) or f"Part of {PurePosixPath(path).parts[0]}"


def encoding(path: str) -> Format:
    """Return the format of a file, by its path."""
    return FORMATS.get(PurePosixPath(path).suffix, "text/plain")


def _first(known: tuple[tuple[str, str], ...], path: str) -> str:
    for pattern, text in known:
        if found := re.fullmatch(pattern, path):
            return text.format(*found.groups())
    return ""
