"""Texts use standard terms, short sentences, and headings that are nouns or imperatives."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("results", "benchmarks")),
]
CAPTIONS = sorted((ROOT / "workflow/report").glob("*.rst"))
SOURCES = [
    *(path for folder in ("ihdm", "benchmarks", "examples") for path in sorted((ROOT / folder).rglob("*.py"))),
    *sorted((ROOT / "ihdm").rglob("*.j2")),
    *sorted((ROOT / "workflow").rglob("*.smk")),
    *(ROOT / name for name in ("Makefile", "Snakefile", "Dockerfile", "apptainer.def", "config.yaml")),
    *(ROOT / name for name in ("environment.yml", "environment-gpu.yml", "examples/trained_model.ipynb")),
    *sorted((ROOT / "workflow/config").glob("*.yaml")),
    *sorted((ROOT / "profiles").rglob("*.yaml")),
]
REPLACED = {
    r"anew": "again, rerun, retrain",
    r"mend(s|ed|ing)?": "fix",
    r"(is|are|was|were|be|what it is|not) told|tells?": "report, print, state",
    r"rivals?": "baseline",
    r"nearer|farther": "closer, further",
    r"whatever interrupts|no telling": "even if interrupted; ETA unknown",
    r"of one's own|by hand": "custom; manually",
    r"(lies?|lay|lying) (in|on|at|beside|there|below|anywhere)": "is in, is next to",
    r"whatever": "any",
    r"beside (it|them|the|its|this|that|a|each)": "next to",
    r"lea(ve|ves|ving) open|left open": "residual variance",
    r"leaps?|visit(s|ed)?": "step over several levels, evaluate",
    r"pictures?": "image",
    r"joint tables?": "merged table",
    r"model folders?|models for others": "exported pipeline",
    r"grain|grainy": "high-frequency noise",
    r"(?<!mean )colour\w*|grey\w*|behaviour|optimis(e|ing|ation)\w*|normalis\w+|summaris\w+": "American spelling",
}
NEVER = {
    re.compile(rf"(?<![\w/`.-])({words})(?![\w/`(.=-])", re.IGNORECASE): better for words, better in REPLACED.items()
}

KEPT = {
    "ihdm/config/documentation.py": ("pictures",),  # name of an experiment
    "ihdm/metrics/asymptotics.py": ("leaps",),  # purpose of a seed: another would change results
    "ihdm/restoration/study.py": ("pictures",),  # a field
    "ihdm/report/demo.py": ("picture",),  # fields
    "ihdm/report/page.py": ("picture",),
    "ihdm/report/claims.py": ("picture",),
}


def written(path: Path) -> str:
    """The text of a file; of Python its comments and its strings that are sentences."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    comments = [
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    strings = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "\n".join([*comments, *(one for one in strings if " " in one.strip())])


def plain(text: str) -> str:
    """Without code, links and identifiers, which keep their names."""
    text = re.sub(r"```.*?```|<[^>]*>|{[{%].*?[%}]}|`[^`\n]*`", " ", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


@pytest.mark.parametrize("path", [*DOCS, *CAPTIONS, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_those_of_the_field(path):
    text = plain(written(path))
    for name in KEPT.get(str(path.relative_to(ROOT)), ()):
        text = re.sub(rf"\b{name}\b", " ", text)
    found = [(match[0], better) for pattern, better in NEVER.items() for match in pattern.finditer(text)]
    assert not found


def sentences(text: str) -> list[str]:
    """Of paragraphs and lists; tables, headings and formulas have none."""
    blocks = re.split(r"\n\s*\n|\n(?=[-*|#] ?|\d+\. )", plain(text))
    prose = [" ".join(block.split()) for block in blocks if not re.match(r"\s*(\||#|    |\.\. |!\[|--8<--)", block)]
    return [sentence for block in prose for sentence in re.split(r"(?<=[.!?:;])\s+(?=[A-Z“(*])", block)]


@pytest.mark.parametrize("path", [ROOT / "README.md", *CAPTIONS], ids=lambda path: path.name)
def test_sentences_are_short(path):
    long = [sentence for sentence in sentences(path.read_text(encoding="utf-8")) if len(sentence.split()) > 32]
    assert not long


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_headings_are_nouns_or_imperatives(path):
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL), re.MULTILINE
    )
    riddles = [
        heading
        for heading in headings
        if re.match(r"(What|How|Why|Where|When|Who|Which|That|To) ", heading) or heading.endswith("?")
    ]
    assert not [heading for heading in riddles if heading != "What triggers a rerun"]
