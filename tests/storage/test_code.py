import re
import shutil
from pathlib import Path

import pytest

from ihdm.config.scale import FIGURES
from ihdm.errors import UserError
from ihdm.measures import jobs
from ihdm.storage import code
from ihdm.storage.code import code_modules, code_sha256

ROOT = Path(__file__).parents[2]


def forget():
    """Read the package again."""
    for cached in (code._tree, code._digest, code._module_imports, code._command_tree, code._declared):
        cached.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, to change; what was read of it is forgotten."""
    shutil.copytree(code.PACKAGE, tmp_path / "ihdm")
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "ihdm")
    forget()
    yield tmp_path / "ihdm"
    forget()


def hash_after(package, module, old, new, command):
    """The hash of a command once a module was changed."""
    path = package / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    forget()
    return code_sha256(command)


@pytest.mark.parametrize(
    ("command", "used", "others"),
    [
        (
            "samples draw",
            ("sampling", "heat", "samples.generation", "models.network"),
            ("figures", "metrics", "report"),
        ),
        (
            "models train",
            ("objective", "models.trainer", "models.batches", "heat"),
            ("figures", "report", "data.sources"),
        ),
        (
            "metrics samples",
            ("metrics.distance", "commands.metrics"),
            ("figures", "report", "data.sources", "measures."),
        ),
    ],
)
def test_a_command_is_made_by_what_it_imports(command, used, others):
    modules = code_modules(command)
    assert {f"ihdm.{module}" for module in used} <= modules
    assert not any(module.startswith(tuple(f"ihdm.{part}" for part in others)) for module in modules)


def test_a_figure_is_made_by_its_own_module():
    assert {"ihdm.figures.psd", "ihdm.figures.style"} <= code_modules("figures draw psd")
    assert "ihdm.figures.data" not in code_modules("figures draw psd")
    assert code_sha256("figures draw psd") != code_sha256("figures draw data")


COMMANDS = sorted(
    {
        command
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for command in re.findall(r'code_sha256\("([^"]+)"\)', path.read_text())
    }
    | {f"figures draw {figure}" for figure in FIGURES}
    | {f"metrics {job.replace('_', '-')}" for job in jobs()}
    | {"models train"}
)
"""Every command whose hash decides whether its results are made again."""


@pytest.mark.parametrize(
    ("module", "expected", "others"),
    [
        ("figures.psd", {"figures draw psd"}, {}),
        ("metrics.memorization", {"metrics memorisation", "figures draw data_efficiency"}, {}),
        ("objective", None, {"data prepare", "metrics psd", "metrics table", "figures draw psd"}),
    ],
)
def test_a_changed_module_reaches_these_commands_alone(module, expected, others):
    """Whose results are made again: a hash is one of all modules that the command imports."""
    found = {command for command in COMMANDS if f"ihdm.{module}" in code_modules(command)}
    if expected is None:
        assert {"models train", "samples draw", "metrics errors"} <= found
    else:
        assert found == expected
    assert not found & set(others)


def test_comments_and_docstrings_reach_no_command(package):
    before = {command: code_sha256(command) for command in COMMANDS}
    for path in package.rglob("*.py"):
        path.write_text("# A comment.\n" + path.read_text().replace('"""The ', '"""Otherwise: the '))
    forget()
    assert {command: code_sha256(command) for command in COMMANDS} == before


def test_commands_of_one_module_have_hashes_of_their_own():
    assert code_sha256("config new") != code_sha256("config show")


def test_imports_for_types_change_no_hash(package):
    before = code_sha256("samples draw")
    new = "\nif TYPE_CHECKING:\n    from ihdm.sampling import reverse_process\n\n\ndef"
    assert hash_after(package, "heat.py", "\ndef", new, "samples draw") == before


def test_a_constant_in_a_module_that_is_imported_by_another_changes_the_hash(package):
    before = {command: code_sha256(command) for command in ("samples draw", "metrics table")}
    changed = hash_after(package, "seeds.py", "\ndef", "\nANOTHER = 1\n\n\ndef", "samples draw")
    assert changed != before["samples draw"]
    assert "ihdm.seeds" not in code._module_imports("ihdm.commands.samples")  # but by others
    assert code_sha256("metrics table") == before["metrics table"]


@pytest.mark.parametrize("command", ["metrics beauty", "beauty draw", "figures draw beauty"])
def test_unknown_commands_are_reported(command):
    with pytest.raises(UserError, match=r"no such command|no module of this name"):
        code_sha256(command)


def test_texts_and_columns_of_a_measure_change_no_hash(package):
    """Nor does its summary; what it computes with does, and that of another measure not."""
    before = {command: code_sha256(command) for command in ("metrics data-spectrum", "metrics errors")}
    path = "measures/data_spectrum.py"
    for old, new in (("Natural images have", "All images have"), ('"n": table["n"]', '"m": table["n"]')):
        assert hash_after(package, path, old, new, "metrics data-spectrum") == before["metrics data-spectrum"]
    changed = hash_after(package, path, "MAX_IMAGES = 500", "MAX_IMAGES = 50", "metrics data-spectrum")
    assert changed != before["metrics data-spectrum"]
    assert code_sha256("metrics errors") == before["metrics errors"]


def test_measures_of_one_module_have_separate_hashes(package):
    before = {command: code_sha256(command) for command in ("metrics moments", "metrics extractor")}
    changed = hash_after(package, "measures/real_images.py", "Moments.of(", "2 * Moments.of(", "metrics moments")
    assert changed != before["metrics moments"]
    assert code_sha256("metrics extractor") == before["metrics extractor"]
