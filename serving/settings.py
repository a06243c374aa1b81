"""What can be set about the endpoint: read once, from the environment and the caller, and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, get_args

from serving.store import Synchronous

PREFIX = "TOUCHSTONE_SERVE_"
"""Begins the name of every environment variable of the endpoint."""


class SettingsError(ValueError):
    """Settings that cannot be used; every one of them is named."""


@dataclass(frozen=True)
class Settings:
    """The endpoint's settings; each is an environment variable of its name in capitals behind :data:`PREFIX`.

    Parameters
    ----------
    host, port
        Where it listens.
    synchronous
        SQLite's promise: ``FULL`` keeps an answered decision through a loss of power, ``NORMAL`` through a killed process only.
    clock_skew_seconds
        How far ahead of ours the clocks of callers may be.

    Examples
    --------
    >>> Settings.read({"TOUCHSTONE_SERVE_PORT": "9000"}).port
    9000
    >>> Settings.read({"TOUCHSTONE_SERVE_PORT": "many"})
    Traceback (most recent call last):
    serving.settings.SettingsError: TOUCHSTONE_SERVE_PORT: expected a whole number, found 'many'
    """

    host: str = "127.0.0.1"
    port: int = 8000
    synchronous: Synchronous = "FULL"
    clock_skew_seconds: int = 60

    @classmethod
    def read(cls, environment: Mapping[str, str], host: str | None = None, port: int | None = None) -> Settings:
        """Read the settings: what the caller says goes before the environment, and that before the defaults.

        Raises
        ------
        SettingsError
            Naming every variable that is unknown or whose value cannot be used.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        defaults = {field.name: field.default for field in fields(cls)}
        for variable in sorted(v for v in environment if v.startswith(PREFIX)):
            name, text = variable.removeprefix(PREFIX).lower(), environment[variable]
            if name not in defaults:
                problems.append(f"{variable}: unknown; expected one of {', '.join(PREFIX + known.upper() for known in defaults)}")
            elif isinstance(defaults[name], int) and not text.isdecimal():
                problems.append(f"{variable}: expected a whole number, found {text!r}")
            else:
                values[name] = int(text) if isinstance(defaults[name], int) else text
        values |= {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        settings = replace(cls(), **values)
        problems += settings._out_of_range()
        if problems:
            raise SettingsError("; ".join(problems))
        return settings

    @property
    def clock_skew(self) -> timedelta:
        """The skew as a length of time."""
        return timedelta(seconds=self.clock_skew_seconds)

    def _out_of_range(self) -> list[str]:
        problems = []
        if not self.host:
            problems.append(f"{PREFIX}HOST: expected a name or address, found nothing")
        if not 1 <= self.port <= 65_535:
            problems.append(f"{PREFIX}PORT: expected 1 to 65535, found {self.port}")
        if self.synchronous not in get_args(Synchronous):
            problems.append(f"{PREFIX}SYNCHRONOUS: expected one of {', '.join(get_args(Synchronous))}, found {self.synchronous!r}")
        if not 0 <= self.clock_skew_seconds <= 3600:
            problems.append(f"{PREFIX}CLOCK_SKEW_SECONDS: expected 0 to 3600, found {self.clock_skew_seconds}")
        return problems
