"""Each room keeps its rules: its size, a word about itself, and what only one room may touch."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.networks import NETWORKS

REPOSITORY = Path(__file__).parents[1]
ROOMS = ("adapters", "cli", "common")
MODULES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]
MOST_MODULES = 16
MOST_SENTENCES = 3
HOST = {"gateway", "tools", "agent", "hermes_cli", "hermes_constants", "plugins", "cron"}
SQL = re.compile(
    r"\b(?:SELECT\s.*\bFROM|SELECT\s+\w+\s*\(|INSERT\s+(?:INTO|OR)|REPLACE\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|PRAGMA\s+\w+"
    r"|(?:CREATE|DROP|ALTER)\s+(?:TABLE|INDEX)|BEGIN\s+IMMEDIATE)\b",
    re.DOTALL,
)


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string in a module; where one has fields, its pieces as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "x".join(piece.value for piece in node.values if isinstance(piece, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def imported(tree: ast.AST) -> Iterator[str]:
    """Every absolute module name that is imported, also by `import_module`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield module


def tops(tree: ast.AST) -> set[str]:
    """The top-level packages that are imported."""
    return {module.partition(".")[0] for module in imported(tree)}


def may_import_the_host(path: Path) -> bool:
    room = path.relative_to(REPOSITORY)
    return room.is_relative_to("common/host") or (
        room.parts[0] == "adapters" and len(room.parts) == 3 and room.name in {"plugin.py", "adapter.py"}
    )


def test_sql_is_in_the_state_room_alone() -> None:
    elsewhere = [path for path in MODULES if not path.is_relative_to(REPOSITORY / "common" / "state")]
    trees = {name(path): ast.parse(path.read_text()) for path in elsewhere}
    assert not [(where, text) for where, tree in trees.items() for text in texts(tree) if SQL.search(text)]
    assert not [where for where, tree in trees.items() if "sqlite3" in tops(tree)]


def test_the_host_is_imported_at_its_seams_alone() -> None:
    elsewhere = [path for path in MODULES if not may_import_the_host(path)]
    assert not [(name(path), found) for path in elsewhere if (found := tops(ast.parse(path.read_text())) & HOST)]


def test_a_room_is_small() -> None:
    sizes = {name(package.parent): len([*package.parent.glob("*.py")]) - 1 for package in PACKAGES}
    assert not {room: size for room, size in sizes.items() if size > MOST_MODULES}


@pytest.mark.parametrize("package", PACKAGES, ids=name)
def test_a_room_says_what_lives_there(package: Path) -> None:
    words = ast.get_docstring(ast.parse(package.read_text()))
    assert words
    assert 1 <= len(re.findall(r"[.?!](?=\s|$)", words)) <= MOST_SENTENCES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('store.write("INSERT INTO meta VALUES (?, ?)")', True),
        ('read(f"SELECT {columns} FROM trace")', True),
        ('read("SELECT coalesce(max(id), 0) FROM audit")', True),
        ('sql = """\nUPDATE observed\nSET text = ?"""', True),
        ('"PRAGMA user_version"', True),
        ('match = {"DELETE /posts/ID": leave}; kind = "UPDATE"', False),
        ('say("Select one from the list, delete from it, update it.")', False),
    ],
)
def test_sql_is_recognized(source: str, found: bool) -> None:
    assert any(SQL.search(text) for text in texts(ast.parse(source))) is found


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import gateway.run, os", ["gateway.run", "os"]),
        ("from tools import approval\nfrom .gateway import x", ["tools"]),
        ('importlib.import_module("agent.x"); import_module("cron")', ["agent.x", "cron"]),
        ("def later():\n    from hermes_cli import config", ["hermes_cli"]),
    ],
)
def test_imports_are_recognized(source: str, modules: list[str]) -> None:
    assert sorted(imported(ast.parse(source))) == sorted(modules)


def test_every_room_is_packaged_and_every_network_listed_and_kept_apart() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
    packages = {".".join(("hermes_hardened_adapters", *Path(name(path)).parts[:-1])) for path in PACKAGES}
    assert set(project["setuptools"]["packages"]) == packages | {"hermes_hardened_adapters"}
    networks = {path.parent.name for path in MODULES if path.match("adapters/*/network.py")}
    assert networks == set(NETWORKS)
    contracts = {contract["id"]: contract for contract in project["importlinter"]["contracts"]}
    apart = next(layer for layer in contracts["floors"]["layers"] if "adapters.signal" in layer)
    assert {each.strip() for each in apart.split("|")} == {f"adapters.{network}" for network in networks}
    inside = {f"hermes_hardened_adapters.adapters.{network}" for network in networks}
    assert set(contracts["networks"]["containers"]) == inside
