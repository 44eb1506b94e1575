"""Tables as a paper prints them: ours and published values apart, dashes where nothing is, three formats."""

from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from ihdm.config.reading import read_config
from ihdm.config.scale import Config
from ihdm.report.tables import PAPER_TABLES, PUBLISHED, available, distances, hyperparameters, printed, sweeps

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def paper() -> Config:
    return read_config(ROOT / "config.yaml")


def merged(**changes: object) -> pd.DataFrame:
    row = {
        "experiment": "cifar10", "set": "samples", "metric": "fid", "extractor": "inception", "n": 50000,
        "n_reference": 50000, "delta_ratio": 1.25, "value": 20.5, "standard_error": 0.1,
    }  # fmt: skip
    return pd.DataFrame([row | changes, row | {"n": 5000, "value": 99.0} | changes, row | {"set": "starts"}])


def test_published_fids_of_the_same_data_have_a_separate_column(paper):
    table = distances(paper, {"distance": merged()})
    ours = table[table["experiment"] == "cifar10"]
    assert ours["ours"].tolist() == ["20.50 ± 0.20"]  # of most images, of samples alone
    assert ours["published FID"].tolist() == ["18.96"]
    assert ours["measure"].tolist() == ["FID"]
    others = table[table["ours"] == "–"]
    assert len(table) == 1 + len(others)
    assert len(others) == len(PUBLISHED) - 1
    assert (others["published FID"] != "–").all()
    assert not table.isna().any(axis=None)


def test_other_data_sets_have_no_published_fid(paper):
    table = distances(paper, {"distance": merged(experiment="mnist", metric="frechet_distance", extractor="dct64")})
    ours = table[table["experiment"] == "mnist"].iloc[0]
    assert (ours["published FID"], ours["measure"], ours["features"]) == ("–", "Fréchet distance", "dct64")


def test_only_values_that_are_known_first_hand_or_cited_are_printed():
    """AFHQ 256 and FFHQ 256 are known second hand, CelebA is no data set of ours, and 80.08 is of deblurred images."""
    assert {published.fid for published in PUBLISHED} == {18.96, 3.17, 3.86, 45.06, 119.34, 55.87}


def test_hyperparameters_are_those_of_the_configuration(paper):
    table = hyperparameters(paper, {}).set_index("experiment")
    assert table.loc["lsun_church128", "K"] == "400"
    assert table.loc["cifar10", "multipliers"] == "1, 2, 2, 2"
    assert table.loc["cifar10_diffusion", "σ"] == "–"
    assert table.loc["mnist-num_train100", "images"] == "100"
    assert not any(name.partition("-")[2].startswith("sampler") for name in table.index)  # which train nothing


def test_swept_values_are_in_adjacent_rows(paper):
    rows = [
        {"experiment": name, "base": "mnist", "swept": swept, "set": images, "metric": metric, "delta_ratio": 1.25,
         "blur_sigma_max": blur, "n": 10, "value": value, "standard_error": 0.1, "extractor": "dct64"}
        for name, swept, blur in (("mnist", None, 20.0), ("mnist-blur_sigma_max5", "blur_sigma_max", 5.0))
        for images, metric, value in (("samples", "frechet_distance", blur), ("test", "bits_per_dim", 13.0))
    ]  # fmt: skip
    table = sweeps(paper, {"sweep": pd.DataFrame(rows)})
    assert table["value"].tolist() == ["5", "20"]
    assert table["distance"].tolist() == ["5.00 ± 0.23", "20.00 ± 0.23"]
    assert table["bits/dim"].tolist() == ["13.00 ± 0.23"] * 2


def test_a_table_is_made_where_its_parts_are():
    assert set(available(set())) == {"hyperparameters"}
    assert set(available({"distance", "sweep", "likelihood", "evaluations", "departures"})) == set(PAPER_TABLES)


def test_a_table_that_fails_leaves_none(tmp_path, ihdm_fails):
    merged().to_csv(tmp_path / "distance.csv", index=False)
    pd.DataFrame({"experiment": ["cifar10"]}).to_csv(tmp_path / "evaluations.csv", index=False)
    message = ihdm_fails(
        *("report", "tables", "--settings", read_config(ROOT / "config.yaml").model_dump_json()),
        *(
            "--merged",
            tmp_path / "distance.csv",
            "--merged",
            tmp_path / "evaluations.csv",
            "--output",
            tmp_path / "made",
        ),
    )
    assert "no column or array" in message
    assert not list(tmp_path.glob("made/*"))


def test_three_formats_hold_the_same():
    table = pd.DataFrame({"δ/σ": ["1.25", "–"], "a_b": ["1.0 ± 0.1", "50 % & more"]})
    texts = printed(table, "Caption with σ & 5 %.", "one")
    pd.testing.assert_frame_equal(pd.read_csv(StringIO(texts[".csv"]), dtype=str), table)
    markdown = texts[".md"]
    assert markdown.startswith("Caption with σ & 5 %.\n\n| δ/σ")
    latex = texts[".tex"]
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{Caption with $\sigma$ \& 5 \%.}", r"a\_b"):
        assert part in latex
    assert r"1.25 & 1.0 $\pm$ 0.1 \\" in latex
    assert r"-- & 50 \% \& more \\" in latex
    assert latex.isascii()
