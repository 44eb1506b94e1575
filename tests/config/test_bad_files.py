"""Whatever a configuration file holds, it is refused in a moment, in one line that says what is wrong."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ihdm.config.reading import parse_config, read_config
from ihdm.errors import UserError

ROOT = Path(__file__).parents[2]
QUICK = (ROOT / "workflow/config/quick.yaml").read_text()
SECONDS = 30.0


def bomb(first: str, block: str) -> str:
    """Ten aliases of ten aliases of …: 10⁹ values of some hundred bytes."""
    lines = [f"a0: &a0 {first}"]
    lines += [f"a{i}: &a{i} " + block.format(*[f"*a{i - 1}"] * 10) for i in range(1, 10)]
    return "\n".join(lines) + "\n" + QUICK


LISTS = "[" + ", ".join(["{}"] * 10) + "]"
MAPPINGS = "{{" + ", ".join(f"k{i}: {{}}" for i in range(10)) + "}}"

FILES = {
    "bomb of lists": (bomb("[x]", LISTS), "more than 50000 values, counting those of aliases; use fewer aliases"),
    "bomb of mappings": (bomb("{x: 1}", MAPPINGS), "more than 50000 values"),
    "bomb of merged mappings": (bomb("{x: 1}", "{{<<: " + LISTS + "}}"), "more than 50000 values"),
    "alias in a list": ("results: &a [*a]\n", "nested too deeply, or an alias refers to the block that contains it"),
    "alias in a mapping": ("data: &a\n  root: *a\n", "an alias refers to the block that contains it"),
    "unknown alias": ("results: *a\n", "found undefined alias 'a', at line 1"),
    "deep lists": ("[" * 100_000, "blocks are nested too deeply"),
    "deep mappings": ("{a: " * 2000, "blocks are nested too deeply"),
    "large": (QUICK + "# " + "x" * 2**18, "larger than 256 KiB; is it a configuration file?"),
    "endless": (Path("/dev/zero"), "larger than 256 KiB"),
    "a folder": (ROOT, "Is a directory"),
    "no file": (ROOT / "nowhere.yaml", "No such file"),
    "NUL": (QUICK + "# \0\n", "not valid YAML: unacceptable character #x0000"),
    "UTF-16": (QUICK.encode("utf-16"), "not a text file in UTF-8; save it as UTF-8"),
    "Latin-1": ("# é\n".encode("latin-1"), "not a text file in UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "not a text file in UTF-8"),
    "half a character": ('results: "a\\ud800"\n', "line 1: 'a\\ud800' cannot be read as str"),
    "5000 digits": (f"results: {'9' * 5000}\n", "line 1: '9999999999"),
    "4000 digits": (re.sub(r"num_samples: \d+", f"num_samples: {'9' * 4000}", QUICK), "evaluation.num_samples: "),
    "13th month": ("results: 2026-13-01\n", "line 1: '2026-13-01' cannot be read as timestamp"),
    "wrong tag": ("results: !!bool perhaps\n", "line 1: 'perhaps' cannot be read as bool"),
    "Python's tag": ("results: !!python/name:os.system\n", "not valid YAML: could not determine a constructor"),
    "a date as key": ("2026-01-01: 1\n", "the key datetime.date(2026, 1, 1) in the block at line 1 is not text"),
    "yes as key": ("yes: 1\n", "line 1: YAML reads yes as true; write that, or put text in quotes"),
    "octal": ("a: 020\n", "line 1: YAML reads 020 as 16"),
    "sexagesimal": ("a:\n  b: 1:30\n", "line 2: YAML reads 1:30 as 90"),
    "yes as value": ("a: {b: yes}\n", "YAML reads yes as true"),
    "minus zero": ("a: -0.0\n", "YAML reads -0.0 as 0.0; write that"),
    "underscores": ("a: 1_000\n", "YAML reads 1_000 as 1000"),
    "a list as key": ("? [1, 2]\n: 3\n", "the key [1, 2] in the block at line 1 is not text"),
    "a key twice": ("a: 1\nb: {c: 1, c: 2}\n", "'c' is given 2 times in the block at line 2"),
    "two documents": ("a: 1\n---\nb: 1\n", "not valid YAML: expected a single document in the stream"),
    "a tab": ("\tresults: x\n", "found character '\\t' that cannot start any token, at line 1"),
    "not closed": ("results: [1\n", "not valid YAML: while parsing a flow sequence"),
    "a list": ("- 1\n", "holds no settings"),
    "nothing": ("", "holds no settings"),
}


def refusal(path: Path) -> str:
    start = time.perf_counter()
    with pytest.raises(UserError) as caught:
        read_config(path)
    assert time.perf_counter() - start < SECONDS
    message = str(caught.value)
    assert all(len(line) < 500 for line in message.splitlines())
    return message


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_or_hostile_file_is_refused_in_one_line(tmp_path, name):
    content, expected = FILES[name]
    path = tmp_path / "config.yaml"
    if isinstance(content, Path):
        path = content
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    message = refusal(path)
    assert expected in message
    assert "\n" not in message
    if "evaluation" not in expected:
        assert message.startswith(f"{path}: ")


MORE = "above the sanity limit"
LONG = "x" * 300
OWN = "the results need a separate folder, not "

VALUES: list[tuple[str, Any, str]] = [
    ("experiments", {}, "experiments: Dictionary should have at least 1 item after validation"),
    ("experiments", {LONG: {}}, "String should have at most 64 characters, not 'xxx"),
    ("datasets.digits.image_size", 100_000, f"Input should be less than or equal to 4096, not 100000: {MORE}"),
    ("networks.digits.base_channels", 10**6, "less than or equal to 4096"),
    ("networks.digits.channel_multipliers", [1] * 14, "at most 13 items"),
    ("networks.digits.channel_multipliers", [10**6], "less than or equal to 64"),
    ("networks.digits.blocks_per_stage", 10**6, "less than or equal to 64"),
    ("networks.digits.norm_groups", 10**18, MORE),
    ("experiments.digits.process.sigma", 1e300, f"Input should be less than or equal to 10, not 1e+300: {MORE}"),
    ("experiments.digits.process.num_levels", 10**9, "less than or equal to 100000, not 1000000000"),
    ("experiments.digits.process.blur_sigma_max", 1e300, "less than or equal to 100000"),
    ("experiments.digits.training.steps", 10**18, "less than or equal to 1000000000"),
    ("experiments.digits.training.batch_size", 10**9, "less than or equal to 1000000"),
    ("experiments.digits.training.learning_rate", 1e9, "less than or equal to 10"),
    ("experiments.digits.seed", 2**32, "Input should be less than 4294967296"),
    ("experiments.digits.num_train", 10**18, MORE),
    ("sweeps.sigma.digits", [1e300], "sweeps.sigma.digits.0: Input should be less than or equal to 10"),
    ("sweeps.delta_ratio.digits", [1e9], "sweeps.delta_ratio.digits.0: Input should be less than or equal to 1000"),
    ("sweeps.seed", {"digits": list(range(101))}, "sweeps.seed.digits: Tuple should have at most 100 items"),
    ("evaluation.num_samples", 10**18, MORE),
    ("evaluation.num_shards", 10**7, "evaluation.num_shards: Input should be less than or equal to 1000"),
    ("evaluation.num_resamples", 10**12, MORE),
    ("evaluation.likelihood_draws", 10**12, MORE),
    ("evaluation.disentanglement", {"num_starts": 10**9}, MORE),
    ("results", ".", f"results: {OWN}'.'"),
    ("results", "results/../results", "a path must not contain '..'"),
    ("results", "./", OWN),
    ("results", "/", OWN),
    (
        "results",
        "../elsewhere",
        "a path must not contain '..'; use a path below this folder, or an absolute one, not '../",
    ),
    ("results", "/tmp/a/../..", "a path must not contain '..'"),
    ("results", "results/{experiment}", "a path must not contain { or }, which Snakemake reads as wildcards"),
    ("results", "results\nmine", "a path must not contain line breaks or other invisible characters"),
    ("results", "results\0", "a path must not contain line breaks"),
    ("results", LONG, "each name in a path must have at most 255 bytes, not 'xxx"),
    ("results", "x/" * 600, "results: String should have at most 1000 characters"),
    ("results", "", "results: String should have at least 1 character"),
    ("data", {"root": "a\0b"}, "data.root: a path must not contain line breaks"),
    ("evaluation.inception_weights", "a\nb", "evaluation.inception_weights: a path must not contain line breaks"),
    ("datasets.digits.path", "a\0b", "datasets.digits.path: a path must not contain line breaks"),
]


@pytest.mark.parametrize(
    ("place", "value", "expected"), VALUES, ids=[f"{place} {n}" for n, (place, *_) in enumerate(VALUES)]
)
def test_values_beyond_sanity_limits_are_refused_before_planning(tmp_path, place, value, expected):
    values = yaml.safe_load(QUICK)
    *parents, last = place.split(".")
    inner = values
    for key in parents:
        inner = inner[key]
    inner[last] = value
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    assert expected in refusal(path)


def test_a_folder_of_results_has_one_spelling(tmp_path):
    path = tmp_path / "config.yaml"
    for spelling in ("results/quick", "./results//quick/", "results/./quick"):
        path.write_text(QUICK.replace("results: results/quick", f"results: {spelling}"))
        assert read_config(path).results == "results/quick"


def test_a_configuration_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text(QUICK, encoding="utf-8-sig")
    assert read_config(tmp_path / "config.yaml").variants


@pytest.mark.parametrize("name", ["bomb of lists", "half a character"])
def test_snakemake_refuses_bad_files_too(tmp_path, name):
    (tmp_path / "config.yaml").write_text(FILES[name][0])
    made = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--configfile", str(tmp_path / "config.yaml")],
        capture_output=True, text=True, cwd=ROOT, timeout=60,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert made.returncode != 0
    assert FILES[name][1] in made.stdout + made.stderr
    assert "Traceback" not in made.stdout + made.stderr


@pytest.mark.parametrize("name", ["007", "nan", "1e3", "true", "na"])
def test_names_that_tables_would_read_as_something_else_are_refused(name):
    values = yaml.safe_load(QUICK)
    values["experiments"] = {name: values["experiments"]["digits"]}
    with pytest.raises(UserError, match=f"experiments.{name}"):
        parse_config(values)
