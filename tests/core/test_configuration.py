"""What stands in where there is nobody to reload with."""

from __future__ import annotations

from app.core.configuration import Flaw, FlawedConfigurationError, NoReplicas, Unchanging


async def test_a_made_configuration_stays() -> None:
    """Reading it again changes nothing."""
    exchange = await Unchanging().reload()

    assert (exchange.changes, Unchanging().flaws) == ((), ())


def test_nobody_else() -> None:
    """Without replicas nobody is told, and nobody calls."""
    called: list[str] = []
    alone = NoReplicas()

    alone.listen(lambda: called.append("reread"))
    alone.reread()

    assert called == []


def test_a_refusal_holds_every_flaw_and_no_value() -> None:
    """Its text counts them; what stands where is in the flaws only."""
    flaws = [Flaw("server.port", "'x'", "a number", "correct it", "a.yaml")] * 2

    error = FlawedConfigurationError(flaws)

    assert (error.flaws, str(error)) == (tuple(flaws), "2")
