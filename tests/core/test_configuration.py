"""What stands in where there is nobody to reload with."""

from __future__ import annotations

from app.core.configuration import ConfigError, NoReplicas, Problem, Unchanging


async def test_a_made_configuration_stays() -> None:
    """Reading it again changes nothing."""
    exchange = await Unchanging().reload()

    assert (exchange.changes, Unchanging().problems) == ((), ())


def test_nobody_else() -> None:
    """Without replicas nobody is told, and nobody calls."""
    called: list[str] = []
    alone = NoReplicas()

    alone.listen(lambda: called.append("reread"))
    alone.reread()

    assert called == []


def test_renders_for_people() -> None:
    """A problem is three lines: where and what, what was expected, what to do."""
    one = Problem("server.port", "'x'", "a whole number", "correct it", "a.yaml")
    two = Problem("b", "(missing)", "text", "add b")

    text = str(ConfigError([one, two]))

    assert text == (
        "the configuration has 2 problems\n"
        "\n"
        "server.port: 'x'  (a.yaml)\n"
        "    expected:   a whole number\n"
        "    suggestion: correct it\n"
        "\n"
        "b: (missing)\n"
        "    expected:   text\n"
        "    suggestion: add b"
    )
    assert str(ConfigError([two])).startswith("the configuration has 1 problem\n")
