"""Picture files on the way in: each read once, trouble told by path, a bad one costs its own row and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.home import Home
from pipelines.ingest import ingest
from pipelines.mapping import ContractError, load
from pipelines.photo_files import hash_files
from tests.features.test_image_hash import saved, scene

MAPPING = """
name = "pictured"
absent = [
  "order_id", "customer_id", "seller_id", "product_id", "kind", "channel", "incident_at", "amount_cents", "narrative", "photo_count",
  "has_receipt", "has_dated_photo", "has_medical_record", "device_id", "address_id", "payment_id", "phone_id",
]
[fields.claim_id]
source = "no"
[fields.filed_at]
source = "day"
format = "%Y-%m-%d"
[fields.photo_hash]
source = "photo_path"
image = true
optional = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(saved(scene(1), quality=90))
    (tmp_path / "photos" / "again.png").write_bytes(saved(scene(1).resize((320, 240)), "PNG"))
    (tmp_path / "photos" / "letter.jpg").write_bytes(b"Dear Sir or Madam")
    (tmp_path / "pictured.toml").write_text(MAPPING)
    return tmp_path


def test_each_file_is_read_once_and_progress_is_told(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = ["photos/one.jpg", folder / "photos" / "again.png", "photos/one.jpg", "photos/none.jpg", "photos", "photos/letter.jpg"]
    found = hash_files(paths, folder, lambda done, of: told.append((done, of)))
    assert told == [(n, 5) for n in range(1, 6)]
    assert set(found.hashes) == {"photos/one.jpg", str(folder / "photos" / "again.png")}
    assert found.unreadable["photos/none.jpg"] == "expected an image file, found none"
    assert "directory" in found.unreadable["photos"] and "b'Dear Sir'" in found.unreadable["photos/letter.jpg"]


def test_a_column_of_paths_becomes_hashes_and_a_bad_picture_costs_its_own_row(folder: Path) -> None:
    paths = ["photos/one.jpg", "", "photos/again.png", "photos/letter.jpg", "photos/none.jpg"]
    pd.DataFrame({"no": list("abcde"), "day": "2025-01-01", "photo_path": paths}).to_csv(folder / "claims.csv", index=False)
    ingested = ingest(Home(folder / "home"), folder / "claims.csv", folder / "pictured.toml")
    claims = ingested.lake.tables()["claims"].set_index("claim_id").photo_hash
    assert claims.index.tolist() == ["a", "b", "c"] and claims.isna().tolist() == [False, True, False]
    assert (int(claims["a"], 16) ^ int(claims["c"], 16)).bit_count() <= 6
    assert ingested.counts.quarantined == 2
    reasons = pd.read_parquet(next((folder / "home").rglob("quarantine/claims/*.parquet"))).reasons
    assert "photos/letter.jpg: picture: expected an image file" in reasons[0] and "found none" in reasons[1]


def test_only_the_photograph_can_be_a_picture(folder: Path) -> None:
    (folder / "wrong.toml").write_text(MAPPING.replace('source = "no"', 'source = "no"\nimage = true'))
    with pytest.raises(ContractError, match=r"fields\.claim_id\.image: expected it only for photo_hash"):
        load(folder / "wrong.toml")
