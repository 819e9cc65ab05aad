"""
The rules of the house as functions from a parsed module to what breaks them.

Each yields `Break`s and reads nothing but the tree it is given, so that the tests can plant a bad snippet as easily
as they can read the real code.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

FILE_LINES, FUNCTION_LINES, PARAMETERS, NESTING = 300, 40, 5, 3

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MUTABLE = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ChainMap", "array"}
    | {"WeakSet", "WeakKeyDictionary", "WeakValueDictionary", "Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"}
)
_READ_ONLY = frozenset({"Mapping", "Sequence", "Set", "AbstractSet"})
_BROAD = frozenset({"Exception", "BaseException"})


@dataclass(frozen=True, slots=True)
class Break:
    """A rule broken: where (`place` is the dotted name of the function or class around it) and how."""

    line: int
    place: str
    what: str


def long_file(module: ast.Module, source: str) -> Iterator[Break]:
    """Refuse a file of more than 300 lines."""
    lines = len(source.splitlines())
    if lines > FILE_LINES and module.body:
        yield Break(1, "", f"the file has {lines} lines, the limit is {FILE_LINES}")


def long_functions(module: ast.Module) -> Iterator[Break]:
    """Refuse functions of more than 40 lines, counted from `def` to the last line, docstring and blanks included."""
    for place, node in _walk(module):
        if isinstance(node, _FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield Break(node.lineno, place, f"{node.name} has {lines} lines, the limit is {FUNCTION_LINES}")


def long_signatures(module: ast.Module) -> Iterator[Break]:
    """Refuse functions with more than 5 parameters, `self` and `cls` set aside."""
    for place, node in _walk(module):
        if isinstance(node, _FUNCTIONS):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > PARAMETERS:
                yield Break(node.lineno, place, f"{node.name} has {count} parameters, the limit is {PARAMETERS}")


def deep_nesting(module: ast.Module) -> Iterator[Break]:
    """Refuse more than 3 blocks inside each other; an `elif` is beside its `if`, not inside it."""
    for place, node in _walk(module):
        if isinstance(node, _FUNCTIONS):
            yield from (
                Break(block.lineno, place, f"{node.name} nests deeper than {NESTING} levels")
                for block in _blocks_at(node, NESTING + 1)
            )


def module_state(module: ast.Module) -> Iterator[Break]:
    """
    Refuse mutable containers that live as long as the module.

    A table annotated as a `Mapping`, a `Sequence` or a `Set` passes: mypy lets nobody change it. So does `__all__`.
    """
    for statement in _module_level(module.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                continue
            case ast.AnnAssign(annotation=annotation) if _last_name(annotation) in _READ_ONLY:
                continue
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) if _is_mutable(value):
                yield Break(statement.lineno, "", "a mutable container at module level")
            case _:
                continue


def global_statements(module: ast.Module) -> Iterator[Break]:
    """Refuse `global`."""
    for place, node in _walk(module):
        if isinstance(node, ast.Global):
            yield Break(node.lineno, place, f"global {', '.join(node.names)}")


def late_imports(module: ast.Module) -> Iterator[Break]:
    """Refuse imports inside functions."""
    for place, node in _walk(module):
        if isinstance(node, _FUNCTIONS):
            inner = (child for child in ast.walk(node) if isinstance(child, ast.Import | ast.ImportFrom))
            yield from (Break(child.lineno, place, f"an import inside {node.name}") for child in inner)


def broad_catches(module: ast.Module) -> Iterator[Break]:
    """
    Refuse what catches everything: `except Exception`, `suppress(Exception)`, and a bare except.

    Catching `BaseException`, named or bare, is fine where it is raised again: that is how an ending is observed.
    """
    for place, node in _walk(module):
        match node:
            case ast.ExceptHandler(type=caught):
                names = {"BaseException"} if caught is None else _names(caught) & _BROAD
                if "Exception" in names or (names and not _raises_again(node)):
                    yield Break(node.lineno, place, f"catches {' and '.join(sorted(names))}")
            case ast.Call(func=function, args=arguments) if _last_name(function) == "suppress":
                if any(_names(argument) & _BROAD for argument in arguments):
                    yield Break(node.lineno, place, "suppresses everything")


def foreign_imports(module: ast.Module, allowed: frozenset[str]) -> Iterator[Break]:
    """Refuse imports from outside the standard library and the allowed dotted prefixes."""
    for place, node in _walk(module):
        match node:
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.ImportFrom(module=name, level=0):
                names = [name or ""]
            case _:
                continue
        for name in names:
            ours = any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
            if not ours and name.partition(".")[0] not in sys.stdlib_module_names:
                yield Break(node.lineno, place, f"imports {name}")


def _walk(module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Visit every node with the dotted name of the function or class it stands in."""
    around: list[tuple[str, ast.AST]] = [("", module)]
    while around:
        place, node = around.pop()
        inside = f"{place}.{node.name}".lstrip(".") if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) else place
        for child in ast.iter_child_nodes(node):
            yield inside, child
            around.append((inside, child))


def _blocks_at(node: ast.AST, depth: int) -> Iterator[ast.stmt]:
    """Find the blocks that stand `depth` deep under a node, not looking into functions and classes inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            continue
        opens = isinstance(child, _BLOCKS) and not _is_elif(node, child)
        if isinstance(child, _BLOCKS) and opens and depth == 1:
            yield child
        else:
            yield from _blocks_at(child, depth - opens)


def _is_elif(parent: ast.AST, child: ast.AST) -> bool:
    return isinstance(parent, ast.If) and isinstance(child, ast.If) and parent.orelse == [child]


def _module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Visit the statements that run at import, those inside `if` and `try` included."""
    for statement in body:
        yield statement
        if isinstance(statement, _BLOCKS):
            inner = (child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt))
            yield from _module_level(list(inner))


def _is_mutable(value: ast.expr) -> bool:
    return isinstance(value, _DISPLAYS) or (isinstance(value, ast.Call) and _last_name(value.func) in _MUTABLE)


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last_name(value)
        case _:
            return ""


def _names(node: ast.expr) -> set[str]:
    elements = node.elts if isinstance(node, ast.Tuple) else [node]
    return {_last_name(element) for element in elements}


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(statement, ast.Raise) for statement in handler.body)
