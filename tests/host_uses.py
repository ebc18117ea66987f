"""Finds what our code uses of Hermes: attributes of its objects, and parameters of its functions.

To mypy, every object of Hermes is `Any`, because the table of names returns nothing else. So an attribute that is read
from an `Any` is one of Hermes, unless it belongs to a standard type or to an object of ours.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hermes_hardened_adapters.adapters.connection import BaseConnection
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.host.contract.names import HostName
from hermes_hardened_adapters.common.host.interceptor import Interceptor
from hermes_hardened_adapters.common.host.outgoing.growing import Growing
from hermes_hardened_adapters.common.host.outgoing.pictures import Pictures
from mypy import build, inspections, types
from mypy.modulefinder import BuildSource
from mypy.options import Options

from tests.own_classes import defined_by, own_classes

REPOSITORY = Path(__file__).parents[1]
STANDARD = {
    *(name for kind in vars(builtins).values() if isinstance(kind, type) for name in dir(kind)),
    *dir(re.Pattern),
    *dir(re.Match),
    "value",  # of a member of an Enum
}
OURS: Mapping[str, type] = {
    "_interceptor": Interceptor,
    "_growing": Growing,
    "pictures": Pictures,
    "connection": BaseConnection,
}
"""Our objects that an adapter has, by the name of the attribute."""


class Use(NamedTuple):
    """An attribute, or a parameter of a `function` (its name in our code), and where it is used."""

    module: str
    line: int
    name: str
    function: str = ""


def seam() -> list[str]:
    """Return the modules that handle objects of Hermes."""
    names = {"adapter.py", "files.py", "plugin.py"}
    inside = [path for path in REPOSITORY.glob("adapters/*/*.py") if path.name in names]
    paths = [*REPOSITORY.glob("common/host/**/*.py"), *inside, REPOSITORY / "adapters" / "plugin.py"]
    return sorted(_module_of(path) for path in paths)


def _module_of(path: Path) -> str:
    parts = ("hermes_hardened_adapters", *path.relative_to(REPOSITORY).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


class Uses:
    """The uses in installed modules, or in `planted` ones (name to source)."""

    def __init__(self, modules: Iterable[str] = (), planted: Mapping[str, str] | None = None) -> None:
        sources = [BuildSource(None, name, None) for name in modules]
        sources += [BuildSource(None, name, text) for name, text in (planted or {}).items()]
        options = Options()
        options.export_types = options.preserve_asts = options.ignore_missing_imports = True
        options.incremental, options.cache_dir = False, os.devnull
        options.python_executable = sys.executable
        self._built = build.build(sources, options)
        self._trees = {
            source.module: ast.parse(source.text or Path(self._built.files[source.module].path).read_text())
            for source in sources
        }
        self._own = {name for network in NETWORKS.values() for name in defined_by(own_classes(network.adapter()))}

    def attributes(self) -> Iterator[Use]:
        """Yield every attribute that is read from an object of Hermes."""
        for module, node in self._nodes():
            match node:
                case ast.Attribute(value=base, attr=name):
                    pass
                case ast.Call(func=ast.Name(id="getattr"), args=[base, ast.Constant(value=str(name)), *_]):
                    pass
                case _:
                    continue
            if self._is_hosts(module, base, name):
                yield Use(module, base.lineno, name)

    def keywords(self) -> Iterator[Use]:
        """Yield every parameter that a call of a function of Hermes names."""
        for module, node in self._nodes():
            if isinstance(node, ast.Call) and self._is_call_of_host(module, node.func):
                function = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
                for keyword in node.keywords:
                    if keyword.arg:
                        yield Use(module, node.lineno, keyword.arg, function)

    def _nodes(self) -> Iterator[tuple[str, ast.AST]]:
        return ((module, node) for module, tree in self._trees.items() for node in ast.walk(tree))

    def _is_hosts(self, module: str, base: ast.expr, name: str) -> bool:
        words = ast.unparse(base)
        if name in STANDARD or (words.endswith(("self", "adapter")) and name in self._own):
            return False
        if isinstance(base, ast.Attribute) and hasattr(OURS.get(base.attr), name):
            return False
        return words == "super()" or any(_is_unknown(kind, name) for kind in self._types(module, base))

    def _is_call_of_host(self, module: str, function: ast.expr) -> bool:
        kinds = list(self._types(module, function))
        if any(isinstance(kind, types.Instance) and kind.type.name == HostName.__name__ for kind in kinds):
            return True
        if isinstance(function, ast.Attribute):
            return self._is_hosts(module, function.value, function.attr)
        return any(isinstance(kind, types.AnyType) for kind in kinds)

    def _types(self, module: str, node: ast.expr) -> Iterator[Any]:
        """Yield the type of an expression, each alternative of a union; nothing for a module, and in an annotation."""
        place = node.lineno, node.col_offset, node.end_lineno, node.end_col_offset
        expression = inspections.find_by_location(self._built.files[module], *place)
        kind = types.get_proper_type(self._built.types.get(expression))
        for each in kind.items if isinstance(kind, types.UnionType) else [kind]:
            if each is not None:
                yield types.get_proper_type(each)


def _is_unknown(kind: Any, name: str) -> bool:
    """Return True if a type may have that attribute for all that mypy knows."""
    if isinstance(kind, types.Instance):
        return bool(kind.type.fallback_to_any) and kind.type.get(name) is None
    return isinstance(kind, types.AnyType)
