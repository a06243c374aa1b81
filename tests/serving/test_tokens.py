"""Tokens: only those of the provider, for us, in time, with a signature that only the provider can make."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from serving.auth import Caller, Scope
from serving.tokens import Tokens, public_keys

EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
GOOD: dict[str, Any] = {"iss": "https://provider", "aud": "touchstone", "sub": "service-7", "scope": "score read unheard-of"}


def jwk(key: Any, kid: str, algorithm: str) -> dict[str, Any]:
    written = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**written, "kid": kid, "alg": algorithm, "use": "sig"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    path = tmp_path_factory.mktemp("jwks") / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(EC, "ec", "ES256"), jwk(RSA, "rsa", "RS256"), jwk(ED, "ed", "EdDSA")]}))
    held = public_keys(str(path))
    return Tokens(lambda: held, "https://provider", "touchstone")


def token(key: Any = EC, algorithm: str = "ES256", kid: str = "ec", minutes: float = 5.0, **changes: Any) -> str:
    told = GOOD | {"exp": datetime.now(UTC) + timedelta(minutes=minutes)} | changes
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode(told, key, algorithm, headers={"kid": kid})


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC, "ES256", "ec"), (RSA, "RS256", "rsa"), (ED, "EdDSA", "ed")])
def test_a_token_of_the_provider_says_who_calls_and_what_they_may_do(provider: Tokens, key: Any, algorithm: str, kid: str) -> None:
    assert provider(token(key, algorithm, kid)) == Caller("token:service-7", frozenset({Scope.SCORE, Scope.READ}))


@pytest.mark.parametrize(
    "wrong",
    [
        token(OTHER),
        token(kid="unknown"),
        token(minutes=-5),
        token(exp=None),
        token(sub=None),
        token(aud="another service"),
        token(aud=None),
        token(iss="https://elsewhere"),
        token(iss=None),
        token(RSA, "RS256", "ec"),
        token(b"a secret that both sides know, long enough", "HS256"),
        token(None, "none"),
        token()[:-4] + "AAAA",
        "",
        "a.b.c",
        "tsk_000000000000_secret",
        "é" * 50,
    ],
)
def test_any_other_token_is_nobodys(provider: Tokens, wrong: str) -> None:
    assert provider(wrong) is None


def test_the_public_key_itself_is_no_secret_to_sign_with(provider: Tokens) -> None:
    """The classic confusion: HS256 with the provider's public key as the secret (RFC 8725, section 2.1)."""
    for form in (Encoding.DER, Encoding.PEM):
        public = RSA.public_key().public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        head, told, _ = token(b"x" * 32, "HS256", "rsa").split(".")
        signature = urlsafe_b64encode(hmac.digest(public, f"{head}.{told}".encode(), "sha256")).decode().rstrip("=")
        assert provider(f"{head}.{told}.{signature}") is None


def test_a_token_without_a_scope_may_do_nothing(provider: Tokens) -> None:
    caller = provider(token(scope=None))
    assert caller is not None and not any(caller.may(scope) for scope in Scope)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}', '{"keys": 7}'])
def test_what_is_no_set_of_named_keys_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"jwks\.json: expected"):
        public_keys(str(path))
