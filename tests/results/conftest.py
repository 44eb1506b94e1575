"""A folder as a pipeline leaves it: small, but with records that the project's code wrote, relative to where it ran."""

import contextlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ihdm.storage.provenance import record

RNG = np.random.default_rng(0)
RESULTS = Path("metrics/run")
Content = str | np.ndarray | dict[str, np.ndarray]


def images(count: int) -> np.ndarray:
    return RNG.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif path.suffix == ".png":
        Image.fromarray(content[0, :, :, 0]).save(path)
    else:
        np.save(path, content)


def make(command: str, files: dict[str, Content], inputs: Iterable[str] = (), meta: str = "", **more: Any) -> None:
    """Write files with a record, as a command does; paths are relative to the results."""
    outputs, read = [RESULTS / name for name in files], [RESULTS / name for name in inputs]
    options = {"settings": {}, "meta": RESULTS / meta} if meta else {"settings": {}}
    with record(outputs, command=command, inputs=read, **options | more):
        for path, content in zip(outputs, files.values(), strict=True):
            write(path, content)


def make_results() -> None:
    data, network = "data/digits/train.npy", "models/digits/diffusion_pytorch_model.safetensors"
    arrays = {data: images(12), "data/digits/test.npy": images(4)}
    make("data prepare", arrays, settings={"source": "digits"}, meta="data/digits/data.meta.json")
    for name in arrays:
        description = {"licence": "CC BY 4.0", "source": "scans of digits"}
        write((RESULTS / name).with_suffix(".json"), json.dumps(description))
    files = {"models/digits/config.json": "{}", network: "weights"}
    files |= {"models/digits/history.csv": "step,loss\n50,2.5\n"}
    files |= {"models/digits/held_out.csv": "step,level,loss\n50,1,2.0\n"}
    files |= {"models/digits/milestones/step50/config.json": "{}"}
    settings = {"process": {"kind": "heat"}}
    make("models train", files, [data], "models/digits/model.meta.json", settings=settings, seed=3)
    make("models calibrate", {"models/digits/calibration.npz": {"levels": np.arange(2)}}, [network])
    names = ("README.md", "model_index.json", "unet/diffusion_pytorch_model.safetensors", "prior/config.json")
    exported = {f"portable/digits/{name}": "{}" for name in names}
    make("models export", exported, ["models/digits/config.json", data], "portable/digits.meta.json")
    write(RESULTS / "portable/digits/.snakemake_timestamp", "")
    for ratio, count in (("1", 5), ("1.25", 6)):
        table = pd.DataFrame({"sample": range(count), "train_image": range(count)}).to_csv(index=False)
        files = {"samples.npy": images(count), "starts.npy": images(count), "samples.csv": table, "grid.png": images(1)}
        sampled = {f"samples/digits/delta{ratio}/{name}": content for name, content in files.items()}
        make("samples draw", sampled, [network, data], settings={"num_shards": 1}, seed=3)
    make("samples sequence", {"samples/digits/sequence.npz": {"levels": np.arange(3), "states": np.zeros((3, 2))}})
    for name, command in (("spectrum", "metrics table"), ("spectrum/data/digits", "metrics spectrum-real")):
        make(command, {f"metrics/{name}.csv": "band,value\nlow,1.5\n"}, [data])
    # One command may write to several folders; its record lies in the first.
    both = ("metrics/memorisation/digits/delta1.csv", "metrics/distance/digits/delta1.csv")
    make("metrics samples", dict.fromkeys(both, "value\n1\n"))
    spectrum, printed = ["metrics/spectrum.csv"], [f"tables/quality.{ending}" for ending in ("csv", "md", "tex")]
    scale = {"results": str(RESULTS), "experiments": {}}
    make("report tables", dict.fromkeys(printed, "a\n1\n"), spectrum, "tables/tables.meta.json", settings=scale)
    make("figures draw psd", {"figures/psd.png": images(1), "figures/psd.pdf": "%PDF"}, spectrum)
    make("claims check", {"report/claims.csv": "id,verdict\nbest,not run\n"}, spectrum)
    write(RESULTS / "report/index.html", "<html></html>")
    write(RESULTS / "benchmarks/models/digits.tsv", "s\tmax_rss\n1.5\t20\n")
    write(RESULTS / "state/models/digits/state.safetensors", "half a network")
    write(RESULTS / "logs/models/digits.log", "a line")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The results, made as ``metrics/run`` below the folder where the pipeline ran."""
    before = tmp_path_factory.mktemp("before")
    with contextlib.chdir(before):
        make_results()
    return before / RESULTS


@pytest.fixture
def folder(built, tmp_path) -> Path:
    """The results where they were moved to, as results are; a test may change them."""
    return Path(shutil.copytree(built, tmp_path / "after"))
