import dataclasses
import functools
import http.server
import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ihdm.config.stages import DistanceSettings
from ihdm.errors import UserError
from ihdm.metrics import extractors, features, frechet_kernel
from ihdm.metrics.distance import distance_rows
from ihdm.metrics.extractors import Inception, fit_extractor, in_color, load_extractor, save_extractor
from ihdm.metrics.features import PrincipalFeatures, StoredFeatures, extract
from ihdm.metrics.frechet_kernel import Moments, kernel_distance, mean_over_pairs
from ihdm.metrics.spectrum import MeanPower, band_rows
from ihdm.metrics.tables import merge_tables
from ihdm.storage.files import sha256

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1), dtype=np.uint8)
MEMORISATION = '{"labels": {"dataset": "d"}, "num_images": %s, "num_resamples": 20, "seed": 0}'
SETTINGS = DistanceSettings(num_images=(100,), num_resamples=20, num_neighbors=3, extrapolate=False, seed=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory, ihdm) -> Path:
    """Images and their mean power, their features in two extractors, and the moments of these."""
    made = tmp_path_factory.mktemp("made")
    np.save(made / "train.npy", IMAGES)
    np.save(made / "test.npy", IMAGES[:40])
    images = ["--train", made / "train.npy", "--output"]
    for kind in ("dct", "pca"):
        ihdm("metrics", "extractor", "--settings", f'{{"kind": "{kind}"}}', *images, made / f"{kind}.npz")
        for split in ("train", "test"):
            given = ["--extractor", made / f"{kind}.npz", "--images", made / f"{split}.npy"]
            ihdm("metrics", "features", *given, "--output", made / f"{split}_{kind}.npz")
        features = made / f"train_{kind}.npz"
        ihdm("metrics", "moments", "--features", features, "--output", made / f"moments_{kind}.npz")
    ihdm("metrics", "mean-power", *images, made / "power.npz")
    return made


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A copy of them."""
    return shutil.copytree(made, tmp_path / "copy")


def distance(reference: Path, images: Path, output: Path, extractor: str = "dct") -> list[str]:
    """Return the command that measures a set of images; its features and spectrum go beside the distances."""
    known = reference.with_name(reference.name.replace("train", "moments"))
    settings = {**json.loads(SETTINGS.model_dump_json()), "labels": {"dataset": "digits"}}
    return ["metrics", "samples", "--settings", json.dumps(settings), "--reference", str(reference),
            "--moments", str(known), "--samples", str(images), "--extractor", str(images.with_name(f"{extractor}.npz")),
            "--power", str(images.with_name("power.npz")), "--output", f"features={output}.npz", "--output",
            f"spectrum={output}.spectrum.csv", "--output", f"distance={output}"]  # fmt: skip


def test_moments_of_a_reference_are_computed_once(folder, ihdm, monkeypatch):
    """With its moments and mean power stored, neither is found again, and rows are what they are without the store."""
    train = StoredFeatures.read(folder / "train_dct.npz")
    expected = distance_rows({"x": train}, train, Moments.of(train[:]), SETTINGS)
    bands = band_rows({"samples": IMAGES[:100]}, MeanPower.of(IMAGES), 20)

    def refuse(*_: object) -> None:
        raise AssertionError("it is known")

    monkeypatch.setattr(Moments, "of", refuse)
    monkeypatch.setattr(MeanPower, "of", refuse)
    monkeypatch.setattr(frechet_kernel, "mean_over_pairs", refuse)
    monkeypatch.setattr(frechet_kernel.Gaussian, "of", refuse)
    ihdm(*distance(folder / "train_dct.npz", folder / "train.npy", folder / "x.csv"))
    found = pd.read_csv(folder / "x.csv")
    np.testing.assert_array_equal(found["value"], [row["value"] for row in expected])
    np.testing.assert_array_equal(pd.read_csv(folder / "x.csv.spectrum.csv")["value"], [row["value"] for row in bands])
    np.testing.assert_array_equal(StoredFeatures.read(folder / "x.csv.npz").values, train.values)


def test_moments_of_other_features_are_refused(folder, ihdm_fails):
    (folder / "train.npz").write_bytes((folder / "test_dct.npz").read_bytes())
    (folder / "moments.npz").write_bytes((folder / "moments_dct.npz").read_bytes())
    message = ihdm_fails(*distance(folder / "train.npz", folder / "train.npy", folder / "x.csv"))
    assert "moments.npz: holds the moments of features with SHA-256" in message
    assert "run `metrics moments` on the reference" in message
    assert not (folder / "x.csv").exists()


def test_features_know_their_extractor(folder):
    stored = StoredFeatures.read(folder / "train_pca.npz")
    fitted = PrincipalFeatures.fit(IMAGES)
    assert (stored.extractor, stored.sha256) == (fitted.name, fitted.sha256) == ("pca64", fitted.sha256)
    np.testing.assert_allclose(stored.values, fitted.transform(IMAGES), rtol=1e-5, atol=1e-5)
    assert stored.sha256 != PrincipalFeatures.fit(IMAGES[:200]).sha256


def test_mixing_extractors_is_refused(folder, ihdm_fails):
    command = distance(folder / "train_dct.npz", folder / "train.npy", folder / "distance.csv", extractor="pca")
    message = ihdm_fails(*command)
    assert "the reference is of 'dct64' (weights e3b0c44298fc…) but samples of 'pca64'" in message
    assert "only features of one extractor can be compared" in message
    assert not (folder / "distance.csv").exists()


def test_mixing_rows_is_refused(folder, ihdm, ihdm_fails):
    for kind in ("dct", "pca"):
        ihdm(*distance(folder / f"train_{kind}.npz", folder / "train.npy", folder / f"{kind}.csv", extractor=kind))
    message = ihdm_fails("metrics", "table", folder / "dct.csv", folder / "pca.csv", "--output", folder / "both.csv")
    assert "dct.csv is of 'dct64'" in message
    assert "pca.csv of 'pca64'" in message
    ihdm("metrics", "table", folder / "dct.csv", "--output", folder / "both.csv")
    # Other data sets may have other extractors.
    tables = {kind: pd.read_csv(folder / f"{kind}.csv").assign(dataset=kind) for kind in ("dct", "pca")}
    assert set(merge_tables(tables)["extractor"]) == {"dct64", "pca64"}


def test_unequal_numbers_of_images_are_refused():
    rows = pd.DataFrame(
        {"dataset": ["d"], "set": ["s"], "metric": ["m"], "extractor": ["x"], "extractor_sha256": ["0"], "n": [100]}
    )
    with pytest.raises(
        UserError, match=r"d: 's' in a has 100 images but 's' in b has 50; compare equal numbers of images"
    ):
        merge_tables({"a": rows, "b": rows.assign(n=50)})
    with pytest.raises(UserError, match=r"'s' in b has 50 and 100"):
        merge_tables({"a": rows, "b": pd.concat([rows, rows.assign(n=50)])})


def test_tables_of_two_kinds_are_refused():
    rows = pd.DataFrame({"experiment": ["e"], "metric": ["m"], "value": [1.0]})
    assert len(merge_tables({"a": rows, "b": rows.drop(columns="metric").assign(note="none")})) == 2
    with pytest.raises(UserError, match=r"b: has columns that a lacks \(power\); merge tables of one kind only"):
        merge_tables({"a": rows, "b": rows[["experiment"]].assign(power=1.0)})


def test_tables_of_samples_alone_are_joined():
    """As those of milestones are, which name no set."""
    rows = pd.DataFrame({"dataset": ["d"], "metric": ["m"], "extractor": ["x"], "extractor_sha256": ["0"], "n": [100]})
    assert len(merge_tables({"a": rows, "b": rows})) == 2


def test_mixing_references_is_refused(ihdm_fails, tmp_path):
    rows = pd.DataFrame({"dataset": ["d"], "set": ["s"], "reference": ["training"], "value": [1.0]})
    for name, table in (("a", rows), ("b", rows.assign(reference="as_released"))):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    message = ihdm_fails("metrics", "table", tmp_path / "a.csv", tmp_path / "b.csv", "--output", tmp_path / "x.csv")
    assert f"d: {tmp_path}/a.csv is measured from the reference 'training' but {tmp_path}/b.csv from" in message
    assert (
        "'as_released': only distances from one reference can be compared; measure all of them from the same" in message
    )
    assert not (tmp_path / "x.csv").exists()
    # Other data sets may have another reference.
    both = merge_tables({"a": rows, "b": rows.assign(dataset="e", reference="as_released")})
    assert set(both["reference"]) == {"training", "as_released"}


def test_memorisation_has_its_own_numbers_of_images(folder, ihdm, ihdm_fails):
    """Of samples those asked for, of held-out images as many as there are; tables of any n are joined."""
    np.save(folder / "samples.npy", IMAGES[:100])
    given = []
    for name in ("samples", "test", "train"):
        stored = "train" if name == "samples" else name
        given += [f"--{name}", folder / f"{name}.npy", f"--{name}-features", folder / f"{stored}_dct.npz"]

    def measure(count: int) -> pd.DataFrame:
        output = folder / f"{count}.csv"
        ihdm("metrics", "memorisation", "--settings", MEMORISATION % count, *given, "--output", output)
        return pd.read_csv(output)

    rows = measure(60)
    assert set(zip(rows["set"], rows["n"], rows["n_reference"], strict=True)) == {
        ("samples", 60, 300),
        ("test", 40, 300),
        ("samples", 300, 40),  # all from all held-out images
    }
    measure(30)
    ihdm("metrics", "table", folder / "60.csv", folder / "30.csv", "--output", folder / "both.csv")
    assert set(pd.read_csv(folder / "both.csv")["n"]) == {60, 40, 30, 300}
    message = ihdm_fails("metrics", "memorisation", "--settings", MEMORISATION % 101, *given, "--output", folder / "x")
    assert "samples.npy: 101 images are requested but it has 100" in message


def test_too_few_images(folder, ihdm, ihdm_fails, capsys):
    train, test = folder / "train_dct.npz", folder / "test_dct.npz"
    message = ihdm_fails(*distance(train, folder / "test.npy", folder / "x.csv"))
    assert "samples: 100 images are requested but there are features of 40" in message
    ihdm("metrics", "distance-real", "--settings", SETTINGS.model_dump_json(), "--reference", train,
        "--moments", folder / "moments_dct.npz", "--train", train, "--test", test, "--output", folder / "x.csv",
    )  # fmt: skip
    rows = pd.read_csv(folder / "x.csv").set_index(["set", "metric"])
    assert rows.loc[("test", "frechet_distance"), "note"] == "100 images are needed, not 40"
    assert np.isnan(rows.loc[("test", "frechet_distance"), "value"])
    assert rows.loc[("train", "frechet_distance"), "n_reference"] == 200
    assert set(rows["n"]) == {100}
    assert "warning: no distance of 100 images of test: 100 images are needed, not 40" in capsys.readouterr().err


def test_arrays_of_other_shapes_are_refused(tmp_path):
    """Which a record next to them would find; these have none."""
    path = tmp_path / "stored.npz"
    np.savez(path, mean=np.zeros(3), root=np.zeros((3, 2)), mean_kernel=1.0, features_sha256="x")
    with pytest.raises(UserError, match=r"stored.npz: its mean and root are of shapes \(3,\) and \(3, 2\)"):
        Moments.read(path, "x")
    np.savez(path, bands=np.ones(3), annuli=np.ones(9), size=np.array([8, 8, 1]))
    with pytest.raises(UserError, match=r"stored.npz: its arrays are of shapes \(3,\), \(9,\) and \(3,\)"):
        MeanPower.read(path)


def test_damaged_files_are_named(made, tmp_path, ihdm_fails):
    command = distance(made / "train_dct.npz", made / "train.npy", tmp_path / "x.csv")
    for name in ("moments_dct", "power", "dct"):
        path, record = made / f"{name}.npz", made / f"{name}.meta.json"
        whole, described = path.read_bytes(), record.read_bytes()
        path.write_bytes(b"PK")
        assert f"{name}.npz: differs from its record {name}.meta.json" in ihdm_fails(*command)
        record.unlink()
        assert f"{name}.npz: no .npz archive can be read from it" in ihdm_fails(*command)
        path.write_bytes(whole)
        record.write_bytes(described)


def test_an_extractor_file_of_another_kind_is_refused(tmp_path):
    save_extractor("pca", fit_extractor("dct", IMAGES), tmp_path / "dct.npz")
    with pytest.raises(UserError, match="but no mean and no components"):
        load_extractor(tmp_path / "dct.npz", IMAGES[:1])
    save_extractor("dct", fit_extractor("dct", IMAGES), tmp_path / "dct.npz")
    with pytest.raises(UserError, match=r"describes 'dct64' .* not 'dct192'"):
        load_extractor(tmp_path / "dct.npz", np.repeat(IMAGES[:1], 3, axis=-1))
    np.savez(tmp_path / "other.npz", kind="clip", extractor="clip", sha256="0")
    with pytest.raises(UserError, match="unknown extractor 'clip'"):
        load_extractor(tmp_path / "other.npz", IMAGES[:1])


def test_components_of_images_of_another_size_are_refused(folder, ihdm_fails):
    np.save(folder / "large.npy", np.zeros((3, 16, 16, 1), dtype=np.uint8))
    given = ["--extractor", folder / "pca.npz", "--images", folder / "large.npy", "--output", folder / "x.npz"]
    message = ihdm_fails("metrics", "features", *given)
    assert "pca.npz: its components are of shape (64, 64), for images of 64 values; these are 16×16×1" in message


def test_fid_needs_inception(tmp_path, monkeypatch, ihdm_fails):
    np.save(tmp_path / "train.npy", IMAGES)
    address = "http://127.0.0.1:9/inception-2015-12-05.pt"  # nobody listens there
    monkeypatch.setattr(extractors, "INCEPTION", dataclasses.replace(extractors.INCEPTION, address=address))
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    arguments = ["metrics", "extractor", "--settings", '{"kind": "inception"}', "--train", tmp_path / "train.npy"]
    arguments += ["--output", tmp_path / "x.npz", "--inception", tmp_path / "weights"]
    missing = ihdm_fails(*arguments)
    assert missing.startswith(
        "ihdm: FID needs the weights of Inception: http://127.0.0.1:9/inception-2015-12-05.pt: the"
    )
    assert "the download failed 5 times" in missing
    assert missing.endswith("Their folder is evaluation.inception_weights")
    assert f"or copy the file to {tmp_path / 'weights/inception-2015-12-05.pt'} yourself" in missing
    (tmp_path / "weights/inception-2015-12-05.pt").write_bytes(b"other weights")
    assert "its SHA-256 is" in ihdm_fails(*arguments)
    assert not (tmp_path / "x.npz").exists()


class TinyInception(torch.nn.Module):
    """Stands where the real network stands in its file: normalized images in, 2048 features out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 7, stride=8), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2),
            torch.nn.Flatten(), torch.nn.Linear(64, 2048),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


@pytest.fixture
def tiny_inception(tmp_path, monkeypatch) -> Inception:
    torch.manual_seed(0)
    path = tmp_path / extractors.INCEPTION.name
    torch.jit.script(TinyInception().eval()).save(str(path))
    monkeypatch.setattr(extractors, "INCEPTION", dataclasses.replace(extractors.INCEPTION, sha256=(sha256(path),)))
    return Inception(tmp_path)


# PyTorch would have TorchScript replaced, but this is how the network of the FID is published.
torchscript = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")


@torchscript
def test_inception_sees_what_clean_fid_shows_it(tiny_inception, tmp_path):
    """The features are those of clean-fid's own loop over image files, up to its batches."""
    from cleanfid.fid import get_files_features
    from PIL import Image

    color = np.random.default_rng(1).integers(0, 256, (5, 20, 20, 3), dtype=np.uint8)
    files = []
    for number, image in enumerate(color):
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(files[-1])
    expected = get_files_features(
        files, model=tiny_inception._network, num_workers=0, device=torch.device("cpu"), mode="clean", verbose=False
    )
    np.testing.assert_allclose(tiny_inception.transform(color), expected, rtol=1e-4, atol=1e-5)


@torchscript
def test_only_inception_gives_fid(tiny_inception):
    for extractor, names in (
        (tiny_inception, {"fid", "kid"}),
        (PrincipalFeatures.fit(IMAGES), {"frechet_distance", "kernel_distance"}),
    ):
        features = extract(extractor, IMAGES[:20])
        settings = SETTINGS.model_copy(update={"num_images": (8,)})
        rows = distance_rows({"train": features}, features, Moments.of(features[:]), settings)
        found = {row["metric"] for row in rows}
        assert found == names | {"precision", "recall", "density", "coverage"}
        assert {row["extractor_sha256"] for row in rows} == {extractor.sha256}


@torchscript
def test_inception_is_downloaded_where_it_is_missing(tiny_inception, tmp_path, monkeypatch):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{extractors.INCEPTION.name}"
        monkeypatch.setattr(extractors, "INCEPTION", dataclasses.replace(extractors.INCEPTION, address=address))
        fetched = Inception(tmp_path / "elsewhere")
        server.shutdown()
    assert fetched.sha256 == tiny_inception.sha256
    np.testing.assert_array_equal(fetched.transform(IMAGES[:2]), tiny_inception.transform(IMAGES[:2]))


def test_grey_images_become_three_equal_channels():
    color = in_color(IMAGES[:2])
    assert color.shape == (2, 8, 8, 3)
    for channel in range(3):
        np.testing.assert_array_equal(color[..., channel], IMAGES[:2, ..., 0])


def test_efficientnet_separates_blurred_from_sharp_photos():
    from skimage.data import chelsea
    from skimage.filters import gaussian

    photo = chelsea()
    crops = np.stack([photo[y : y + 64, x : x + 64] for y in range(0, 192, 48) for x in range(0, 384, 48)])
    blurred = np.stack([gaussian(crop, 2, channel_axis=-1, preserve_range=True) for crop in crops]).astype(np.uint8)
    extractor = fit_extractor("efficientnet", crops)
    sharp, soft = extract(extractor, crops), extract(extractor, blurred)
    assert sharp.values.shape == (32, 1280)
    own = mean_over_pairs(sharp[16:])
    same, different = (kernel_distance(part[:16], sharp[16:], own) for part in (sharp, soft))
    assert different.low > same.high


def test_pca_of_large_images_forms_no_covariance(monkeypatch):
    """Above the limit a randomized decomposition of the first images finds the same leading components."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((64, 192)) * np.linspace(12, 3, 64)[:, None]
    values = rng.standard_normal((900, 64)) @ mixing + 128
    images = np.clip(np.rint(values), 0, 255).astype(np.uint8).reshape(900, 8, 8, 3)
    exact = PrincipalFeatures.fit(images)
    monkeypatch.setattr(features, "MAX_COVARIANCE", 100)
    large = PrincipalFeatures.fit(images)
    covariance = np.cov(large.transform(images), rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(64), atol=0.02)
    np.testing.assert_allclose(
        large.components @ large.components.T, exact.components @ exact.components.T, rtol=0.05, atol=1
    )
