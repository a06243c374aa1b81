"""Settings: read once, every mistake named, never changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from typing import Any

import pytest

from serving.settings import LOOPBACK, PREFIX, Settings, SettingsError

WORDS = {"synchronous": "NORMAL", "log_level": "debug", "host": "::1", "webhook_networks": "10.0.0.0/8"}


def other(name: str, default: Any) -> str:
    """A value that is not the default, as the environment holds it."""
    if isinstance(default, bool):
        return "true"
    if isinstance(default, int):
        return str(default + 1)
    return WORDS.get(name, "x")


def test_what_the_caller_says_goes_before_the_environment_and_that_before_the_defaults() -> None:
    environment = {f"{PREFIX}HOST": "example", f"{PREFIX}PORT": "9000", "OTHER": "x"}
    assert Settings.read({}) == Settings()
    assert Settings.read(environment) == Settings(host="example", port=9000)
    assert Settings.read(environment, port=9001) == Settings(host="example", port=9001)
    assert Settings.read({}, workers=2, development=True) == Settings(workers=2, development=True)


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 2), (64, 2)])
def test_where_nobody_says_how_many_work_two_do_if_they_can_and_one_in_development(processors: int, workers: int) -> None:
    assert Settings.read({}, processors=processors).workers == workers
    assert Settings.read({}, development=True, processors=processors).workers == 1
    assert Settings.read({f"{PREFIX}DEVELOPMENT": "true"}, processors=processors).workers == 1
    assert Settings.read({f"{PREFIX}WORKERS": "1"}, processors=processors).workers == 1
    assert Settings.read({}, workers=3, processors=processors).workers == 3


def test_every_setting_can_be_set_and_is_documented() -> None:
    environment = {PREFIX + field.name.upper(): other(field.name, field.default) for field in fields(Settings)}
    found = Settings.read(environment)
    for field in fields(Settings):
        assert getattr(found, field.name) != getattr(Settings(), field.name)
        assert field.name in (Settings.__doc__ or "")
    assert found.clock_skew == timedelta(seconds=61)


def test_every_mistake_is_named_at_once() -> None:
    wrong = {"PORT": "0x50", "SYNCHRONOUS": "OFF", "CLOCK_SKEW_SECONDS": "7200", "HOTS": "h", "HOST": "", "DEVELOPMENT": "yes"}
    with pytest.raises(SettingsError) as refused:
        Settings.read({PREFIX + name: text for name, text in wrong.items()})
    told = str(refused.value)
    assert "PORT: expected a whole number, found '0x50'" in told
    assert "SYNCHRONOUS: expected one of NORMAL, FULL, found 'OFF'" in told
    assert "CLOCK_SKEW_SECONDS: expected 0 to 3600, found 7200" in told
    assert "HOTS: unknown; expected one of" in told
    assert "HOST: expected a name or address, found nothing" in told
    assert "DEVELOPMENT: expected true or false, found 'yes'" in told
    with pytest.raises(SettingsError, match="PORT: expected 1 to 65535, found 65536"):
        Settings.read({}, port=65_536)


def test_development_mode_is_for_this_machine_alone() -> None:
    for host in LOOPBACK:
        assert Settings.read({}, host=host, development=True).development
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(SettingsError, match="in development mode, where no key is asked for"):
            Settings.read({}, host=host, development=True)
        assert not Settings.read({}, host=host).development


@pytest.mark.parametrize("half", ["TLS_CERTIFICATE", "TLS_KEY", "JWKS", "TOKEN_ISSUER", "TOKEN_AUDIENCE"])
def test_what_is_of_use_only_together_is_not_taken_alone(half: str) -> None:
    with pytest.raises(SettingsError, match="only of use together"):
        Settings.read({PREFIX + half: "x"})


def test_settings_refuse_to_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
