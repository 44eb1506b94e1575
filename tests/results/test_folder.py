import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ihdm
from ihdm.errors import UserError
from ihdm.results.collections import UnknownNameError
from ihdm.results.folder import Results, load_results
from ihdm.storage.files import sha256


@pytest.fixture
def results(folder) -> Results:
    return load_results(folder)


def test_tables_are_data_frames_by_name_and_by_attribute(results):
    assert list(results.tables) == ["spectrum"]
    expected = pd.DataFrame({"band": ["low"], "value": [1.5]})
    pd.testing.assert_frame_equal(results.tables["spectrum"], expected)
    pd.testing.assert_frame_equal(results.tables.spectrum, expected)
    pd.testing.assert_frame_equal(dict(results.parts)["spectrum/data/digits"], expected)
    assert results.printed["quality"]["a"].tolist() == [1]
    assert results.history["digits"]["loss"].tolist() == [2.5]
    assert results.held_out["digits"]["level"].tolist() == [1]
    assert results.claims["verdict"].tolist() == ["not run"]
    assert "spectrum" in dir(results.tables)


def test_changing_a_table_changes_no_other(results):
    table = results.tables["spectrum"]
    table.loc[0, "value"] = 7.0
    assert results.tables["spectrum"]["value"].tolist() == [1.5]


def test_samples_are_mapped_arrays_by_experiment_and_ratio(results, folder):
    assert list(results.samples) == [("digits", 1.0), ("digits", 1.25)]
    found = results.samples["digits", 1.25]
    assert isinstance(found.images, np.memmap)
    assert not found.images.flags.writeable
    np.testing.assert_array_equal(found.images, np.load(folder / "samples/digits/delta1.25/samples.npy"))
    np.testing.assert_array_equal(found.starts, np.load(folder / "samples/digits/delta1.25/starts.npy"))
    assert len(found.table) == len(found.images) == 6
    assert found.grid.exists()
    assert found.origin.seed == 3
    assert results.samples.origin("digits", 1).command == "samples draw"
    assert list(results.samples.of("digits")) == [1.0, 1.25]


def test_data_models_figures_and_arrays(results, folder):
    assert results.data["digits"].train.shape == (12, 8, 8, 1)
    assert results.data.digits.test.shape == (4, 8, 8, 1)
    assert results.data.digits.description()["licence"] == "CC BY 4.0"
    assert results.data.digits.origin.command == "data prepare"
    assert results.models["digits"] == folder / "models/digits"
    assert results.portable["digits"] == folder / "portable/digits"
    assert results.portable.origin("digits").command == "models export"
    assert results.figures["psd"] == folder / "figures/psd.png"
    assert results.figures["psd"].with_suffix(".pdf").exists()
    assert results.page.exists()
    assert results.arrays["samples/digits/sequence"]["levels"].tolist() == [0, 1, 2]
    assert results.arrays["data/digits/test"].shape == (4, 8, 8, 1)
    assert results.arrays["samples/digits/delta1/samples"].shape == (5, 8, 8, 1)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("models/digits/config.json", "models train"),
        ("models/digits/milestones/step50/config.json", "models train"),
        ("models/digits", "models train"),
        ("models/digits/calibration.npz", "models calibrate"),
        ("portable/digits", "models export"),
        ("portable/digits/unet/diffusion_pytorch_model.safetensors", "models export"),
        ("metrics/distance/digits/delta1.csv", "metrics samples"),
        ("data/digits/test.json", "data prepare"),
        ("samples/digits/delta1/starts.npy", "samples draw"),
        ("samples/digits/sequence.npz", "samples sequence"),
        ("metrics/spectrum.csv", "metrics table"),
        ("metrics/spectrum/data/digits.csv", "metrics spectrum-real"),
        ("tables/quality.tex", "report tables"),
        ("figures/psd.pdf", "figures draw psd"),
    ],
)
def test_each_knows_its_origin_though_the_folder_has_moved(results, folder, path, command):
    for asked in (path, folder / path, str(folder / path)):
        assert results.origin(asked).command == command


def test_an_origin_has_all_facts_of_the_record(results, folder):
    origin = results.models.origin("digits")
    content = json.loads((folder / "models/digits/model.meta.json").read_text())
    assert origin.content == content
    assert origin.settings == {"process": {"kind": "heat"}}
    assert origin.code_sha256 == content["code_sha256"]
    assert origin.commit == content["commit"]
    assert origin.versions["torch"] == content["versions"]["torch"]
    assert origin.device == "cpu"
    assert origin.finished is not None
    assert origin.finished.isoformat() == content["finished"]
    assert origin.seconds == content["seconds"]
    (trained_on,) = origin.inputs
    assert origin.local(trained_on) == folder / "data/digits/train.npy"
    assert origin.inputs[trained_on] == sha256(folder / "data/digits/train.npy")
    assert origin.local("elsewhere/train.npy") is None
    assert "models train" in repr(origin)
    assert {one.command for one in results.origins()} > {
        "data prepare",
        "models train",
        "models export",
        "claims check",
    }


def test_files_without_a_record_are_reported(results, built):
    with pytest.raises(UserError, match=r"index\.html: no record of this file"):
        results.origin("report/index.html")
    for path in ("metrics/none.csv", built / "metrics/spectrum.csv", "/etc/hosts"):
        with pytest.raises(UserError, match="not found in"):
            results.origin(path)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda results: results.tables["spectrun"], "no table spectrun; did you mean spectrum"),
        (lambda results: results.tables.spectrun, "no table spectrun; did you mean spectrum"),
        (lambda results: results.figures["x"], "no figure x; choose from psd"),
        (lambda results: results.samples["digts", 1], "no samples of digts; did you mean digits"),
        (lambda results: results.samples["digits", 2], "at δ/σ 2; choose from 1, 1.25"),
        (lambda results: results.samples["digits"], "at δ/σ 1, 1.25; choose one"),
        (lambda results: results.samples["digits", "1"], "give an experiment and δ/σ"),
        (lambda results: results.samples["digits", 1, 1], "give an experiment and δ/σ"),
        (lambda results: results.samples[1.25], "give an experiment and δ/σ"),
        (lambda results: results.models.path("photos"), "no network photos; choose from digits"),
    ],
)
def test_an_unknown_name_is_reported_with_similar_names(results, ask, message):
    with pytest.raises(UserError, match=message) as caught:
        ask(results)
    assert "\n" not in str(caught.value)


def test_names_behave_as_those_of_a_mapping(results):
    assert results.tables.get("none") is None
    assert "spectrum" in results.tables
    assert not hasattr(results.tables, "none")
    assert ("digits", 1.0) in results.samples
    assert ("digits", 9.0) not in results.samples
    assert ("digits", "1") not in results.samples
    with pytest.raises(UnknownNameError, match="it has no table at all"):
        Results(results.folder / "figures").tables["spectrum"]


@pytest.mark.parametrize(
    ("path", "ask"),
    [
        ("metrics/spectrum.csv", lambda results: results.tables["spectrum"]),
        ("samples/digits/delta1/samples.npy", lambda results: results.samples["digits", 1].images),
        ("samples/digits/sequence.npz", lambda results: results.arrays["samples/digits/sequence"]),
        ("models/digits/model.meta.json", lambda results: results.origin("models/digits/config.json")),
        ("data/digits/train.json", lambda results: results.data["digits"].description()),
    ],
)
def test_a_damaged_file_is_reported_on_access(folder, path, ask):
    (folder / path).write_bytes((folder / path).read_bytes()[:10])
    if path.endswith(".csv"):
        (folder / path).write_bytes(b"")
    results = load_results(folder)
    assert "spectrum" in repr(results)
    with pytest.raises(UserError, match=Path(path).name):
        ask(results)


def test_a_file_that_is_no_record_is_reported(results, folder):
    (folder / "models/digits/model.meta.json").write_text('{"settings": {}, "inputs": []}')
    with pytest.raises(UserError, match="not a record"):
        results.origin("models/digits/config.json")


def test_other_folders_are_reported(tmp_path, built):
    with pytest.raises(UserError, match="folder not found"):
        load_results(tmp_path / "none")
    with pytest.raises(UserError, match="not a results folder"):
        load_results(built / "metrics")


def test_it_shows_what_there_is(results):
    assert repr(results).splitlines()[1:] == [
        "  data     1: digits",
        "  models   1: digits",
        "  portable 1: digits",
        "  samples  1: digits",
        "  tables   1: spectrum",
        "  printed  1: quality",
        "  figures  1: psd",
        "  report   claims.csv, index.html",
    ]
    assert repr(results.samples).endswith("digits (1, 1.25)")
    assert repr(results.tables).endswith(": spectrum")


def test_the_package_has_it_and_stays_quick_to_import(folder):
    """Neither the package alone nor a folder that is opened loads pandas or PyTorch."""
    code = (
        "import sys, ihdm; late = ('numpy', 'pandas', 'torch', 'ihdm.results');"
        "loaded = [name for name in late if name in sys.modules];"
        f"results = ihdm.load_results({str(folder)!r}); repr(results); results.origin('models/digits');"
        "loaded += [name for name in ('pandas', 'torch') if name in sys.modules]; print(*loaded)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
    assert ihdm.load_results is load_results
    assert "load_results" in dir(ihdm)
    with pytest.raises(AttributeError, match="no attribute 'load_result'"):
        getattr(ihdm, "load_result")  # noqa: B009
