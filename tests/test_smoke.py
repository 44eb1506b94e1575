"""The pipeline, run once by Snakemake at the smoke scale as a user runs it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from ihdm.config.scale import FIGURES
from ihdm.portable.folder import read
from ihdm.report.tables import PAPER_TABLES
from ihdm.storage.reading import open_images

ROOT = Path(__file__).parents[1]


def test_everything_is_there(smoke_results):
    figures = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["figures"]
    assert set(figures) == set(FIGURES)  # every figure there is
    for figure in figures:
        assert (smoke_results / f"figures/{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (smoke_results / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    with Image.open(smoke_results / "figures/trajectories.webp") as animation:
        assert animation.n_frames > 5
    assert open_images(smoke_results / "samples/digits/delta1.25/samples.npy").shape == (20, 8, 8, 1)
    distance = pd.read_csv(smoke_results / "metrics/distance.csv")
    assert set(distance["n"]) == {10, 20}
    assert set(distance["set"]) == {"samples", "starts", "train", "test"}
    assert set(distance[distance["set"] == "samples"]["delta_ratio"]) == {0, 1.25}
    starts = distance[distance["set"] == "starts"]
    assert set(starts[starts["experiment"] == "digits"]["delta_ratio"]) == {1.25}  # once, for δ hardly changes them
    assert set(starts[starts["experiment"] == "digits_diffusion"]["delta_ratio"]) == {0}  # which has no δ
    assert set(distance["extractor"]) == {"dct64"}
    likelihood = pd.read_csv(smoke_results / "metrics/likelihood.csv")
    paper = likelihood[(likelihood["joint"] == "independent") & (likelihood["variance"] == "one")]
    assert (paper["delta_ratio"].dropna() > 0).all()  # δ = 0 has none
    assert set(likelihood["experiment"]) == {"digits", "digits_whitened"}  # the others have no measures
    sweep = pd.read_csv(smoke_results / "metrics/sweep.csv")
    assert (sweep["reference"].fillna("none") == np.where(sweep["metric"] == "bits_per_dim", "none", "training")).all()
    page = (smoke_results / "report/index.html").read_text()
    assert "Validation loss by level" in page
    assert "digits: The digits have only 17 gray levels" in page  # what its source says of it
    assert "heat removes them first" in page  # the caption of a figure


def test_every_output_has_a_record(smoke_results, ihdm, capsys):
    """And every record names its command as its code is found by, so that none is outdated."""
    made = {
        path
        for path in smoke_results.rglob("*")
        if path.suffix in (".npy", ".npz", ".csv", ".pdf", ".html", ".safetensors")
    } - set((smoke_results / "state").rglob("*"))
    recorded = set()
    for meta in smoke_results.rglob("*.meta.json"):
        recorded |= {Path(path) for path in pd.read_json(meta, typ="series")["outputs"]}
    assert made <= recorded
    ihdm("results", "stale", smoke_results)
    assert capsys.readouterr().out == ""


def test_a_network_of_the_workflow_can_be_sampled_as_it_is(smoke_results, tmp_path, ihdm):
    ihdm("sample", smoke_results / "models/digits", "-n", 4, "-o", tmp_path / "sheet.png")
    few = ("--evaluations", 10)  # of 1000
    ihdm("sample", smoke_results / "models/digits_diffusion", "-n", 4, "-o", tmp_path / "other.png", *few)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == "L"


def test_the_workflow_exports_its_networks(smoke_results):
    folder = smoke_results / "portable/digits"
    pipeline = read(folder)
    record = json.loads(folder.with_suffix(".meta.json").read_text())
    assert record["command"] == "models export"
    exported = {Path(path).name for path in record["outputs"]}
    assert {"model_index.json", "README.md", "samples.png"} <= exported
    place = str(smoke_results.parent).encode()
    assert not any(place in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    weights = load_file(smoke_results / "models/digits/diffusion_pytorch_model.safetensors")
    assert all(torch.equal(part, weights[name]) for name, part in pipeline.unet.state_dict().items())
    distances = pd.read_csv(smoke_results / "metrics/distance/digits/delta1.25.csv")
    (value,) = distances.loc[
        (distances["set"] == "samples") & (distances["metric"] == "frechet_distance") & (distances["n"] == 20), "value"
    ]
    likelihood = pd.read_csv(smoke_results / "metrics/likelihood/digits.csv")["bits_per_dim"].min()
    card = (folder / "README.md").read_text()
    assert f"| Fréchet distance | {value:.4g} |" in card
    assert f"{likelihood:.3f} ±" in card
    assert "CC BY 4.0" in card


def test_tables_are_printed(smoke_results):
    for name in PAPER_TABLES.keys() - {"departures"}:  # this scale has none
        table = pd.read_csv(smoke_results / f"tables/{name}.csv", dtype=str)
        rows = re.findall(r"^\|", (smoke_results / f"tables/{name}.md").read_text(), re.MULTILINE)
        assert len(rows) == len(table) + 2
        assert r"\toprule" in (smoke_results / f"tables/{name}.tex").read_text()


def test_restoration_has_a_table_and_images(smoke_results):
    rows = pd.read_csv(smoke_results / "metrics/restoration.csv")
    assert set(rows["experiment"]) == {"digits"}
    with np.load(smoke_results / "metrics/restoration/digits.npz") as pictures:
        assert pictures["inpainting/posterior/mean"].shape == (3, 8, 8, 1)
    assert (smoke_results / "figures/restoration.pdf").exists()
