"""Redis as operators run it: behind TLS, a cluster of several nodes, a master that is replaced by Sentinels."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from app.core.circuits import CircuitState
from app.core.errors import GatewayError
from app.state.link.redis import LinkOptions
from tests.state.sharing import POLICY, TARGET, Replica, replica, until
from tests.support.certificates import serving_as
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer, redis_server, servers

NODES, SLOTS = 3, 16_384
PATIENT = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.05)
_prefixes = (f"topology-{number}" for number in itertools.count())


async def opened_by(url: str) -> CircuitState:
    """Open a circuit through one replica and return what another one sees."""
    prefix = next(_prefixes)
    async with replica(url, prefix, link=PATIENT) as one, replica(url, prefix, link=PATIENT) as other:
        await one.fail(POLICY.failure_threshold)
        await until(other.changes)
        return await other.state()


# --- TLS: no server at hand was built with it, so a proxy is its TLS end; the client's side is the real one -----------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return a certificate authority of our own."""
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """Return the folder with its certificate, and with that of a client."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client = authority.issue_cert("gateway.internal")
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    return tmp_path


async def test_a_trusted_certificate(shared_server: RedisServer, authority: trustme.CA, files: Path) -> None:
    """With the authority's file in the address, everything is shared through TLS."""
    async with FaultProxy(shared_server.port, tls=serving_as(authority)) as proxy:
        state = await opened_by(f"rediss://localhost:{proxy.port}/0?ssl_ca_certs={files}/ca.pem")

    assert state is CircuitState.OPEN


async def test_a_server_that_wants_to_know_its_clients(
    shared_server: RedisServer, authority: trustme.CA, files: Path
) -> None:
    """A certificate of our own goes with it."""
    own = f"ssl_certfile={files}/cert.pem&ssl_keyfile={files}/key.pem"
    async with FaultProxy(shared_server.port, tls=serving_as(authority, demanding=True)) as proxy:
        state = await opened_by(f"rediss://localhost:{proxy.port}/0?ssl_ca_certs={files}/ca.pem&{own}")

    assert state is CircuitState.OPEN


async def test_a_certificate_that_nobody_knows(shared_server: RedisServer, authority: trustme.CA) -> None:
    """Redis is then out of reach, and this process decides alone."""
    async with (
        FaultProxy(shared_server.port, tls=serving_as(authority)) as proxy,
        replica(f"rediss://localhost:{proxy.port}/0", next(_prefixes), link=PATIENT) as one,
    ):
        await one.fail()
        said, up = await one.ask(), one.link.up

    assert (said, up, one.troubles()) == ("circuit_open", False, [True])


async def test_a_certificate_of_another_name(shared_server: RedisServer, authority: trustme.CA, files: Path) -> None:
    """The name in the address is checked."""
    url = f"?ssl_ca_certs={files}/ca.pem"
    async with (
        FaultProxy(shared_server.port, tls=serving_as(authority)) as proxy,
        replica(f"rediss://127.0.0.1:{proxy.port}/0{url}", next(_prefixes), link=PATIENT) as one,
    ):
        up = one.link.up

    assert not up


# --- a cluster --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=sorted(servers()))
def cluster(request: pytest.FixtureRequest) -> Iterator[list[RedisServer]]:
    """Run a cluster of three nodes, each with a third of the slots, of every kind of server."""
    with ExitStack() as opened:
        program = servers()[request.param]
        nodes = [
            opened.enter_context(redis_server(program, "--cluster-enabled", "yes", "--cluster-node-timeout", "20000"))
            for _ in range(NODES)
        ]
        for number, node in enumerate(nodes):
            node.do("CLUSTER", "ADDSLOTS", *range(number * SLOTS // NODES, (number + 1) * SLOTS // NODES))
            node.do("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port)
        pause = threading.Event()
        while not all(_joined(node) for node in nodes):
            pause.wait(0.05)
        yield nodes


def _joined(node: RedisServer) -> bool:
    told = str(node.do("CLUSTER", "INFO"))
    return "cluster_state:ok" in told and f"cluster_known_nodes:{NODES}" in told


@pytest.mark.parametrize("entry", range(NODES))
async def test_any_node_leads_to_a_cluster(cluster: list[RedisServer], entry: int) -> None:
    """Circuits are kept where their slot is, whichever node the address names."""
    state = await opened_by(f"redis+cluster://127.0.0.1:{cluster[entry].port}")

    assert state is CircuitState.OPEN


async def test_a_node_that_is_gone_is_passed_by_in_the_address(cluster: list[RedisServer]) -> None:
    """The first of the address does not answer, the second does."""
    state = await opened_by(f"redis+cluster://127.0.0.1:1,127.0.0.1:{cluster[1].port}")

    assert state is CircuitState.OPEN


# --- a master behind Sentinels ----------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(servers()))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """Run a master, its replica, and a Sentinel that replaces the first by the second."""
    program = servers()[request.param]
    settings = tmp_path / "sentinel.conf"
    with redis_server(program) as master, redis_server(program) as spare:
        spare.do("REPLICAOF", "127.0.0.1", master.port)
        lines = [f"monitor mymaster 127.0.0.1 {master.port} 1", "down-after-milliseconds mymaster 500"]
        lines.append("failover-timeout mymaster 2000")
        settings.write_text("".join(f"sentinel {line}\n" for line in lines), encoding="utf-8")
        pause = threading.Event()
        while spare.do("INFO", "replication").get("master_link_status") != "up":
            pause.wait(0.05)
        with redis_server(program, str(settings), "--sentinel") as watching:
            while not watching.do("INFO", "sentinel")["master0"]["slaves"]:
                pause.wait(0.05)
            yield master, spare, watching


async def reset(one: Replica) -> bool:
    """Reset the circuit, as an operator repeats it while a Sentinel on a busy machine doubts its new master."""
    try:
        return (await one.circuits.force(TARGET, "reset", POLICY)).state is CircuitState.CLOSED
    except GatewayError:
        return False


async def test_a_master_that_dies_is_followed_to_its_successor(
    pair: tuple[RedisServer, RedisServer, RedisServer],
) -> None:
    """Calls go on without Redis until the Sentinel has chosen; what was replicated before is known afterwards."""
    master, spare, watching = pair
    url = f"redis+sentinel://127.0.0.1:{watching.port}/mymaster/0"
    async with replica(url, "failover", link=PATIENT) as one:
        await one.fail()
        await until(lambda: spare.do("HEXISTS", "{failover:circuits}:states", TARGET.name))
        master.kill()
        await until(one.troubles)
        alone = await one.ask()
        await until(lambda: one.troubles() == [True, False])
        after, state = await one.ask(), await one.state()
        await until(lambda: reset(one))

    assert (alone, after, state) == ("circuit_open", "circuit_open", CircuitState.OPEN)
    assert spare.do("INFO", "replication")["role"] == "master"
