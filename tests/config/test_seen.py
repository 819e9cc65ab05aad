"""Files that a configuration was read from, and how they look."""

from __future__ import annotations

from pathlib import Path

from app.config.files import seen
from app.config.load import load


def test_every_file_is_known(tmp_path: Path) -> None:
    """The configuration's own and those of keys; the embedded default has none."""
    (tmp_path / "key").write_text("sk-1", encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text("providers: {box: {kind: openai, api_key_file: key}}", encoding="utf-8")

    found, embedded = load(config, {}), load(None, {})

    assert found.files == (config, tmp_path / "key")
    assert found.seen == seen(found.files)
    assert (embedded.files, embedded.seen) == ((), ())


def test_a_change_can_be_seen(tmp_path: Path) -> None:
    """Other contents, another file in its place, and none at all look different."""
    file = tmp_path / "a"
    file.write_text("one", encoding="utf-8")
    looks = [seen([file])]
    file.write_text("other", encoding="utf-8")
    looks.append(seen([file]))
    (tmp_path / "b").write_text("other", encoding="utf-8")
    (tmp_path / "b").replace(file)
    looks.append(seen([file]))
    file.unlink()
    looks.append(seen([file]))

    assert len(set(looks)) == len(looks)


def test_a_link_that_leads_elsewhere_can_be_seen(tmp_path: Path) -> None:
    """Kubernetes exchanges a link to a folder, and touches no file."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("same", encoding="utf-8")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    before = seen([tmp_path / "config.yaml"])

    (tmp_path / "..next").symlink_to("two")
    (tmp_path / "..next").replace(tmp_path / "..data")

    assert seen([tmp_path / "config.yaml"]) != before
