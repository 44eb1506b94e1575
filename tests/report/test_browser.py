"""The page in a real browser: nothing fails, nothing is asked for, what is to move moves, and no one is kept out.

Needs Debian's package ``chromium`` (or another Chromium, named by IHDM_CHROMIUM) and, to look for barriers, axe-core:
its ``axe.min.js``, named by IHDM_AXE or below ``node_modules``. ``.ci/run`` gets both; where they are missing the tests
are skipped.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ihdm.report.page import report_page

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright, of the extra 'test', is not installed")

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("IHDM_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
AXE = Path(os.environ.get("IHDM_AXE") or ROOT / "node_modules/axe-core/axe.min.js")

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason=f"no browser: {CHROMIUM} is not there; install Debian's package chromium"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Opened:
    """A page that is open, with what it complained of and what it asked for."""

    def __init__(self, browser: Any, file: Path, width: int, **media: str) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **media)
        self.page.on("console", lambda message: self._told(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        # The page allows no evaluated text, which waiting for a function would take once it has to wait.
        self.page.wait_for_selector("html[data-drawn=yes]", state="attached")

    def _told(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def ask(self, script: str, argument: object = None) -> Any:
        return self.page.evaluate(script, argument)


@pytest.fixture(scope="module")
def file(made_up, ledger, tmp_path_factory) -> Path:
    """The page as it is written."""
    path: Path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(report_page(made_up(), ledger, ROOT / "workflow/report", []))
    return path


@pytest.fixture(params=[1280, 390])
def opened(request, browser, file) -> Iterator[Opened]:
    found = Opened(browser, file, request.param)
    yield found
    found.page.close()


def test_the_page_has_no_errors_and_makes_no_requests(opened):
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [opened.requests[0]]
    assert opened.requests[0].startswith("file:")


def test_every_image_loads(opened):
    broken = opened.ask("""async () => {
        const sheets = [...document.querySelectorAll(".strip i, .opening i")].map(
            (tile) => getComputedStyle(tile).backgroundImage.slice(5, -2));
        const shown = [...document.images].map((image) => image.src);
        const failed = await Promise.all([...new Set([...sheets, ...shown])].map(async (source) => {
            const image = new Image();
            image.src = source;
            try { await image.decode(); } catch { return source.slice(0, 80); }
            return image.naturalWidth > 0 ? null : source.slice(0, 80);
        }));
        return [failed.length, failed.filter(Boolean)];
    }""")
    assert broken[0] > 5
    assert broken[1] == []


def test_nothing_scrolls_sideways(opened):
    opened.ask("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert opened.ask("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_level_slider_moves_images_by_keyboard(opened):
    state = """() => [...document.querySelectorAll("[data-levels] .process")].map((process) => [
        process.querySelector("output").value,
        ...[...process.querySelectorAll(".strip i")].map((tile) => getComputedStyle(tile).backgroundPosition)])"""
    before = opened.ask(state)
    opened.page.focus("[data-levels] input")
    opened.page.keyboard.press("Home")
    image = opened.ask(state)
    assert [process[0] for process in image] == ["level 0 of 6"] * len(image)
    assert all("100%" in place for process in image for place in process[1:])  # the last row: the image
    opened.page.keyboard.press("End")
    start = opened.ask(state)
    assert [process[0] for process in start] == ["level 6 of 6"] * len(start)
    assert before != image != start
    assert "level 6 of 6" in opened.ask("() => document.querySelector('[data-levels] input').ariaValueText ?? "
        "document.querySelector('[data-levels] input').getAttribute('aria-valuetext')")  # fmt: skip


def test_samples_run_backwards(opened):
    opened.ask("() => document.querySelector('.play').click()")
    sync_api.expect(opened.page.locator("[data-levels] input").first).to_have_value("0", timeout=30_000)


def test_the_explorer_moves_samples_curves_and_spectrum_together(opened):
    state = """() => {
        const explorer = document.querySelector(".explorer");
        return {
            value: explorer.querySelector(".value").value,
            words: explorer.querySelector(".readout").textContent,
            place: getComputedStyle(explorer.querySelector(".strip i")).backgroundPosition,
            charts: Object.fromEntries([...explorer.querySelectorAll("[data-chart]")].map(
                (chart) => [chart.dataset.chart, chart.querySelector("svg").outerHTML])),
        };
    }"""
    before = opened.ask(state)
    opened.page.focus(".explorer input")
    opened.page.keyboard.press("ArrowRight")
    after = opened.ask(state)
    assert (before["value"], after["value"]) == ("1.25", "2")
    assert before["words"] != after["words"]
    assert before["place"] != after["place"]
    assert set(after["charts"]) == {"digits-distance", "digits-bound", "digits-spectrum"}
    for name, drawn in after["charts"].items():
        assert drawn != before["charts"][name], name


def test_tables_sort_and_filter_by_keyboard(opened):
    opened.ask("() => { document.querySelector('#table-evaluations').open = true; }")
    rows = """() => [...document.querySelectorAll("#table-evaluations tbody tr")].filter((row) => !row.hidden)
        .map((row) => row.cells[1].textContent + row.cells[2].textContent)"""
    assert opened.ask(rows) == ["paper3", "paper6", "markov3", "markov6"]
    opened.page.focus("#table-evaluations th:nth-child(3) button")
    opened.page.keyboard.press("Enter")
    assert [row[-1] for row in opened.ask(rows)] == ["3", "3", "6", "6"]
    opened.page.keyboard.press("Enter")
    assert [row[-1] for row in opened.ask(rows)] == ["6", "6", "3", "3"]
    assert opened.ask("() => document.querySelector('#table-evaluations th:nth-child(3)').ariaSort") == "descending"
    opened.page.focus("#table-evaluations input")
    opened.page.keyboard.type("mark 3")
    assert opened.ask(rows) == ["markov3"]
    assert opened.ask("() => document.querySelector('#table-evaluations output').value") == "1 of 4 rows"


def test_animations_stop(opened, browser, file):
    source = "() => { const image = document.querySelector('.moving img'); return image.currentSrc; }"
    moving = opened.ask(source)
    opened.ask("() => document.querySelector('.moving button').click()")
    still = opened.ask("() => document.querySelector('.moving img').dataset.still")
    sync_api.expect(opened.page.locator(".moving img").first).to_have_attribute("src", still)
    calm = Opened(browser, file, 1280, reduced_motion="reduce")
    assert calm.ask(source) not in ("", moving)
    calm.page.close()


def test_a_link_to_a_claim_opens_it(opened):
    opened.ask("() => { location.hash = '#claim-best'; }")
    sync_api.expect(opened.page.locator("#claim-best")).to_have_attribute("open", "")


@pytest.mark.skipif(
    not AXE.exists(), reason=f"no axe-core: {AXE} is not there; npm pack axe-core, and name it by IHDM_AXE"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_one_is_kept_out(opened, browser, file, scheme):
    """Contrast, names, roles, order: axe-core finds nothing serious, with everything opened."""
    width = opened.ask("() => innerWidth")
    shown = Opened(browser, file, width, color_scheme=scheme)
    shown.ask("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    shown.ask(f"() => {{ {AXE.read_text()}\n }}")
    found = shown.ask("""async () => {
        const { violations } = await axe.run(document, { resultTypes: ["violations"] });
        return violations.filter((one) => ["serious", "critical"].includes(one.impact))
            .map((one) => `${one.id}: ${one.nodes.slice(0, 5).map((node) => node.html.slice(0, 200)).join(" | ")}`);
    }""")
    assert found == []
    shown.page.close()
