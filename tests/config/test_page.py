"""The page of all settings is complete, and that of the models as they are."""

import re
from pathlib import Path

import pytest

from ihdm.config.documentation import settings_page
from ihdm.config.scale import Config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "path"), [("page", "docs/settings.md"), ("schema", "workflow/config/config.schema.json")]
)
def test_the_commands_print_what_is_stored(ihdm, capfd, command, path):
    ihdm("config", command)
    assert (ROOT / path).read_text() == capfd.readouterr().out, "run: python docs/generate.py"


def test_every_setting_is_on_it():
    schema = Config.model_json_schema()
    page = settings_page()
    for block in [schema, *schema["$defs"].values()]:
        rows = "\n".join(rf"\| `{key}` \| .*" for key in block["properties"])
        assert len(re.findall(rf"\|---\|\n{rows}\n(?!\|)", page)) == 1, block["title"]


def test_its_links_lead_somewhere():
    page = settings_page()
    anchors = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)", page, re.M)
    }
    links = re.findall(r"\]\(#(.*?)\)", page)
    assert links
    assert set(links) <= anchors


@pytest.mark.parametrize(
    "row",
    [
        "| `steps` | required | whole number from 1 to 1 000 000 000 | optimizer steps |",
        "| `dropout` | required | number from 0, below 1 | dropout rate",
        "| `seed` | `0` | whole number from 0 to 4 294 967 295 |",
        "| `resize` | `crop` | `crop` or `squash` |",
        "| `path` | `null` | path or `null` |",
        "| `channel_multipliers` | required | list of 1 to 13, each whole number from 1 to 64 |",
        "| `sigma` | `{}` | for each NAME: list of 0 to 100, each number above 0, at most 10 |",
        "| `disentanglement` |  | block: [evaluation.disentanglement](#evaluationdisentanglement) |",
    ],
)
def test_a_row_holds_default_bounds_and_meaning(row):
    assert f"\n{row}" in settings_page()
