"""The rules of the house, each a function of a root folder that gives what breaks it, so that each can be tested."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES, FUNCTION_LINES = 400, 70
"""Most lines of a module and of a function: far above the usual, so that only what got out of hand is told."""

LONGEST_POLL = 0.5
"""Seconds a test's loop may pause between two looks."""

_VENDORS = re.compile(r"twilio|plivo|telnyx|vonage|signalwire|sendgrid|\bresend\b|mailgun|elevenlabs|deepgram", re.I)
_VENDORS_ALLOWED = re.compile(
    r"(^|/)providers/|(^|/)settings\.py$|^services/carrier/|^services/billing/.*price[^/]*$"
    r"|^cli/src/switchboard/(secret_files|local/plan)\.py$"  # these hand an adapter its settings
)
_SUBJECT = re.compile(r"(^|[.\s'\"`*>}])[a-z]+(-[a-z]+)*\.v\d+(\.|$)")
_EVERY_SERVICE = ("__init__", "__main__", "app", "settings")
_EVERY_WORKER = ("handlers", "store", "migrations")
_FORBIDDEN_NAMES = {"utils", "util", "helpers", "misc", "base_service", "common"}


def imports(root: Path) -> list[str]:
    """Who may import whom, as pyproject.toml says: services meet only in messages."""
    program = Path(sys.executable).with_name("lint-imports")
    folders = [*root.glob("services/*/src"), root / "cli/src", root / "libs/common/src"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run(
        [program, "--no-cache"], cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def hand_written_subjects(root: Path) -> list[str]:
    """A subject stands once, on its class in the catalogue."""
    found = []
    for path in _product(root):
        if "common/catalogue/" in path.as_posix():
            continue
        tree = ast.parse(path.read_text())
        prose = set(_docstrings(tree))
        found += [
            f"{path.relative_to(root)}:{node.lineno}: subject in quotes: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose
            if _SUBJECT.search(node.value)
        ]
    return found


def vendor_names(root: Path) -> list[str]:
    """A vendor is named in its adapter, that adapter's settings, the carrier that plays it, and prices."""
    found = []
    for path in _product(root):
        name = path.relative_to(root).as_posix()
        if _VENDORS_ALLOWED.search(name):
            continue
        if seen := _VENDORS.search(name):
            found.append(f"{name}: vendor's name {seen.group()!r}")
        for n, line in enumerate(path.read_text().splitlines(), 1):
            if seen := _VENDORS.search(line):
                found.append(f"{name}:{n}: vendor's name {seen.group()!r}")
    return found


def sizes(root: Path) -> list[str]:
    """Nothing that no longer fits in a head."""
    found = []
    for path in _product(root):
        name, source = path.relative_to(root), path.read_text()
        if (lines := source.count("\n")) > MODULE_LINES:
            found.append(f"{name}: {lines} lines")
        if "migrations" in path.parts:
            continue  # written once, read top to bottom
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > FUNCTION_LINES:
                found.append(f"{name}:{node.lineno}: {node.name} has {_length(node)} lines")
    return found


def same_modules(root: Path) -> list[str]:
    """Every service has the same few modules; a worker also says what comes in and what is stored."""
    found = []
    for package in sorted(root.glob("services/*/src/*")):
        if not (package / "__init__.py").exists():
            continue
        wanted = _EVERY_SERVICE + (_EVERY_WORKER if (package / "migrations").exists() else ())
        here = {path.stem for path in package.iterdir()}
        found += [f"{package.relative_to(root)} has no {name}" for name in wanted if name not in here]
        found += [
            f"{path.relative_to(root)}: the name says nothing"
            for path in package.rglob("*.py")
            if path.stem in _FORBIDDEN_NAMES
        ]
    return found


def patient_tests(root: Path) -> list[str]:
    """Tests wait for what happens: no sleeping outside a bounded look, no patching of our own code."""
    found = []
    for path in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text())
        where = path.relative_to(root)
        polls = {inner for loop in ast.walk(tree) if isinstance(loop, ast.While) for inner in ast.walk(loop)}
        for node in ast.walk(tree):
            if _sleeps(node) and not (node in polls and _short(node)) and where.parts[1] != "support":
                found.append(f"{where}:{node.lineno}: sleeps")  # type: ignore[attr-defined] # calls have lines
            if _patches(node):
                found.append(f"{where}:{node.lineno}: patches")  # type: ignore[attr-defined] # so have these
    return found


def _product(root: Path) -> Iterator[Path]:
    for folder in ("libs", "services", "cli"):
        yield from (path for path in sorted((root / folder).rglob("*.py")) if "/src/" in path.as_posix())


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Texts that stand alone as statements: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its lines without those of the functions inside it."""
    inner = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    return _lines(node) - sum(map(_lines, inner))


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _sleeps(node: ast.AST) -> bool:
    """A pause of nothing only lets others run."""
    if not isinstance(node, ast.Call) or not _name(node.func).endswith("sleep"):
        return False
    return not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)


def _short(node: ast.AST) -> bool:
    """A named pause is somebody's decision and taken as one."""
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return True
    value = node.args[0].value
    return isinstance(value, int | float) and value <= LONGEST_POLL


def _patches(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom | ast.Import):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        return any(name.split(".")[0] == "mock" or name.startswith("unittest.mock") for name in names) or (
            isinstance(node, ast.ImportFrom) and node.module == "unittest" and node.names[0].name == "mock"
        )
    return isinstance(node, ast.Call) and _name(node.func) in ("monkeypatch.setattr", "mocker.patch", "mock.patch")


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
