"""Every rule of the house can fail: each finds the snippet planted for it, and leaves its good twin alone."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules

_LONG_BODY = "    step()\n" * rules.FUNCTION_LINES

BAD = {
    "function of 41 lines": (rules.long_functions, f"def f():\n{_LONG_BODY}"),
    "method of 41 lines": (rules.long_functions, "class C:\n  async def f(self):\n" + "    step()\n" * 40),
    "six parameters": (rules.long_signatures, "def f(a, b, c, d, e, f): ..."),
    "six parameters, some by name": (rules.long_signatures, "class C:\n  def f(self, a, b, c, d, *, e, f): ..."),
    "four levels": (rules.deep_nesting, "def f():\n if a:\n  for b in c:\n   with d:\n    while e:\n     g()"),
    "four levels under an elif": (
        rules.deep_nesting,
        "def f():\n if a:\n  pass\n elif b:\n  for c in d:\n   try:\n    if e:\n     g()\n   finally:\n    pass",
    ),
    "dict at module level": (rules.module_state, "CACHE = {}"),
    "annotated list at module level": (rules.module_state, "SEEN: list[str] = []"),
    "container made by a call": (rules.module_state, "from collections import deque\nQ = deque(maxlen=3)"),
    "generic container made by a call": (rules.module_state, "Q = dict[str, int]()"),
    "container under an if": (rules.module_state, "if DEBUG:\n  CACHE = set()"),
    "global": (rules.global_statements, "def f():\n  global x\n  x = 1"),
    "import in a function": (rules.late_imports, "def f():\n  import json"),
    "import deep in a method": (rules.late_imports, "class C:\n  def f(self):\n    if a:\n      from b import c"),
    "except Exception": (rules.broad_catches, "try:\n  f()\nexcept Exception:\n  raise"),
    "except Exception in a tuple": (rules.broad_catches, "try:\n  f()\nexcept (KeyError, Exception):\n  pass"),
    "bare except": (rules.broad_catches, "try:\n  f()\nexcept:\n  pass"),
    "BaseException kept": (rules.broad_catches, "try:\n  f()\nexcept BaseException as e:\n  log(e)"),
    "suppress(Exception)": (rules.broad_catches, "with contextlib.suppress(Exception):\n  f()"),
}

GOOD = {
    "function of 40 lines": (rules.long_functions, "def f():\n" + "    step()\n" * 39),
    "five parameters and self": (rules.long_signatures, "class C:\n  def f(self, a, b, c, d, e): ..."),
    "a chain of elif": (
        rules.deep_nesting,
        "def f():\n if a:\n  pass\n elif b:\n  pass\n elif c:\n  pass\n elif d:\n  if e:\n   pass",
    ),
    "a function inside": (rules.deep_nesting, "def f():\n if a:\n  if b:\n   def g():\n    if c:\n     if d: pass"),
    "immutable at module level": (rules.module_state, "A = (1, 2)\nB = frozenset({1})\nC = MappingProxyType({})"),
    "table that types keep": (rules.module_state, "A: Mapping[str, int] = {'a': 1}\nB: Sequence[int] = [1]"),
    "__all__": (rules.module_state, "__all__ = ['f']"),
    "container in a function": (rules.module_state, "def f():\n  a = []"),
    "type-checking import": (rules.late_imports, "if TYPE_CHECKING:\n  import json"),
    "narrow except": (rules.broad_catches, "try:\n  f()\nexcept KeyError:\n  pass"),
    "BaseException raised again": (rules.broad_catches, "try:\n  f()\nexcept BaseException:\n  close()\n  raise"),
}

Rule = Callable[[ast.Module], Iterator[rules.Break]]


@pytest.mark.parametrize(("rule", "source"), BAD.values(), ids=BAD.keys())
def test_finds_the_planted_break(rule: Rule, source: str) -> None:
    """A snippet that breaks a rule is found exactly once."""
    module = ast.parse(source)

    found = list(rule(module))

    assert len(found) == 1


@pytest.mark.parametrize(("rule", "source"), GOOD.values(), ids=GOOD.keys())
def test_leaves_good_code_alone(rule: Rule, source: str) -> None:
    """A snippet that only looks similar passes."""
    module = ast.parse(source)

    found = list(rule(module))

    assert not found


def test_finds_a_long_file() -> None:
    """Line 301 is one too many, line 300 is not."""
    fits, too_long = "x = 1\n" * 300, "x = 1\n" * 301

    found = [list(rules.long_file(ast.parse(source), source)) for source in (fits, too_long)]

    assert [len(breaks) for breaks in found] == [0, 1]


def test_finds_foreign_imports() -> None:
    """The standard library and the allowed prefixes pass, a longer name with the same beginning does not."""
    source = "import asyncio, os.path\nfrom msgspec import json\nfrom app.core.call import Call\nimport app.corel, yaml"

    found = list(rules.foreign_imports(ast.parse(source), frozenset({"app.core", "msgspec"})))

    assert [broken.what for broken in found] == ["imports app.corel", "imports yaml"]


def test_names_the_place() -> None:
    """A break says in which class and function it stands, which is what the allow-list goes by."""
    module = ast.parse("class C:\n  def f(self):\n    try:\n      g()\n    except Exception:\n      pass")

    found = list(rules.broad_catches(module))

    assert found == [rules.Break(5, "C.f", "catches Exception")]
