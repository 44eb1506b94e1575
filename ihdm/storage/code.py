"""The code behind a result: the syntax of every module of this package that its command imports.

Of the module of a measure, only code that computes it counts, not its texts. Modules are parsed, not imported,
so that planning is fast.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

from ihdm.errors import UserError

PACKAGE = Path(__file__).parents[1]


def code_sha256(command: str) -> str:
    """Return a hash of the code behind a command, which comments, docstrings and layout do not change.

    It is a hash of syntax trees, which may differ between Python versions.

    Args:
        command: the command as typed, "metrics distance-real"; for a figure with its name, "figures draw psd".

    Raises:
        UserError: if there is no such command, or no such figure.
    """
    stage, action, _ = _split(command)
    parts = [ast.dump(tree) for tree in _trees(stage, action)]
    parts += [f"{module} {_digest(module)}" for module in sorted(code_modules(command))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def code_modules(command: str) -> set[str]:
    """Return the modules that a command imports, directly or through others, at start or lazily.

    Args:
        command: as for :func:`code_sha256`.

    Raises:
        UserError: if there is no such command, or no such figure.
    """
    stage, action, named = _split(command)
    found: set[str] = set()
    ahead = {module for tree in _trees(stage, action) for module in _imports(tree)}
    if _measures(stage, action):
        ahead.add("ihdm.commands.metrics")
    if named:  # the module of a figure, which is imported by its name
        if not _path(f"ihdm.{stage}.{named}").exists():
            raise UserError(f"{command}: ihdm.{stage} has no module of this name")
        ahead.add(f"ihdm.{stage}.{named}")
    while ahead:
        module = ahead.pop()
        found.add(module)
        ahead |= _module_imports(module) - found
    return found


def _split(command: str) -> tuple[str, str, str]:
    words = command.split()
    if len(words) == 1:  # one that belongs to no stage
        words = ["standalone", *words]
    stage, action, named = (*words, "", "")[:3]
    return stage, action, named


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    """Return the syntax of a file, without what is never run."""
    return _Executed().visit(ast.parse(path.read_text(encoding="utf-8")))


@cache
def _digest(module: str) -> str:
    return hashlib.sha256(ast.dump(_tree(_path(module))).encode()).hexdigest()


@cache
def _module_imports(module: str) -> frozenset[str]:
    return frozenset(_imports(_tree(_path(module))))


def _trees(stage: str, action: str) -> list[ast.Module]:
    """Return the syntax of a command, or of its measures."""
    measures = _measures(stage, action)
    return [_reached(_tree(path), compute) for path, compute in measures] or [_command_tree(stage, action)]


def _measures(stage: str, action: str) -> list[tuple[Path, str]]:
    """Return the measures that a command computes, by its name or the name of their shared job.

    Each is given by its module, and the name of the function that computes it.
    """
    paths = sorted((PACKAGE / "measures").glob("*.py")) if stage == "metrics" else []
    return [
        (path, declared.get("compute", "compute"))
        for path in paths
        for name, declared in _declared(path).items()
        if (declared.get("job") or name) == action.replace("-", "_")
    ]


@cache
def _declared(path: Path) -> dict[str, dict[str, str]]:
    """Return the names and texts in a module's declarations of measures, by measure; see :mod:`ihdm.measures`."""
    found = {}
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and isinstance(call := node.value, ast.Call):
            constant = ast.unparse(node.targets[0])
            if constant == "MEASURE" or ast.unparse(call.func) == "Measure":
                found[path.stem if constant == "MEASURE" else constant.lower()] = {
                    str(keyword.arg): value.id if isinstance(value, ast.Name) else str(value.value)
                    for keyword in call.keywords
                    if isinstance(value := keyword.value, ast.Name | ast.Constant)
                }
    return found


def _reached(tree: ast.Module, compute: str) -> ast.Module:
    """Return the definitions and imports that a function of a module reaches, in their order."""
    ahead, known = {compute}, {}
    for node in tree.body:
        for name in _bound(node):
            known[name] = node
    found: set[str] = set()
    while ahead:
        name = ahead.pop()
        found.add(name)
        if not isinstance(known[name], ast.Import | ast.ImportFrom):
            used = {inner.id for inner in ast.walk(known[name]) if isinstance(inner, ast.Name)}
            ahead |= (used & known.keys()) - found
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            if names := [alias for alias in node.names if (alias.asname or alias.name) in found]:
                body.append(ast.ImportFrom(node.module, names, node.level))
        elif _bound(node) & found:
            body.append(node)
    return ast.Module(body, [])


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}


@cache
def _command_tree(stage: str, action: str) -> ast.Module:
    """Return the module of a command, without its other commands.

    Raises:
        UserError: if there is no such command.
    """
    function = action.replace("-", "_")
    commands = PACKAGE / "commands"
    for path in (commands / f"{stage}.py", *sorted(commands.glob(f"{stage}_*.py"))):
        body = _tree(path).body if path.exists() else []
        if any(_is_command(node) and node.name == function for node in body):
            return ast.Module([node for node in body if not _is_command(node) or node.name == function], [])
    raise UserError(f"{stage} {action}: there is no such command")


def _is_command(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    return isinstance(node, ast.FunctionDef) and any("app.command" in ast.unparse(by) for by in node.decorator_list)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules of this package that are imported anywhere in a tree."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ihdm."):
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                yield submodule if _path(submodule).exists() else str(node.module)
        elif not isinstance(node, ast.expr):  # which hold no statements, and are most of a tree
            yield from _imports(node)


class _Executed(ast.NodeTransformer):
    """Removes what is never run: docstrings, also of values, and imports only for types."""

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401 (as the class it extends)
        return node if isinstance(node, ast.expr) else super().visit(node)  # they hold no statements

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_for_types else self.generic_visit(node)
