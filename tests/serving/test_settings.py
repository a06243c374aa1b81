"""Settings: read once, every mistake named, never changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from serving.settings import PREFIX, Settings, SettingsError


def test_what_the_caller_says_goes_before_the_environment_and_that_before_the_defaults() -> None:
    environment = {f"{PREFIX}HOST": "example", f"{PREFIX}PORT": "9000", "OTHER": "x"}
    assert Settings.read({}) == Settings()
    assert Settings.read(environment) == Settings(host="example", port=9000)
    assert Settings.read(environment, port=9001) == Settings(host="example", port=9001)


def test_every_setting_can_be_set_and_is_documented() -> None:
    environment = {f"{PREFIX}HOST": "h", f"{PREFIX}PORT": "1", f"{PREFIX}SYNCHRONOUS": "NORMAL", f"{PREFIX}CLOCK_SKEW_SECONDS": "5"}
    found = Settings.read(environment)
    for field in fields(Settings):
        assert getattr(found, field.name) != getattr(Settings(), field.name)
        assert field.name in (Settings.__doc__ or "")
    assert found.clock_skew == timedelta(seconds=5)


def test_every_mistake_is_named_at_once() -> None:
    wrong = {"PORT": "0x50", "SYNCHRONOUS": "OFF", "CLOCK_SKEW_SECONDS": "7200", "HOTS": "h", "HOST": ""}
    with pytest.raises(SettingsError) as refused:
        Settings.read({PREFIX + name: text for name, text in wrong.items()})
    told = str(refused.value)
    assert "PORT: expected a whole number, found '0x50'" in told
    assert "SYNCHRONOUS: expected one of NORMAL, FULL, found 'OFF'" in told
    assert "CLOCK_SKEW_SECONDS: expected 0 to 3600, found 7200" in told
    assert "HOTS: unknown; expected one of" in told
    assert "HOST: expected a name or address, found nothing" in told
    with pytest.raises(SettingsError, match="PORT: expected 1 to 65535, found 65536"):
        Settings.read({}, port=65_536)


def test_settings_refuse_to_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]
