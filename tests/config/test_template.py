"""A scale to start from says the truth and runs."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from ihdm.config.documentation import scale_text
from ihdm.config.processes import BlurringSettings, DiffusionSettings
from ihdm.config.reading import load_yaml, read_config
from ihdm.config.scale import Config
from ihdm.config.settings import Settings

ROOT = Path(__file__).parents[2]
SCALES = [ROOT / "config.yaml", *sorted((ROOT / "workflow/config").glob("*.yaml"))]


def draw_pictures(folder: Path, number: int) -> Path:
    """A folder of pictures of several sizes, in folders within it too."""
    rng = np.random.default_rng(0)
    for index in range(number):
        path = folder / f"{'holidays/' * (index % 2)}{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 48 + index, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module", params=["photos", "pictures"])
def written(request, ihdm, tmp_path_factory) -> Path:
    """The file as it is without pictures of one's own, and with some."""
    tmp_path = tmp_path_factory.mktemp("written")
    path = tmp_path / "my own.yaml"
    ihdm("config", "new", path, *([draw_pictures(tmp_path / "pic {1}", 30)] if request.param == "pictures" else []))
    return path


def test_it_is_valid_as_it_stands(ihdm, written, capfd):
    ihdm("config", "check", written)
    assert "pictures: sampled at δ/σ = 0, 1, 1.25, 1.5, 2" in capfd.readouterr().out
    config = read_config(written)
    assert config.results == "results/my_own"
    # A half of the training images, at most 500; of thirty pictures 27 are for training.
    assert config.evaluation.num_samples == (500 if config.datasets["pictures"].source == "photos" else 13)


def test_every_default_in_it_is_the_true_one(written):
    text = written.read_text()
    uncommented = re.sub(r"^( *)#(?=\w)", r"\1", text, flags=re.MULTILINE)
    assert uncommented.count("\n    #") < text.count("\n    #")
    written.with_suffix(".full").write_text(uncommented)
    config, full = read_config(written), read_config(written.with_suffix(".full"))
    assert full == config
    for given, all_given in ((config, full), (config.evaluation, full.evaluation), (config.sweeps, full.sweeps)):
        assert given.model_fields_set < all_given.model_fields_set == set(type(given).model_fields)


def test_every_setting_in_it_is_explained(written):
    lines = written.read_text().splitlines()
    for above, line in itertools.pairwise(lines):
        if re.match(r" *#?\w+:", line) and not re.fullmatch(r" *pictures:", line):
            assert re.match(r" *# \S", above), line


def test_it_asks_for_as_many_pictures_as_there_are(ihdm, tmp_path):
    ihdm("config", "new", tmp_path / "few.yaml", draw_pictures(tmp_path / "few", 20))
    config = read_config(tmp_path / "few.yaml")
    assert config.datasets["pictures"].path == str(tmp_path / "few")
    assert config.evaluation.num_samples == config.evaluation.num_likelihood_images + 7 == 9
    assert config.evaluation.micro_batch == 9
    assert config.evaluation.num_calibration_images == 18


def test_unusable_folders_are_reported_and_nothing_is_written(ihdm, ihdm_fails, tmp_path):
    path = tmp_path / "mine.yaml"
    assert "19 images found, but at least 20" in ihdm_fails("config", "new", path, draw_pictures(tmp_path / "few", 19))
    assert f"{tmp_path}/none: folder not found" in ihdm_fails("config", "new", path, tmp_path / "none")
    assert not path.exists()
    path.write_text("mine")
    assert f"{path}: already exists" in ihdm_fails("config", "new", path)
    assert path.read_text() == "mine"


def tiny(value: Any) -> Any:
    """The same settings with numbers that Python writes as 2e-05."""
    if isinstance(value, dict):
        return {key: tiny(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [tiny(inner) for inner in value]
    return 2e-05 if isinstance(value, float) else value


@pytest.mark.parametrize("scale", SCALES, ids=lambda path: path.stem)
def test_every_setting_that_is_written_is_read_again(tmp_path, scale):
    config, path = read_config(scale), tmp_path / "scale"
    path.write_text(scale_text(config))
    assert read_config(path) == config
    values = tiny(config.model_dump(mode="json"))
    for text in (json.dumps(values), yaml.safe_dump(values)):
        path.write_text(text)
        assert load_yaml(path) == values


@pytest.mark.parametrize("model", [BlurringSettings, DiffusionSettings, *Settings.__subclasses__()], ids=str)
def test_settings_explain_themselves(model):
    """Those of a scale, by what is said of each or, if it is a block, by what its settings say of themselves."""
    if model.__name__ not in Config.model_json_schema()["$defs"]:
        return
    for name, field in model.model_fields.items():
        is_block = isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
        assert field.description or is_block or name == "process", name
