"""Pretrained models: each is small and safe, samples what its sheet shows, and is as close to data as its card says."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ihdm import IHDMPipeline, pretrained
from ihdm.__main__ import app
from ihdm.config.settings import DatasetSettings
from ihdm.data.sources import load_splits, obtain_raw
from ihdm.errors import UserError
from ihdm.metrics.extractors import fit_extractor
from ihdm.portable.evaluation import distance_table
from ihdm.portable.pictures import draw

NAMES = pretrained.names()
NUM_DRAWN, NUM_REFERENCE = 100, 14_000


def test_models_come_with_the_package():
    assert {"digits", "fashion", "fashion_diffusion", "photos"} <= set(NAMES)


def test_they_are_small_and_hold_nothing_that_runs():
    files = [path for name in NAMES for path in (pretrained.FOLDER / name).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md", ".png"}
    assert sum(path.stat().st_size for path in files) <= 8 * 2**20
    # The patterns of package-data in pyproject.toml are two and three names deep.
    assert {len(path.relative_to(pretrained.FOLDER).parts) for path in files} == {2, 3}


@pytest.fixture(scope="module", params=NAMES)
def drawn(request) -> tuple[str, np.ndarray]:
    return request.param, draw(IHDMPipeline.from_pretrained(request.param), NUM_DRAWN, 0)


def test_they_keep_no_training_image(drawn):
    name, _ = drawn
    pipeline = IHDMPipeline.from_pretrained(name)
    assert pipeline.prior is None or type(pipeline.prior).__name__ == "MixturePrior"


def test_they_sample_what_their_sheet_shows(drawn):
    """The first 16, by their sum and in each pixel; other processors round otherwise."""
    name, images = drawn
    with Image.open(pretrained.FOLDER / name / "samples.png") as sheet:
        pixels = np.asarray(sheet)[::4, ::4].reshape(sheet.height // 4, sheet.width // 4, -1)
    size = images.shape[1]
    places = [(1 + row * (size + 1), 1 + column * (size + 1)) for row in range(2) for column in range(8)]
    shown = np.stack([pixels[top : top + size, left : left + size] for top, left in places]).astype(float)
    assert images[:16].sum() == pytest.approx(shown.sum(), rel=1e-3)
    assert np.abs(images[:16] - shown).mean() < 1


def test_they_are_as_close_to_data_as_their_card_says(drawn):
    """The 95 % intervals of the kernel distance overlap."""
    name, images = drawn
    source = {"fashion": "fashion_mnist"}.get(name.partition("_")[0], name.partition("_")[0])
    settings = DatasetSettings(source=source, image_size=images.shape[1], image_channels=images.shape[-1])
    try:
        train = load_splits(settings, obtain_raw(settings, Path("data")))["train"]
    except UserError as error:
        pytest.skip(str(error))
    card = (pretrained.FOLDER / name / "README.md").read_text()
    low, high, kind = re.search(r"\| kernel distance \| \S+ \| (\S+) … (\S+) \| ([a-z]+)", card).groups()
    train = np.stack([train[number] for number in range(min(len(train), NUM_REFERENCE))])
    rows = distance_table(images, train, fit_extractor(kind, train))
    found = next(row for row in rows if row["metric"] == "kernel_distance" and row["set"] == "samples")
    assert found["low"] <= float(high)
    assert float(low) <= found["high"]


@pytest.mark.parametrize("name", NAMES)
def test_their_files_name_no_place_of_their_making(name):
    for path in (pretrained.FOLDER / name).rglob("*.json"):
        named = json.loads(path.read_text()).get("_name_or_path", name)
        assert named == name, path


def test_they_are_listed():
    listed = CliRunner().invoke(app, ["models", "list"]).output
    assert [line.split("|")[1].strip() for line in listed.splitlines()[2:]] == NAMES
    assert "163,985" in listed
    assert "8×8×1" in listed


def test_a_name_goes_before_a_local_folder_which_stays_reachable(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(pretrained.FOLDER / "photos", "digits")
    sizes = {}
    for model in ("digits", "./digits"):
        result = CliRunner().invoke(app, ["sample", model, "-n", "1", "-o", "one.png", "--evaluations", "2"])
        assert result.exit_code == 0, result.output
        assert ("using the pretrained model" in result.output) == (model == "digits")
        with Image.open("one.png") as sheet:
            sizes[model] = sheet.mode
    assert sizes == {"digits": "L", "./digits": "RGB"}
    assert IHDMPipeline.from_pretrained("digits").image_shape == (1, 8, 8)
    assert IHDMPipeline.from_pretrained(Path("digits")).image_shape == (3, 32, 32)
    assert IHDMPipeline.from_pretrained("./digits").image_shape == (3, 32, 32)


def test_their_cards_are_not_written_to():
    words = ["evaluate", "digits", "--data", "nowhere", "--card"]
    with pytest.raises(UserError, match="--card: digits belongs to the package"):
        app(words, standalone_mode=False)


def test_the_demo_is_one_page(tmp_path):
    page = tmp_path / "demo.html"
    result = CliRunner().invoke(app, ["demo", "-n", "2", "-o", str(page)])
    assert result.exit_code == 0, result.output
    assert "demo: 5/5 parts" in result.output
    text = page.read_text()
    for title in ("Samples form: photos", "Interpolation", "Sampling noise δ", "Restore a blurred image"):
        assert f"<h3>{title}</h3>" in text
    assert text.count("data:image/webp") == 9  # two animations, each with its last frame twice, and three pictures
    assert not re.search(r"(?:src|href|srcset)=\"(?!data:|#)", text)


def test_the_demo_is_a_page_alone(tmp_path):
    with pytest.raises(UserError, match=r"demo\.png: the demo is a web page; use a file name that ends in \.html"):
        app(["demo", "-o", str(tmp_path / "demo.png")], standalone_mode=False)
