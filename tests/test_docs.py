"""What README and documentation tell to type and to open is there."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

import pandas as pd
import pytest
import typer
import yaml
from PIL import Image
from snakemake.cli import get_argument_parser
from typer.exceptions import TyperException

from ihdm.__main__ import app
from ihdm.claims.decisions import Outcome
from ihdm.claims.ledger import COLUMNS
from ihdm.config.reading import parse_config, read_config

ROOT = Path(__file__).parents[1]
generate = run_path(str(ROOT / "docs/generate.py"))
GENERATED = list(generate["generated"]())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SMOKE = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())

CONSOLE = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?```console\n(?P<commands>.*?)```", re.DOTALL)
NAMED_FILE = re.compile(
    r"`((?:\.github|benchmarks|docs|ihdm|profiles|tests|workflow)/[\w./-]*|"
    r"(?:config|environment|mkdocs)\.yml|config\.yaml|pyproject\.toml|Makefile|requirements\.lock)`"
)

# These take no time and need no network: they are run, each in the order of its page.
RUN = {("config", "new"), ("config", "check"), ("config", "show"), ("data", "sources"), ("data", "prepare")}


def commands(path: Path, *, run: bool = True) -> list[str]:
    """The commands of a page, but those that it says are not run; or these alone."""
    blocks = CONSOLE.finditer(path.read_text())
    chosen = [block["commands"] for block in blocks if (block["why"] is None) == run]
    return [line for lines in chosen for line in lines.splitlines() if line.strip()]


def parts(command: str) -> list[str]:
    """The words of a command, without where its output goes."""
    words = shlex.split(command, comments=True)
    return words[: words.index(">")] if ">" in words else words


EVERY = [(path, command) for path in PAGES for command in commands(path)]
# Of those that are not run, our own are to be there all the same.
OURS = [
    (path, command)
    for path in PAGES
    for command in commands(path, run=False)
    if command.startswith(("python -m ihdm ", "ihdm ")) and "…" not in command
]


def check_make(words: list[str]) -> None:
    assert words
    for target in words:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def check_snakemake(words: list[str]) -> None:
    """The options exist, and so do the files they name."""
    arguments = get_argument_parser().parse_args(words)
    named = [*(arguments.configfile or []), *([profile] if (profile := arguments.workflow_profile) else [])]
    for path in named:
        assert (ROOT / path).exists() or Path(path).name == "mine.yaml", path


def check_ihdm(words: list[str]) -> None:
    """The command exists and takes these options and arguments."""
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "commands"):
        context = command.make_context(command.name, words[:1], parent=context, resilient_parsing=True)
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words, parent=context)


def check(command: str) -> None:
    match parts(command):
        case ["make", *words]:
            check_make(words)
        case ["source", ".venv/bin/activate"]:
            pass
        case ["snakemake", *words]:
            check_snakemake(words)
        case ["python", "-m", "ihdm", *words] | ["ihdm", *words]:
            check_ihdm(words)
        case _:
            pytest.fail(f"{command}: no test knows it; put <!-- not run: why --> before its block")


@pytest.mark.parametrize(
    ("path", "command"), EVERY + OURS, ids=[f"{path.stem}: {command}" for path, command in EVERY + OURS]
)
def test_commands_have_valid_options(path, command):
    with contextlib.redirect_stderr(None):
        check(command)


@pytest.mark.parametrize(
    "command",
    [
        "make quik",
        "snakemake --corse 2",
        "snakemake --cores 2 --configfile workflow/config/fast.yaml",
        "python -m ihdm samples drow",
        "python -m ihdm models convert checkpoint.pth --preset cifar10 --output released",
        "python -m ihdm samples draw --model results/quick/models/digits --cuont 16 --output digits.png",
        "python -m ihdm samples draw --count 16",
        "ihdm smaple birds --output sheet.png",
        "ihdm sample birds --sheet sheet.png",
        "curl example.com",
    ],
)
def test_invalid_commands_are_detected(command):
    with (
        contextlib.redirect_stderr(io.StringIO()),
        pytest.raises((AssertionError, KeyError, SystemExit, TyperException, pytest.fail.Exception)),
    ):
        check(command)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_quick_commands_work(path, tmp_path, monkeypatch, ihdm, capsys):
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    (tmp_path / "config.yaml").symlink_to(ROOT / "config.yaml")
    pictures = tmp_path / "pictures/birds"
    pictures.mkdir(parents=True)
    make_pictures(pictures)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for command in commands(path):
        words = parts(command)
        if words[:3] != ["python", "-m", "ihdm"] or (words[3], words[4]) not in RUN or "config.yaml" in words:
            continue
        if words[4] == "new":
            Path(words[5]).unlink(missing_ok=True)
        capsys.readouterr()
        ihdm(*(Path(word).expanduser() if word.startswith("~") else word for word in words[3:]))
        if ">" in command:
            Path(command.rpartition(">")[2].strip()).write_text(capsys.readouterr().out)


def make_pictures(folder: Path) -> None:
    for number in range(24):
        Image.new("RGB", (40, 36), (10 * number, 100, 250 - 10 * number)).save(folder / f"{number}.png")


def test_targets_that_are_named_can_be_made(tmp_path):
    """At the smoke scale, whose results have the same names."""
    words = [parts(command)[1:] for _, command in EVERY if command.startswith("snakemake")]
    targets = {target for arguments in words for target in get_argument_parser().parse_args(arguments).targets or []}
    assert targets
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(SMOKE | {"results": "results"}))
    wanted = [re.sub(r"^results/(quick/)?", "results/", target) for target in targets]
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", *wanted, "-n", "--quiet", "--configfile", config, "--directory", tmp_path],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert planned.returncode == 0, planned.stderr


def test_settings_that_are_shown_can_be_configured():
    for path in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL):
            values = dict(SMOKE)
            for section, shown in yaml.safe_load(block).items():
                values[section] = values.get(section, {}) | shown
            parse_config(values, str(path))


def test_python_that_is_shown_is_python():
    for path in PAGES:
        for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
            compile(block, str(path), "exec")
            imports = [line for line in block.splitlines() if line.startswith(("from ", "import "))]
            exec("\n".join(imports), {})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_named_files_exist(path):
    text = path.read_text()
    for name in NAMED_FILE.findall(text):
        pattern = re.sub(r"[A-Z]{4,}", "*", name)
        assert list(ROOT.glob(pattern)), name
    for name in re.findall(r'--8<-- "([^":]+)', text):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results/README.md"], ids=str)
def test_linked_files_exist(path):
    """Those among the pages themselves are held by the strict build."""
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize(("path", "text"), GENERATED, ids=[path.name for path, _ in GENERATED])
def test_generated_parts_are_up_to_date(path, text):
    assert path.read_text() == text, "run: python docs/generate.py"


def test_every_generated_part_is_used():
    shown = [name for path in PAGES for name in re.findall(r"<!-- generated: ([\w ]+) -->", path.read_text())]
    assert sorted(shown) == sorted(generate["PARTS"])


def test_the_table_of_processes_has_means_over_seeds(tmp_path):
    """Kernel distances × 1000 of 1, 2 and 3 have the mean 2 and Student's interval 4.303/√3 = 2.48."""
    config, named = read_config(ROOT / "workflow/config/seeds.yaml"), {"n": 400, "extractor": "dct64"}
    rows = [
        {"experiment": name, "sampler": sampler, "evaluations": count, "metric": metric, "value": value, **named}
        for name, study in config.studies.items()
        for sampler in {*study.samplers} | ({"paper_best"} if "paper" in study.samplers else set())
        for count in study.counts
        for seed in [config.variants[name].experiment.seed]
        for metric, value in (("kernel_distance", (1 + seed) / 1000), ("relative_power_highest", 0.9 + 0.1 * seed))
    ]
    table, stored = pd.DataFrame(rows).assign(standard_error=1e-6), tmp_path / "processes.csv"
    few = table[table["experiment"] == "digits"]
    for scale, measured in (("desk", few), ("seeds", few), ("seeds", table)):
        generate["keep_processes"](measured, config, scale, stored)
    kept = pd.read_csv(stored)
    assert set(kept["scale"]) == {"desk", "seeds"}
    assert not kept.duplicated(["scale", "dataset", "process", "prediction", "sampler", "evaluations", "metric"]).any()
    kept.query("scale == 'seeds'").to_csv(stored, index=False)
    text = generate["process_tables"](stored)
    digits, photos = text.split("\n\n")
    cell = "2.0 ± 2.5, 1.00"
    assert "| digits (seeds, kernel distance × 1000): process, prediction | sampler | NFE 40 | 20 | 10 | 5 |" in digits
    assert f"| heat, residual | paper, best δ | {' | '.join(4 * [cell])} |" in digits
    assert f"| flow, whitened | deterministic, second order | {' | '.join(4 * [cell])} |" in digits
    assert {line.split(",")[0] for line in digits.splitlines()[2:]} == {
        f"| {kind}" for kind in ("heat", "diffusion", "diffusion clipped cosine", "blurring", "soft", "flow")
    }
    assert f"| heat, whitened | deterministic, second order | {' | '.join(4 * [cell])} |" in photos
    assert set(pd.read_csv(stored)["trainings"]) == {3}


@pytest.fixture
def keep(tmp_path):
    """Store decisions on a claim at a scale, which differ from one in these columns, and return where they are."""
    decision = {
        "id": "markov_bound_is_tighter", "experiment": "digits", "verdict": "reproduced", "trainings": 1, "p": 0.01,
        "value": -1.0, "low": -1.5, "high": -0.5,
    }  # fmt: skip

    def keep(scale: str, *changes: dict[str, Any]) -> Path:
        rows = pd.DataFrame([decision | changed for changed in changes])
        generate["keep_values"](rows, scale, tmp_path / "values.csv")
        return tmp_path / "values.csv"

    return keep


def test_claims_over_seeds_stand_next_to_those_of_one_training(keep, tmp_path):
    assert generate["seeds_claims"](tmp_path / "values.csv") == generate["NOT_STORED"]
    other = {"id": "little_delta_smooths"}
    keep("quick", {"value": -9.0})
    keep("quick", {}, other)  # which replaces the former
    stored = keep("seeds", {"verdict": "inconclusive", "high": 0.5, "trainings": 3}, other)
    _, _, line = generate["seeds_claims"](stored).splitlines()
    assert line.startswith("| With the same network, the Markov joint")
    assert line.endswith("| digits | -1.00 ± 0.50: reproduced | -1.0 (-1.5 … 0.5): inconclusive | 3 |")


def test_findings_at_the_desk_scale_stand_next_to_those_of_the_quick_run(keep):
    assert generate["desk_claims"](keep("quick", {"verdict": "inconclusive"})) == generate["NOT_STORED"]
    check = {"id": "heat_is_gaussian_blur", "experiment": "fashion"}
    stored = keep("desk", {"experiment": "fashion"}, {"experiment": "photos"}, check)
    _, _, line = generate["desk_claims"](stored).splitlines()
    assert line.endswith(
        "| digits -1.00 ± 0.50: inconclusive | fashion -1.00 ± 0.50: reproduced; photos -1.00 ± 0.50: reproduced |"
    )


def test_claims_are_grouped_and_show_their_evidence(keep):
    headings = re.split(r"^### ", generate["claim_table"](keep("quick", {})), flags=re.MULTILINE)[1:]
    groups = {text.partition("\n")[0]: text for text in headings}
    assert {"Findings", "Our findings", "Mathematical checks"} <= groups.keys()
    assert "lower likelihood bound than the paper's joint | digits -1.00 ± 0.50 |" in groups["Our findings"]
    assert sum(text.count("\n| ") - 1 for text in groups.values()) == len(generate["CLAIMS"])


def test_only_results_that_the_documentation_shows_are_stored(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report/claims.csv").write_text("id\n")
    with pytest.raises(SystemExit, match="give results/quick"):
        generate["keep"](tmp_path)


def test_every_column_of_the_ledger_is_explained():
    text = (ROOT / "docs/claims.md").read_text()
    columns = text[text.index("## Columns of claims.csv") :]
    told = re.findall(r"^\| (`.*?) \|", columns, re.MULTILINE)
    assert [name for cell in told for name in re.findall(r"`(\w+)`", cell)] == list(COLUMNS)
    assert all(f"| {outcome} |" in text for outcome in Outcome)


def test_every_public_module_is_in_the_api():
    listed = set(re.findall(r"^::: ([\w.]+)$", (ROOT / "docs/api.md").read_text(), re.MULTILINE))
    assert {f"ihdm.{name}" for name in ("heat", "objective", "prior", "sampling", "likelihood", "samplers")} <= listed


def test_explained_messages_are_in_the_code():
    source = " ".join(
        path.read_text() for path in [*(ROOT / "ihdm").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk")]
    )
    # Strings that go on in the next line are one message; what is filled in may be anything.
    source = re.sub(r"\"\s+f?\"", "", source)
    known = {"image_size: Field required", "Extra inputs are not permitted", "LockException"}  # Pydantic's, Snakemake's
    rows = re.findall(r"^\| (`.*?) \| ", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 40
    for message in (one for row in rows for one in re.findall(r"`(.*?)`", row)):
        words = re.sub(r"'?NAME'?|\b2\b|'pca', 'efficientnet' or 'inception'", "{}", message)
        pieces = [piece.strip() for piece in words.split("{}") if len(piece.strip()) > 3]
        assert message in known or message in source or all(piece in source for piece in pieces), message


def test_the_built_pages_need_no_network(tmp_path):
    """Links among them are held by the strict build, which with --quiet would count no warnings."""
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert built.returncode == 0, built.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        assert not re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="?(?:https?:)?//', page.read_text()), page


def test_the_text_on_spread_agrees_with_the_table():
    """For each method and network, from the smallest to the largest over problems."""
    text, desk = " ".join((ROOT / "docs/restoration.md").read_text().split()).split("### Results at the desk scale")
    network = "(fashion_diffusion|digits|digits_diffusion|photos)"
    row = rf"\| {network} \| [\w ]+ \|(?:[^|]+\|){{5}} ([\d.–]+)[^|]*\| ([\d.–]+)[^|]*\|"
    rows = re.findall(row, text)
    names = {"digits": "heat on digits", "digits_diffusion": "diffusion on digits", "photos": "heat on photos"}
    assert len(rows) == 12
    sentences = re.findall(r"That of (?:posterior samples|`start`) is (.+?)[.:] ", text)
    for column, sentence in enumerate(sentences, start=1):
        for network, name in names.items():
            spreads = [float(cells[column]) for cells in rows if cells[0] == network and cells[column] != "–"]
            assert not spreads or f"{min(spreads)} to {max(spreads)} for {name}" in sentence
    assert len(sentences) == 2
    for network, sentence in (
        ("fashion_diffusion", "samples of diffusion are slightly too certain ({} to {})"),
        ("photos", "on photographs ({} to {})"),
    ):
        spreads = [float(cells[1]) for cells in re.findall(row, desk) if cells[0] == network]
        assert sentence.format(min(spreads), max(spreads)) in desk
