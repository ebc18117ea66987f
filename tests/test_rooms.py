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
HOST = {
    place.partition(":")[0].partition(".")[0]
    for network in NETWORKS.values()
    for each in network.names()
    for place in each.places
} | {"cron", "hermes_state"}
PLACE = re.compile(rf"(?:{'|'.join(sorted(HOST))})(?:(?:\.\w+)+|(?:\.\w+)*:[\w.]+)")
TABLES = {"table.py", "host_names.py", "stock.py"}
"""The modules that may name places in Hermes."""
NO_PLACES = {"gateway.json", "gateway.pid"}
IMPORTERS = {"common/host/contract/names.py", "common/tenancy/functions.py"}
"""The modules that may import a module whose name they do not write themselves: of Hermes, and an operator's policy."""
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


def computed_imports(tree: ast.AST) -> Iterator[str]:
    """Every import of a module whose name is computed, unless it is relative."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"), args=[name, *_]
            ) if not isinstance(name, ast.Constant) and not ast.unparse(name).startswith(("f'.", 'f".')):
                yield ast.unparse(node)


def places(tree: ast.AST) -> Iterator[str]:
    """Every string that names a module of Hermes, or a place in one."""
    return (text for text in texts(tree) if PLACE.fullmatch(text) and text not in NO_PLACES)


def test_sql_is_in_the_state_room_alone() -> None:
    elsewhere = [path for path in MODULES if not path.is_relative_to(REPOSITORY / "common" / "state")]
    trees = {name(path): ast.parse(path.read_text()) for path in elsewhere}
    assert not [(where, text) for where, tree in trees.items() for text in texts(tree) if SQL.search(text)]
    assert not [where for where, tree in trees.items() if "sqlite3" in tops(tree)]


def test_the_host_is_imported_by_its_table_alone() -> None:
    trees = {name(path): ast.parse(path.read_text()) for path in MODULES}
    assert not [(where, found) for where, tree in trees.items() if (found := tops(tree) & HOST)]
    computed = [(where, found) for where, tree in trees.items() for found in computed_imports(tree)]
    assert {where for where, _ in computed} == IMPORTERS
    named = {where: found for where, tree in trees.items() if (found := list(places(tree)))}
    assert {Path(where).name for where in named} == TABLES


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


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('load("gateway.run:GatewayRunner.x")', ["gateway.run:GatewayRunner.x"]),
        ('x = f"tools.{name}:y"; y = "hermes_cli:__version__"', ["tools.x:y", "hermes_cli:__version__"]),
        ('"gateway.run"; "hermes_yaml:safe_load"', ["gateway.run", "hermes_yaml:safe_load"]),
        ('"gateway"; "plugins.enabled of config.yaml"; "gateway.json"; "a gateway.run"; "tools."', []),
    ],
)
def test_places_are_recognized(source: str, found: list[str]) -> None:
    assert sorted(places(ast.parse(source))) == sorted(found)


def test_computed_imports_are_recognized() -> None:
    found = 'import_module(name); importlib.import_module(f"gateway.{x}"); __import__(x)'
    assert len(list(computed_imports(ast.parse(found)))) == 3
    assert not list(computed_imports(ast.parse('import_module(f".{x}", __package__); import_module("os")')))


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
