"""Who is recognised: keys of the store, tokens of the provider, and nobody else unless this is development."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.auth import DEVELOPER, Scope
from serving.instants import micros
from serving.keys import ENTROPY, add_key, make
from serving.recognition import LockedError, recogniser
from serving.settings import Settings
from serving.store import Store
from tests.serving.test_tokens import EC, jwk, token

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_without_a_key_or_a_provider_nothing_is_opened() -> None:
    with Store("sqlite://") as store:
        with pytest.raises(LockedError, match="touchstone keys create"):
            recogniser(Settings(), store, lambda: NOW)
        add_key(store, make(bytes(ENTROPY), "old", [Scope.READ], 0, expires_at=1)[1])
        with pytest.raises(LockedError):
            recogniser(Settings(), store, lambda: NOW)


def test_in_development_mode_a_key_that_is_given_tells_who_somebody_is() -> None:
    with Store("sqlite://") as store:
        text, key = make(bytes(ENTROPY), "ann", [Scope.EXPERT], micros(NOW))
        add_key(store, key)
        found = recogniser(Settings(development=True), store, lambda: NOW)(text)
        assert found is not None and found.person == "ann" and found.scopes == {Scope.EXPERT}
        assert recogniser(Settings(development=True), store, lambda: NOW)("wrong") is DEVELOPER


def test_only_development_mode_takes_everybody() -> None:
    with Store("sqlite://") as store:
        assert recogniser(Settings(development=True), store, lambda: NOW)(None) is DEVELOPER
        text, key = make(bytes(ENTROPY), "us", [Scope.READ], micros(NOW))
        add_key(store, key)
        recognise = recogniser(Settings(), store, lambda: NOW)
        assert recognise(None) is recognise("") is recognise("wrong") is None
        found = recognise(text)
        assert found is not None and found.scopes == {Scope.READ}


def test_keys_and_tokens_are_taken_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(EC, "ec", "ES256")]}))
    settings = Settings(jwks=str(path), token_issuer="https://provider", token_audience="touchstone")
    with Store("sqlite://") as store:
        text, key = make(bytes(ENTROPY), "us", [Scope.READ], micros(NOW))
        add_key(store, key)
        recognise = recogniser(settings, store, lambda: NOW)
        by_key, by_token = recognise(text), recognise(token())
        assert by_key is not None and by_key.name == key.key_id
        assert by_token is not None and by_token.name == "token:service-7"
