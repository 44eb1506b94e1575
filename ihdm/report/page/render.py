"""Rendering of templates to one self-contained file with style and script."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def assets_sha256() -> str:
    """Return a hash of templates, style and script."""
    paths = sorted(path for path in TEMPLATES.iterdir() if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()


def render(template: str, **content: Any) -> str:  # noqa: ANN401
    """Return a page from a template and its content."""
    environment = Environment(
        loader=PackageLoader("ihdm.report.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"json": _json, "anchor": _anchor}
    environment.globals |= {"style": _asset("page.css"), "script": _asset("page.js")}
    return environment.get_template(template).render(**content)


def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 (ours)


def _json(value: Any) -> Markup:  # noqa: ANN401
    """Return JSON that is safe within a script element."""
    return Markup(json.dumps(value, ensure_ascii=False, sort_keys=True).replace("</", "<\\/"))  # noqa: S704 (escaped here)


def _anchor(text: str) -> str:
    """Return a text as an HTML id."""
    return re.sub(r"[^\w-]+", "-", text)
