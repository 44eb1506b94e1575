"""The page of results: one file, the same for the same results, that says nothing of what is not there."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ihdm.config.reading import read_config
from ihdm.config.scale import Config
from ihdm.errors import UserError
from ihdm.report.claims import read_ledger
from ihdm.report.page import as_html, report_page
from ihdm.report.provenance import differences, duration
from ihdm.report.render import TEMPLATES, animation_pictures, assets_sha256, figure_picture, sheet
from ihdm.report.results import Results
from ihdm.report.sections import level_groups

ROOT = Path(__file__).parents[2]
CAPTIONS = ROOT / "workflow/report"
SECTIONS = ("verdicts", "levels", "delta", "quality", "figures", "tables", "provenance")


class Elements(HTMLParser):
    """The elements of a page with their attributes; refuses what is closed in another order than opened."""

    EMPTY = ("meta", "link", "br", "img", "input", "source", "line", "circle")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.opened: list[str] = []
        self.feed(text)
        assert self.opened == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag, self.getpos()

    def values(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.found if name in attributes]


@pytest.fixture(scope="module")
def results(made_up) -> Results:
    return made_up()


@pytest.fixture(scope="module")
def page(results, ledger) -> str:
    return report_page(results, ledger, CAPTIONS, ["digits: made by other code"])


def test_page_has_every_part(page):
    elements = Elements(page)
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    assert set(SECTIONS) <= set(ids)
    assert {href[1:] for href in elements.values("href") if href.startswith("#")} <= set(ids)
    for told in ("digits: made by other code", "17 gray levels", "heat removes them first", "c0ffee", "2 minutes"):
        assert told in page, told
    assert all(attributes.get("alt") is not None for tag, attributes in elements.found if tag == "img")


def test_no_address_is_outside_the_page(page):
    """But for names of XML's, which are never asked for, and files beside it."""
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s\"'`)\\]*", page))
    assert {address for address in addresses if not re.match(r"(?:http:)?//www\.w3\.org/", address)} == set()
    for address in Elements(page).values("href"):
        assert address.startswith(("#", "data:,", "../figures/", "../metrics/")), address
    assert "default-src 'none'" in page


def test_page_is_small_and_the_same_for_the_same_results(page, results, ledger):
    assert report_page(results, ledger, CAPTIONS, ["digits: made by other code"]) == page
    assert len(page.encode()) < 25_000_000


def test_missing_results_are_left_out_of_the_page(tmp_path, scale):
    (tmp_path / "empty").mkdir()
    page = report_page(Results(scale, tmp_path / "empty"), None, CAPTIONS, [])
    ids = Elements(page).values("id")
    assert [name for name in SECTIONS if name in ids] == ["provenance"]
    assert "vegaEmbed(" not in page.replace("window.vegaEmbed(element", "")
    for word in ("Claims", "δ", "evaluations (NFE)", "Fréchet", "jobs", "commit", "Samples"):
        assert word not in re.sub(r"<script>.*?</script>|<details>.*?</details>", "", page, flags=re.DOTALL), word


def test_a_scale_without_figures_has_a_page(results, ledger):
    config = results.config.model_copy(update={"figures": {}})
    ids = Elements(report_page(Results(config, results.folder), ledger, CAPTIONS, [])).values("id")
    assert [name for name in SECTIONS if name not in ids] == ["figures"]


def test_forward_images_are_shown_where_they_were_kept(made_up):
    results = made_up(has_forward=False)
    processes = [process for group in level_groups(results).values() for process in group]
    assert [process.experiment for process in processes] == list(results.config.diagnostics)
    assert all([strip["title"] for strip in process.strips] == ["Samples, reverse process"] for process in processes)
    path = results.trajectories("digits")
    with np.load(path) as archive:
        np.savez(path, **archive, forward=np.zeros((4, 2, 8, 8, 1), dtype=np.uint8))
    first = level_groups(results)["digits"][0]
    assert [(strip["images"].columns, strip["images"].rows) for strip in first.strips] == [(2, 4), (3, 4)]
    assert first.levels == [6, 4, 2, 0]


def test_a_sheet_keeps_every_pixel_of_small_images_and_shrinks_large_ones():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), dtype=np.uint8)
    small = sheet(images)
    pixels = np.asarray(decoded(small.uri))
    assert (pixels[8:16, 16:24] == images[1, 2]).all()
    assert small.size == 64
    large = sheet(np.zeros((2, 3, 256, 256, 1), dtype=np.uint8))
    assert decoded(large.uri).size == (3 * 64, 2 * 64)


def decoded(uri: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")


def test_verdicts_are_grouped_by_claim(page, ledger):
    found = read_ledger(ledger)
    best, other = found["claims"]
    assert (best["row"]["id"], other["row"]["id"]) == ("best", "other")
    assert found["verdicts"] == {"reproduced": 2, "inconclusive": 1, "not run": 1}
    marks, (border,) = best["picture"]["marks"], best["picture"]["borders"]
    assert [mark["low"] < mark["x"] < mark["high"] for mark in marks] == [True, True, False]  # one is open to a side
    assert marks[0]["low"] > border > marks[1]["low"]
    assert [decision["is_lost"] for decision in best["decisions"]] == [False, False, True]
    assert other["picture"] is None
    assert "Ours &lt;b&gt;" in page.partition("Not run at this scale")[2]
    for told in ("snakemake one", "Beyond σ itself.", 'href="../metrics/distance.csv"', 'href="#table-distance"'):
        assert told in page.partition('id="levels"')[0], told
    assert 'href="#figure-delta_curve"' in page.partition('id="levels"')[0]  # it is drawn from that table


@pytest.mark.parametrize("text", ["", "{}", '{"claims": [{}], "tested": 1}', "[1]"])
def test_a_damaged_ledger_is_reported(tmp_path, text):
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(UserError, match="damaged ledger of claims"):
        read_ledger(tmp_path / "claims.json")


def test_settings_that_differ_from_their_defaults_are_listed():
    config = read_config(ROOT / "workflow/config/quick.yaml")
    told = {place: (chosen, default) for place, chosen, default in differences(config)}
    assert "evaluation.likelihood_draws" not in told
    assert told["experiments.digits.training.warmup_steps"] == ("100", "5000")
    assert told["datasets.digits.source"] == ("digits", "–")
    assert told["evaluation.diagnostics.num_trees"] == ("10", "12")
    assert "evaluation.delta_ratio" not in told
    assert isinstance(config, Config)


def test_captions_are_escaped():
    assert as_html("a <b>\n  ``x_y`` **z**") == "a &lt;b&gt; <code>x_y</code> <strong>z</strong>"


def test_every_caption_can_be_rendered():
    """What captions of figures use of reStructuredText is what becomes HTML."""
    for name in read_config(ROOT / "workflow/config/quick.yaml").figures:
        text = str(as_html((CAPTIONS / f"{name}.rst").read_text()))
        assert not re.search(r"``|\*\*|\{\{|:\w+:`", text), name


def test_durations_are_counted_as_readers_count():
    assert [duration(value) for value in (3, 600, 10_000)] == ["3 seconds", "10 minutes", "2.8 hours"]


def test_every_template_is_packaged_and_a_change_of_style_changes_the_hash(monkeypatch, tmp_path):
    project = (ROOT / "pyproject.toml").read_text()
    assert '"ihdm.report" = ["templates/*"]' in project
    before = assets_sha256()
    for path in TEMPLATES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr("ihdm.report.render.TEMPLATES", tmp_path)
    assert assets_sha256() == before
    (tmp_path / "page.css").write_text("")
    assert assets_sha256() != before


def test_the_command_writes_page_and_record(ihdm, results, ledger, tmp_path):
    output = tmp_path / "out/index.html"
    ihdm("report", "page", "--settings", results.config.model_dump_json(), "--results", results.folder, "--claims",
        ledger, "--captions", CAPTIONS, "--output", output)  # fmt: skip
    assert "<h1>" in output.read_text()
    record = json.loads(output.with_suffix(".meta.json").read_text())
    assert record["command"] == "report page"
    assert str(results.figure("psd")) in record["inputs"]


@pytest.mark.parametrize("read", [figure_picture, animation_pictures])
def test_a_damaged_figure_is_named(read, tmp_path):
    path = tmp_path / "figure.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)).save(path)
    for content in (b"", path.read_bytes()[:800]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{path}: damaged image .*run the stage that draws it again"):
            read(path)
