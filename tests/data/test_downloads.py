"""All raw files of a scale, fetched before anything else is done."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from ihdm.metrics import extractors

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scale(tmp_path):
    """The quick scale with its data sets brought from elsewhere, its raw files in a folder of the test."""

    def make(**datasets):
        values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
        shape = {"image_size": 28, "image_channels": 1}
        values["datasets"] |= {"unused": {"source": "fashion_mnist", **shape}}
        for name, source in datasets.items():
            values["datasets"][name]["source"] = source
        values |= {"data": {"root": str(tmp_path / "data")}}
        values["datasets"]["digits"] |= shape
        values["networks"]["digits"] |= shape
        values["evaluation"]["extractors"] = {"digits": "inception", "photos": "pca"}
        return json.dumps(values)

    return make


@pytest.fixture
def published(publish, server, make, monkeypatch):
    """MNIST and Inception's weights, on the server."""
    names = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
    publish("mnist", {name: make.idx_of(np.zeros((2, 28, 28), np.uint8)) for name in names}, {})
    server.files[extractors.INCEPTION.name] = b"weights"
    address = f"{server.address}/{extractors.INCEPTION.name}"
    known = (hashlib.sha256(b"weights").hexdigest(),)
    monkeypatch.setattr(
        extractors, "INCEPTION", dataclasses.replace(extractors.INCEPTION, address=address, sha256=known)
    )


def test_what_a_scale_needs_is_fetched_once_and_nothing_else(scale, published, server, ihdm, tmp_path, capsys):
    for _ in range(2):
        ihdm("data", "download", "--settings", scale(digits="mnist"))
    assert len(server.asked) == 3
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("[!.]*") if path.is_file())
    assert found == [
        "data/inception/inception-2015-12-05.pt",
        "data/mnist/sha256.json",
        "data/mnist/t10k-images-idx3-ubyte.gz",
        "data/mnist/train-images-idx3-ubyte.gz",
    ]
    assert "photos: inside a package" in capsys.readouterr().out


def test_manual_downloads_are_listed_and_skipped(scale, published, server, ihdm_fails, tmp_path, capsys):
    message = ihdm_fails("data", "download", "--settings", scale(digits="mnist", photos="ffhq"))
    assert message == "ihdm: files are missing for photos; see the messages above"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("photos")]
    assert line.startswith(
        f"photos: {tmp_path}/data/ffhq/images1024x1024.zip is missing and cannot be downloaded automatically: fetch"
    )
    assert len(server.asked) == 3
