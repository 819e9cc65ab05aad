"""Making, listing, rotating and revoking keys."""

from __future__ import annotations

import itertools

import pytest

from app.core.errors import CONFLICT, INVALID_REQUEST, NOT_FOUND, GatewayError
from app.core.keys.manager import KeyManager, KeySpec, KeyTools
from app.core.keys.virtual_keys import Hasher, KeyTable, Standing, VirtualKey
from app.core.signals import KeyChanged, Signal
from app.core.traffic.admission import Priority
from app.state.keys.memory import LocalKeys
from tests.support.virtual_time import EPOCH_S, VirtualClock

PLAIN = str(Hasher().stored(b"sk-from-elsewhere"))


class Persistent(LocalKeys):
    """A store whose keys outlive the process."""

    persistent = True


class Desk:
    """A manager whose chance counts. `told` lists the signals."""

    def __init__(
        self, clock: VirtualClock, store: LocalKeys | None = None, pepper: bytes = b"", *, alone: bool = True
    ) -> None:
        self.told: list[Signal] = []
        self.store = store or LocalKeys()
        self.hasher = Hasher(pepper)
        self.clock = clock
        self._numbers = itertools.count(1)
        listed = KeyTable([VirtualKey("file", "file", Hasher().stored(b"wz-file"), in_file=True)])
        tools = KeyTools(self.hasher, clock, self._entropy, self.told.append, alone)
        self.manager = KeyManager(listed, self.store, tools)

    def standing(self, secret: str | None) -> Standing:
        """Say what becomes of a caller who sends a secret."""
        return self.store.find(self.hasher.digests((secret or "").encode()), self.clock.wall()).standing

    def _entropy(self, count: int) -> bytes:
        return next(self._numbers).to_bytes(count, "big")


async def refusal(asked: object) -> GatewayError:
    """Return why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked  # type: ignore[misc] # a coroutine
    return caught.value


async def test_a_new_key(clock: VirtualClock) -> None:
    """Its secret is in the answer and nowhere else; what was ordered is what it has."""
    desk = Desk(clock)

    issued = await desk.manager.issue(
        KeySpec("ci", "red", "eve", ("a",), ("fast",), expires_in_s=60.0, priority=Priority.HIGH)
    )

    assert issued.secret == "wz-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
    assert issued.key == VirtualKey(
        id="key_0000000000000002",
        name="ci",
        hash=Hasher().stored(issued.secret.encode()),
        team="red",
        user="eve",
        tags=("a",),
        models=("fast",),
        priority=Priority.HIGH,
        created=EPOCH_S,
        expires=EPOCH_S + 60,
    )
    assert desk.store.every() == [issued.key]
    assert desk.told == [KeyChanged("key_0000000000000002", "created")]


async def test_a_key_without_an_order(clock: VirtualClock) -> None:
    """It is called as its id says, and never ends; a pepper goes into its hash."""
    desk = Desk(clock, pepper=b"pepper")

    issued = await desk.manager.issue(KeySpec())

    assert (issued.key.name, issued.key.expires, issued.key.models) == (issued.key.id, None, None)
    assert str(issued.key.hash).startswith("hmac-sha256:")
    assert desk.standing(issued.secret) is Standing.VALID


async def test_a_key_from_elsewhere(clock: VirtualClock) -> None:
    """With a hash nothing is made, and the key that it belongs to works."""
    desk = Desk(clock)

    issued = await desk.manager.issue(KeySpec("old", expires=EPOCH_S + 1, hash=PLAIN))

    assert (issued.secret, issued.key.expires) == (None, EPOCH_S + 1)
    assert desk.standing("sk-from-elsewhere") is Standing.VALID


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("wz-a-key", INVALID_REQUEST),
        (str(Hasher(b"pepper").stored(b"x")), CONFLICT),
        (str(Hasher().stored(b"wz-file")), CONFLICT),
        (PLAIN, CONFLICT),
    ],
    ids=["no hash", "no pepper", "in the file", "in the store"],
)
async def test_hashes_that_cannot_be_stored(clock: VirtualClock, given: str, kind: object) -> None:
    """What is no hash, what could never be checked, and what is there already."""
    desk = Desk(clock)
    await desk.manager.issue(KeySpec(hash=PLAIN))

    assert (await refusal(desk.manager.issue(KeySpec(hash=given)))).kind is kind


async def test_a_peppered_hash_from_elsewhere(clock: VirtualClock) -> None:
    """It is taken where there is a pepper."""
    desk = Desk(clock, pepper=b"pepper")

    await desk.manager.issue(KeySpec(hash=str(Hasher(b"pepper").stored(b"wz-x"))))

    assert desk.standing("wz-x") is Standing.VALID


async def test_revoking_a_key(clock: VirtualClock) -> None:
    """At once, and once: the second time changes nothing."""
    desk = Desk(clock)
    issued = await desk.manager.issue(KeySpec())

    first = await desk.manager.revoke(issued.key.id)
    again = await desk.manager.revoke(issued.key.id)

    assert (first.status, first.key.revoked) == ("revoked", EPOCH_S)
    assert again == first
    assert desk.standing(issued.secret) is Standing.REVOKED
    assert (await refusal(desk.manager.revoke("key_9"))).kind is NOT_FOUND


async def test_revoking_a_key_of_the_file(clock: VirtualClock) -> None:
    """The store remembers it, and the list shows it as revoked, once."""
    desk = Desk(clock)

    for _ in range(2):
        await desk.manager.revoke("file")

    assert [("file", "file", "revoked")] == [(each.key.id, each.source, each.status) for each in desk.manager.listing()]
    assert desk.standing("wz-file") is Standing.REVOKED


async def test_revoking_what_redis_does_not_answer_for(clock: VirtualClock) -> None:
    """Whatever the store refuses is refused."""

    class Broken(LocalKeys):
        async def change(self, key_id: str, step: object) -> VirtualKey:  # noqa: ARG002 - the port's
            raise GatewayError(CONFLICT, "no")

    assert (await refusal(Desk(clock, Broken()).manager.revoke("file"))).kind is CONFLICT


async def test_rotating_a_key(clock: VirtualClock) -> None:
    """The old secret is good for the overlap, the new one at once."""
    desk = Desk(clock)
    issued = await desk.manager.issue(KeySpec())

    rotated = await desk.manager.rotate(issued.key.id, 10.0)
    during = [desk.standing(secret) for secret in (issued.secret, rotated.secret)]
    await clock.sleep(10.0)
    after = [desk.standing(secret) for secret in (issued.secret, rotated.secret)]

    assert issued.secret != rotated.secret
    assert issued.key.id == rotated.key.id
    assert [Standing.VALID, Standing.VALID] == during
    assert [Standing.EXPIRED, Standing.VALID] == after


async def test_what_cannot_be_rotated(clock: VirtualClock) -> None:
    """A key of the file, a revoked one, and one that is not there."""
    desk = Desk(clock)
    issued = await desk.manager.issue(KeySpec())
    await desk.manager.revoke(issued.key.id)

    kinds = [(await refusal(desk.manager.rotate(key_id))).kind for key_id in ("file", issued.key.id, "key_9")]

    assert kinds == [CONFLICT, CONFLICT, NOT_FOUND]


@pytest.mark.parametrize(("store", "source"), [(LocalKeys(), "memory"), (Persistent(), "redis")])
async def test_the_list(clock: VirtualClock, store: LocalKeys, source: str) -> None:
    """Those of the file come first; each with where it stands and whether it is good."""
    desk = Desk(clock, store)
    await desk.manager.issue(KeySpec("one", expires_in_s=5))
    await desk.manager.issue(KeySpec("two"))
    await clock.sleep(5)

    listing = [(each.key.name, each.source, each.status) for each in desk.manager.listing()]

    assert listing == [("file", "file", "active"), ("one", source, "expired"), ("two", source, "active")]


async def test_several_processes_need_one_store(clock: VirtualClock) -> None:
    """What one worker keeps in its memory the others would not know."""
    desk, shared = Desk(clock, alone=False), Desk(clock, Persistent(), alone=False)

    refused = [await refusal(asked) for asked in (desk.manager.issue(KeySpec()), desk.manager.revoke("file"))]
    refused.append(await refusal(desk.manager.rotate("key_1")))

    assert [error.kind for error in refused] == [CONFLICT] * 3
    assert (await shared.manager.issue(KeySpec())).secret


@pytest.mark.parametrize("spec", [KeySpec(expires=EPOCH_S), KeySpec(expires=5.0)])
async def test_a_key_that_has_expired_is_not_made(clock: VirtualClock, spec: KeySpec) -> None:
    """A time that is over, or now, is a mistake of whoever asks."""
    desk = Desk(clock)

    refused = await refusal(desk.manager.issue(spec))

    assert (refused.kind, refused.param) == (INVALID_REQUEST, "expires_at")
    assert desk.told == []


@pytest.mark.parametrize("name", ["file", "ci"])
async def test_one_name_for_one_valid_key(clock: VirtualClock, name: str) -> None:
    """Reports and lists go by names, so a second one is refused, whether the first stands in the file or was made."""
    desk = Desk(clock)
    await desk.manager.issue(KeySpec("ci"))

    refused = await refusal(desk.manager.issue(KeySpec(name)))

    assert (refused.kind, refused.param) == (CONFLICT, "name")


async def test_the_name_of_a_key_that_ended_is_free(clock: VirtualClock) -> None:
    """A key that was revoked or has expired holds its name no longer."""
    desk = Desk(clock)
    first = await desk.manager.issue(KeySpec("ci"))
    await desk.manager.revoke(first.key.id)
    await desk.manager.issue(KeySpec("ci", expires_in_s=5))
    await clock.sleep(5)

    third = await desk.manager.issue(KeySpec("ci"))

    assert desk.standing(third.secret) is Standing.VALID
