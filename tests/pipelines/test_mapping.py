"""A mapping accounts for every field of the contract, and says at once what it does not understand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from data_contracts import CLAIMS, ContractError
from pipelines.mapping import ExtraRule, FieldRule, load, parse

SHIPPED = Path(__file__).parents[2] / "pipelines" / "mappings" / "travelers.toml"


def small() -> dict[str, Any]:
    used = {"claim_id", "filed_at", "amount_cents", "kind"}
    return {
        "name": "small",
        "fields": {
            "claim_id": {"source": "no", "template": "A{}"},
            "filed_at": {"source": "day", "format": "%d.%m.%Y"},
            "amount_cents": {"source": "paid", "unit": "dollars"},
            "kind": {"source": "what", "values": {"house": "property", "body": "injury"}},
        },
        "absent": [c.name for c in CLAIMS.columns if c.name not in used],
        "extras": {"age": "numeric", "town": {"source": "city", "type": "categorical", "missing": ["?"]}},
        "label": {"source": "fraud", "values": {"0": "valid", "1": "abusive"}, "delay_days": 10},
    }


def test_the_shipped_mappings_are_understood() -> None:
    for path in SHIPPED.parent.glob("*.toml"):
        mapping = load(path)
        assert mapping.name == path.stem
        assert mapping.claims.key == "claim_id"


def test_a_mapping_is_read_into_frozen_rules() -> None:
    mapping = parse(small())
    assert mapping.fields["claim_id"] == FieldRule(source="no", template="A{}")
    assert mapping.extras["town"] == ExtraRule(source="city", type="categorical", missing=("?",))
    assert mapping.sources == {"no", "day", "paid", "what", "age", "city"}
    assert mapping.claims.arrow.names == ["claim_id", "kind", "filed_at", "amount_cents", "age", "town"]
    assert mapping.intake.column("label").choices == ("valid", "abusive")


def test_an_optional_field_that_a_mapping_does_not_speak_of_is_absent() -> None:
    said, unsaid = small(), small()
    unsaid["absent"] = [name for name in said["absent"] if name != "recorded_at"]
    assert set(parse(unsaid).absent) == set(parse(said).absent)
    late = unsaid | {"fields": unsaid["fields"] | {"recorded_at": {"source": "seen", "format": "%d.%m.%Y"}}}
    assert "recorded_at" in parse(late).claims.arrow.names and "recorded_at" not in parse(late).absent


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"naem": "x"}, "mapping: expected the keys .* found naem"),
        ({"name": "two words"}, "name: expected a word"),
        ({"fields": small()["fields"] | {"colour": {"source": "c"}}}, "colour: expected a field of claims"),
        ({"fields": small()["fields"] | {"kind": {"sauce": "what"}}}, "fields.kind: expected the keys .* found sauce"),
        ({"fields": small()["fields"] | {"kind": {}}}, "fields.kind: expected either source or constant"),
        ({"fields": small()["fields"] | {"kind": {"source": "a", "constant": "b"}}}, "fields.kind: expected either source or constant"),
        ({"fields": small()["fields"] | {"amount_cents": {"source": "a", "unit": "euros"}}}, "unit: expected one of dollars, cents"),
        ({"fields": small()["fields"] | {"claim_id": {"source": "a", "template": "A"}}}, "template: expected text with one {}"),
        ({"absent": ["kind"]}, "kind: .* found both; .*channel: .* found neither"),
        ({"extras": {"age": "number"}}, "extras.age.type: expected one of numeric, categorical"),
        ({"extras": {"channel": "categorical"}}, "extras.channel: expected a name that the contract does not use"),
        ({"extras": {"age": {"source": "d", "part": "hour"}}}, "extras.age.part: expected one of year"),
        ({"label": {"source": "f", "values": {"0": "valid", "1": "fraud"}, "delay_days": 1}}, "label.values: expected two or three"),
        ({"label": small()["label"] | {"delay_days": 0}}, "label.delay_days: expected more than 0"),
        ({"label": small()["label"] | {"how": "guess"}}, "label.how: expected a source of resolutions"),
        ({"label": small()["label"] | {"propensity": 0}}, "label.propensity"),
        ({"label": {"source": "f"}}, "label: expected the keys .* found no values, delay_days"),
        ({"label": 3}, "label: expected a table"),
    ],
)
def test_what_a_mapping_gets_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        parse(small() | change)


def test_the_error_names_the_file_and_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(SHIPPED.read_text().replace("[label]", "[labels]"))
    with pytest.raises(ContractError, match=r"m\.toml: mapping: expected the keys .* found labels"):
        load(tmp_path / "m.toml")
    (tmp_path / "m.toml").write_text("a = = 1")
    with pytest.raises(ContractError, match=r"m\.toml: expected a mapping in TOML"):
        load(tmp_path / "m.toml")
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads("a = = 1")
    with pytest.raises(ContractError, match=r"none\.toml"):
        load(tmp_path / "none.toml")
