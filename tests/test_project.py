"""What holds for the repository as a whole."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "ihdm").rglob("*.py"))

# From the bottom up: a module imports only from its own layer and from lower ones. Configuration and files come first,
# then the method, one file per section of the paper, then the stages in the order of the data. Training comes after
# samples and metrics, which it uses for previews and validation.
LAYERS = [
    {"__init__", "errors"},
    {"config", "seeds", "progress"},
    {"storage", "devices", "runs", "pretrained"},
    {"heat"},
    {"objective", "prior"},
    {"sampling", "likelihood"},
    {"processes"},
    {"predictions"},
    {"calibration"},
    {"samplers"},
    {"joints"},
    {"data"},
    {"metrics", "samples"},
    {"restoration"},
    {"models", "measures"},
    {"portable"},
    {"figures", "report"},
    {"claims", "results"},
    {"commands"},
    {"__main__"},
]

# Of the metrics, those that evaluate networks or processes; all others are functions of arrays.
METRICS_WITH_TORCH = {"asymptotics", "classifier", "evaluations", "heldout", "joints", "likelihood"}


def name_of(path: Path) -> str:
    """The module or folder directly under ihdm/."""
    return path.relative_to(ROOT / "ihdm").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The modules and folders directly under ihdm/ that a file imports, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            parts = (node.module or "").split(".")
            if parts[0] == "ihdm":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "ihdm" for alias in node.names), f"{path}: use from … import"
    return {
        name if (ROOT / "ihdm" / name).exists() or (ROOT / f"ihdm/{name}.py").exists() else "__init__" for name in found
    }


def test_benchmarks_import_what_is_there():
    for path in (ROOT / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ihdm"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), f"{path}: {node.module}"


def test_every_module_has_a_layer():
    assert {name_of(path) for path in MODULES} == set().union(*LAYERS)


def test_imports_go_one_way():
    layer = {name: index for index, names in enumerate(LAYERS) for name in names}
    for path in MODULES:
        for name in imported(path):
            assert layer[name] <= layer[name_of(path)], f"{path} imports {name}, which lies above it"


LIGHT = {
    "config": {"torch", "numpy", "pandas"},
    "metrics": {"torch", "diffusers", "accelerate"},
    "figures": {"torch", "diffusers", "accelerate", "matplotlib", "seaborn"},
    "measures": {"torch", "diffusers", "scipy", "sklearn", "skimage"},
    "data.sources": {"torch", "torchvision", "pandas", "scipy", "sklearn", "skimage", "lmdb"},
    "__main__": {"torch", "pandas", "sklearn", "diffusers"},
}
"""What parts load none of: to plan a workflow or print help, Python imports all of their modules."""


@pytest.mark.parametrize("part", LIGHT)
def test_some_parts_load_no_heavy_library(part):
    """Not even through another module: in a fresh interpreter."""
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES]
    names = [
        name
        for name in modules
        if f"{name}.".startswith(f"ihdm.{part}.")
        and name.rpartition(".")[2] not in {"__init__", "style", *METRICS_WITH_TORCH}
    ]
    code = f"import sys, {', '.join(names)}; print(*sorted({LIGHT[part]} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert loaded.stdout.split() == []


def test_arrays_are_written_in_one_place():
    """Which refuses values that are not finite; prepared images are bytes."""
    writers = {path.name for path in MODULES if re.search(r"np\.savez?\b", path.read_text())}
    assert writers == {"arrays.py", "writing.py"}


def test_modules_are_short_and_know_no_results_folder():
    for path in MODULES:
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        assert path.stem not in ("utils", "helpers", "misc", "common")
        assert "results/" not in text, path


def pins(requirements: list[str]) -> dict[str, str]:
    return {
        re.split(r"[<>=]", requirement)[0]: re.sub(r"^[\w.-]+", "", requirement).replace("==", "=")
        for requirement in requirements
    }


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """The locked versions, by names as pip compares them."""
    pairs = (line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_locked_packages_install_with_the_oldest_python_of_their_minor_version(locked):
    """The README promises Python 3.11; Debian 12 has 3.11.2, which some packages refuse."""
    versions = {name: distribution(name).metadata.get("Requires-Python") for name in locked if is_installed(name)}
    assert len(versions) > 100
    assert not {name: wanted for name, wanted in versions.items() if not SpecifierSet(wanted or "").contains("3.11.0")}


def is_installed(name: str) -> bool:
    return any(distributions(name=name))


RENAMED = {"pytorch": "torch", "pytorch-gpu": "torch", "matplotlib-base": "matplotlib", "python-lmdb": "lmdb"}
"""What is called otherwise on conda-forge."""
ENVIRONMENTS = ("environment.yml", "environment-gpu.yml")


def conda_pins(name: str) -> dict[str, str]:
    """The versions that an environment asks for, by the names that pip knows."""
    conda = yaml.safe_load((ROOT / name).read_text())["dependencies"]
    by_pip = conda.pop()["pip"]
    assert conda.pop() == "pip"
    found = pins([requirement.replace(" ", "") for requirement in conda + by_pip])
    return {RENAMED.get(package, package): version for package, version in found.items()}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_and_pip_ask_for_the_same(name, project):
    found = conda_pins(name)
    assert ("cuda-version" in found) == (name == "environment-gpu.yml")
    found.pop("cuda-version", None)
    assert found.pop("python") == project["requires-python"]
    assert found == pins(project["dependencies"])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments_allow_what_is_locked(name, locked):
    for package, version in conda_pins(name).items():
        if package not in ("python", "cuda-version"):
            wanted = SpecifierSet(re.sub(r"^=(?!=)", "==", version))
            assert wanted.contains(locked[package]), package


def test_lock_file_satisfies_the_project(locked, project):
    extras = project["optional-dependencies"]
    for requirement in project["dependencies"] + extras["test"] + extras["docs"]:
        name = re.split(r"[\[<>=]", requirement)[0].lower()
        assert name in locked, f"{name} is not locked"
        if "==" in requirement:
            assert locked[name] == requirement.split("==")[1]


def test_every_rule_names_its_environment_and_log():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        rules, reused = (len(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^\s*rule\b", r"^use rule\b"))
        assert len(re.findall(r"^\s+conda:", text, re.MULTILINE)) == rules, path
        assert len(re.findall(r"^\s+log:", text, re.MULTILINE)) == rules + reused, path


def test_states_of_stages_are_in_separate_folders():
    """Whatever an experiment or a data set is called: a finished stage clears its own folder."""
    for stage in ("data", "models", "samples"):
        text = (ROOT / f"workflow/rules/{stage}.smk").read_text()
        assert set(re.findall(r"/state/([^\"]*?)/", text)) == {stage}


def test_every_figure_has_a_caption():
    figures = {path.stem for path in (ROOT / "ihdm/figures").glob("*.py")} - {"__init__", "style"}
    captions = {path.stem for path in (ROOT / "workflow/report").glob("*.rst")}
    assert figures <= captions


def test_no_text_is_half_merged():
    for path in ROOT.rglob("*.md"):
        if not {".venv", "site"} & set(path.relative_to(ROOT).parts):
            assert not re.search(r"^(<{7}|>{7}) ", path.read_text(), re.MULTILINE), path


def load(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def test_continuous_integration_runs_what_the_makefile_has(project):
    job = load(".github/workflows/ci.yml")["jobs"]["check"]
    commands = job["strategy"]["matrix"]["command"]
    assert commands == ["test", "test-pipeline", "quick"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{command}:", makefile, re.MULTILINE) for command in commands)
    (cached,) = [step["with"] for step in job["steps"] if "with" in step]
    assert all((ROOT / name).is_file() for name in cached["cache-dependency-path"].split())
    oldest = project["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"] == [oldest, "3.12"]


def test_hooks_before_commits_are_those_of_make_test():
    """Each by the tool in the environment, for files that there are."""
    makefile = (ROOT / "Makefile").read_text()
    (repository,) = load(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    files = ["Snakefile", *(str(path.relative_to(ROOT)) for path in MODULES)]
    for hook in repository["hooks"]:
        assert hook["entry"].startswith(".venv/bin/")
        assert f"\t{hook['entry'].removeprefix('.venv/bin/')}" in makefile, hook["entry"]
        assert any(re.search(hook.get("files", ""), name) for name in files), hook["files"]


def test_the_workflow_catalog_entry_is_correct():
    usage = load(".snakemake-workflow-catalog.yml")["usage"]
    option, path = usage["mandatory-flags"]["flags"].split()
    assert option == "--configfile"
    assert (ROOT / path).is_file()
    assert usage["software-stack-deployment"]["conda"] == (ROOT / "environment.yml").is_file()
    assert usage["report"] == ("\nreport:" in (ROOT / "Snakefile").read_text())


def test_the_citation_is_of_this_version(project):
    citation = load("CITATION.cff")
    assert citation["version"] == importlib.import_module("ihdm").__version__
    assert citation["license"] == project["license"]
