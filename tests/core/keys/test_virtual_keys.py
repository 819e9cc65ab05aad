"""Keys, their hashes, and who stands behind one that was sent."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
import pytest

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.identity import Caller
from app.core.keys.virtual_keys import (
    Found,
    Hasher,
    KeyHash,
    KeyTable,
    Scheme,
    Standing,
    VirtualKey,
    new_key_id,
    new_secret,
)

NOW = 1_700_000_000.0
SECRET, OTHER = b"wz-of-the-team", b"wz-of-nobody"


def a_key(secret: bytes = SECRET, **fields: object) -> VirtualKey:
    """Return a key called team-a, with more about it."""
    stored = Hasher().stored(secret)
    return msgspec.structs.replace(VirtualKey("team-a", "team-a", stored), **fields)


def find(table: KeyTable, secret: bytes = SECRET, hasher: Hasher | None = None, now: float = NOW) -> Found:
    """Look a secret up."""
    return table.find((hasher or Hasher()).digests(secret), now)


def test_the_hash_is_that_of_every_tool() -> None:
    """`printf KEY | sha256sum` makes the same."""
    stored = Hasher().stored(SECRET)

    assert str(stored) == f"sha256:{hashlib.sha256(SECRET).hexdigest()}"
    assert KeyHash.parse(f" {stored}\n") == stored
    assert KeyHash.parse(str(stored).replace("a", "A").replace("shA", "sha")) == stored


def test_a_pepper_makes_another_hash() -> None:
    """With one, new keys are stored by HMAC, and both forms are recognised."""
    hasher = Hasher(b"pepper")
    table = KeyTable([a_key(hash=hasher.stored(SECRET)), VirtualKey("plain", "plain", Hasher().stored(OTHER))])

    assert str(hasher.stored(SECRET)) == f"hmac-sha256:{hmac.digest(b'pepper', SECRET, 'sha256').hex()}"
    assert find(table, SECRET, hasher).standing is Standing.VALID
    assert find(table, OTHER, hasher).standing is Standing.VALID
    assert find(table, SECRET, Hasher(b"salt")).standing is Standing.UNKNOWN
    assert find(table, SECRET).standing is Standing.UNKNOWN
    assert (Scheme.HMAC_SHA256, Scheme.SHA256) == (hasher.preferred, Hasher().preferred)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:zz", "md5:" + "0" * 64, "sha256:" + "0" * 63, "sha256:" + "g" * 64, "wz-a-key"]
)
def test_what_is_no_hash(text: str) -> None:
    """It is refused, and not repeated: somebody may have taken the key itself for its hash."""
    with pytest.raises(GatewayError) as caught:
        KeyHash.parse(text)

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, "hash")
    assert "wz-a-key" not in caught.value.message


def test_a_key_is_found_by_its_secret() -> None:
    """And by nothing else."""
    key = a_key()
    table = KeyTable([key])

    found = find(table)
    assert found == Found(Standing.VALID, key, Caller(key.id, key.id, key.name))
    assert find(table) is found  # whoever keeps something for each caller knows it again
    for secret in (OTHER, b"", SECRET + b" ", SECRET[:-1], str(key.hash).encode(), key.hash.digest):
        assert find(table, secret) == Found(Standing.UNKNOWN)


def test_an_end() -> None:
    """A key is valid up to the second before it expires; one that was revoked is so from then on, whatever else."""
    ends, revoked = a_key(expires=NOW), a_key(expires=NOW).revoked_at(NOW - 5)

    assert find(KeyTable([ends]), now=NOW - 0.001).standing is Standing.VALID
    assert find(KeyTable([ends])) == Found(Standing.EXPIRED, ends)
    assert find(KeyTable([revoked]), now=0.0) == Found(Standing.REVOKED, revoked)
    assert revoked.revoked_at(NOW) == revoked


def test_rotation_has_an_overlap() -> None:
    """The secret before is valid for a while, the fresh one at once and for good; the key is the same."""
    key = a_key(models=("fast",)).rotated(Hasher().stored(OTHER), NOW, 60.0)
    table = KeyTable([key])

    before = [find(table, secret, now=NOW + 59.9).standing for secret in (SECRET, OTHER)]
    after = [find(table, secret, now=NOW + 60.0).standing for secret in (SECRET, OTHER)]

    assert ("team-a", ("fast",)) == (key.id, key.models)
    assert [Standing.VALID, Standing.VALID] == before
    assert [Standing.EXPIRED, Standing.VALID] == after


def test_a_second_rotation_ends_the_first_secret() -> None:
    """There is one secret before, not a row of them."""
    third = b"wz-third"
    key = a_key().rotated(Hasher().stored(OTHER), NOW, 60.0).rotated(Hasher().stored(third), NOW + 1, 60.0)
    table = KeyTable([key])

    standings = [find(table, secret, now=NOW + 2).standing for secret in (SECRET, OTHER, third)]

    assert [Standing.UNKNOWN, Standing.VALID, Standing.VALID] == standings


def test_a_table_replaces_and_forgets() -> None:
    """By id: what is put again is another key, of which the old secret knows nothing."""
    table = KeyTable([a_key()])
    table.put(a_key(OTHER))
    replaced = [find(table, secret).standing for secret in (SECRET, OTHER)]
    known = (len(table), [key.id for key in table], table.get("team-a"), table.has(a_key(OTHER)))

    table.drop("team-a")
    table.drop("nobody")

    assert [Standing.UNKNOWN, Standing.VALID] == replaced
    assert (1, ["team-a"], a_key(OTHER), True) == known
    assert (0, None, False) == (len(table), table.get("team-a"), table.has(a_key(OTHER)))
    assert find(table, OTHER).standing is Standing.UNKNOWN


def test_a_table_knows_secrets_that_are_there() -> None:
    """The same secret under another id is the same secret."""
    table = KeyTable([a_key()])

    assert table.has(msgspec.structs.replace(a_key(), id="key_other"))
    assert not table.has(msgspec.structs.replace(a_key(OTHER), id="key_other"))


def test_keys_are_random() -> None:
    """256 bits in a form that needs no quotes anywhere; the id has bits of its own."""
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return bytes(range(255, 255 - count, -1))

    secret, key_id = new_secret(entropy), new_key_id(entropy)

    assert [32, 8] == asked
    assert secret == "wz-__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA"
    assert key_id == "key_fffefdfcfbfaf9f8"


def test_a_key_survives_its_storage() -> None:
    """Packed and unpacked it is the same."""
    key = a_key(team="red", tags=("a", "b"), models=(), expires=NOW, in_file=True)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(key), type=VirtualKey) == key
