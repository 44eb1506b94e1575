"""A folder as a pipeline leaves it: small, but with records that the project's code wrote, relative to where it ran."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ihdm.storage.provenance import record

RNG = np.random.default_rng(0)


def images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def data(root: Path) -> None:
    folder = root / "data/digits"
    arrays = [folder / "train.npy", folder / "test.npy"]
    with record(arrays, command="data prepare", settings={"source": "digits"}, meta=folder / "data.meta.json"):
        for path, count in zip(arrays, (12, 4), strict=True):
            save(path, images(count))
            description = {"licence": "CC BY 4.0", "source": "scans of digits"}
            path.with_suffix(".json").write_text(json.dumps(description))


def model(root: Path) -> None:
    folder = root / "models/digits"
    tables = {"history.csv": "step,loss\n50,2.5\n", "held_out.csv": "step,level,loss\n50,1,2.0\n"}
    files = {"config.json": "{}", "diffusion_pytorch_model.safetensors": "weights", **tables}
    milestone = folder / "milestones/step50/config.json"
    outputs = [*(folder / name for name in files), milestone]
    with record(
        outputs,
        command="models train",
        inputs=[root / "data/digits/train.npy"],
        settings={"process": {"kind": "heat"}},
        seed=3,
        meta=folder / "model.meta.json",
    ):
        for name, text in files.items():
            write(folder / name, text)
        write(milestone, "{}")
    calibration = folder / "calibration.npz"
    with record([calibration], command="models calibrate", inputs=[outputs[1]], settings={}):
        np.savez(calibration, levels=np.arange(2))


def portable(root: Path) -> None:
    folder = root / "portable/digits"
    names = ("README.md", "model_index.json", "unet/diffusion_pytorch_model.safetensors", "prior/config.json")
    outputs = [folder / name for name in names]
    inputs = [root / "models/digits/config.json", root / "data/digits/train.npy"]
    meta = root / "portable/digits.meta.json"
    with record(outputs, command="models export", inputs=inputs, settings={}, meta=meta):
        for path in outputs:
            write(path, "{}")
    write(folder / ".snakemake_timestamp", "")


def samples(root: Path) -> None:
    for ratio, count in (("1", 5), ("1.25", 6)):
        folder = root / f"samples/digits/delta{ratio}"
        outputs = [folder / name for name in ("samples.npy", "starts.npy", "samples.csv", "grid.png")]
        inputs = [root / "models/digits/diffusion_pytorch_model.safetensors", root / "data/digits/train.npy"]
        with record(outputs, command="samples draw", inputs=inputs, settings={"num_shards": 1}, seed=3):
            save(outputs[0], images(count))
            save(outputs[1], images(count))
            pd.DataFrame({"sample": range(count), "train_image": range(count)}).to_csv(outputs[2], index=False)
            Image.fromarray(images(1)[0, :, :, 0]).save(outputs[3])
    path = root / "samples/digits/sequence.npz"
    with record([path], command="samples sequence", settings={}):
        np.savez(path, levels=np.arange(3), states=np.zeros((3, 2)))


def tables(root: Path) -> None:
    for name, command in (("spectrum", "metrics table"), ("spectrum/data/digits", "metrics spectrum-real")):
        path = root / f"metrics/{name}.csv"
        with record([path], command=command, inputs=[root / "data/digits/train.npy"], settings={}):
            write(path, "band,value\nlow,1.5\n")
    # One command may write to several folders; its record lies in the first.
    both = [root / "metrics/memorisation/digits/delta1.csv", root / "metrics/distance/digits/delta1.csv"]
    with record(both, command="metrics samples", settings={}):
        for path in both:
            write(path, "value\n1\n")
    files = [root / f"tables/quality.{ending}" for ending in ("csv", "md", "tex")]
    with record(
        files,
        command="report tables",
        inputs=[root / "metrics/spectrum.csv"],
        settings={"results": str(root), "experiments": {}},
        meta=root / "tables/tables.meta.json",
    ):
        for path in files:
            write(path, "a\n1\n")


def pictures(root: Path) -> None:
    files = [root / "figures/psd.png", root / "figures/psd.pdf"]
    with record(files, command="figures draw psd", inputs=[root / "metrics/spectrum.csv"], settings={}):
        files[0].parent.mkdir(parents=True)
        Image.fromarray(images(1)[0, :, :, 0]).save(files[0])
        files[1].write_text("%PDF")
    claims = [root / "report/claims.csv"]
    with record(claims, command="claims check", inputs=[root / "metrics/spectrum.csv"], settings={}):
        write(claims[0], "id,verdict\nbest,not run\n")
    write(root / "report/index.html", "<html></html>")
    write(root / "benchmarks/models/digits.tsv", "s\tmax_rss\n1.5\t20\n")
    write(root / "state/models/digits/state.safetensors", "half a network")
    write(root / "logs/models/digits.log", "a line")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The results, made as ``metrics/run`` below the folder where the pipeline ran."""
    before, here = tmp_path_factory.mktemp("before"), Path.cwd()
    os.chdir(before)
    try:
        for make in (data, model, portable, samples, tables, pictures):
            make(Path("metrics/run"))
    finally:
        os.chdir(here)
    return before / "metrics/run"


@pytest.fixture
def folder(built, tmp_path) -> Path:
    """The results where they were moved to, as results are; a test may change them."""
    return Path(shutil.copytree(built, tmp_path / "after"))
