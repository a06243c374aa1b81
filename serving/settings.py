"""What can be set about the endpoint: read once, from the environment and the caller, and never changed after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, get_args

from serving.database import Synchronous
from serving.webhook_address import Reach

PREFIX = "TOUCHSTONE_SERVE_"
"""Begins the name of every environment variable of the endpoint."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Where nobody but this machine can call."""

LEVELS = ("debug", "info", "warning", "error")
"""How much the journal tells."""

_USEFUL = 2
"""Processes that are begun where nobody says how many: on SQLite they write in turn, and a third one mostly waits."""

_RANGES = {
    "port": (1, 65_535),
    "workers": (1, 64),
    "clock_skew_seconds": (0, 3600),
    "parity_per_mille": (0, 1000),
    "waiting": (1, 100_000),
    "at_once": (1, 100_000),
    "patience_seconds": (1, 600),
    "shutdown_seconds": (1, 600),
    "refresh_seconds": (1, 3600),
    "body_bytes": (1024, 1_048_576),
    "batch_bytes": (1024, 268_435_456),
    "requests_per_second": (0, 1_000_000),
}


class SettingsError(ValueError):
    """Settings that cannot be used; every one of them is named."""


@dataclass(frozen=True)
class Settings:
    """The endpoint's settings; each is an environment variable of its name in capitals behind :data:`PREFIX`.

    Parameters
    ----------
    host, port
        Where it listens.
    workers
        Processes that share the port and the store. Where nobody says how many, :meth:`read` takes two if there are two processors, as the
        second one decides beside the first, and one in development mode.
    development
        Whether anybody may do everything without a key; only where nobody but this machine can call.
    synchronous
        SQLite's promise: ``FULL`` keeps an answered decision through a loss of power, ``NORMAL`` through a killed process only.
    clock_skew_seconds
        How far ahead of ours the clocks of callers may be.
    parity_per_mille
        Of a thousand claims, how many have their features kept until the batch has computed them as well.
    pinned
        Hash of the bundle that decides; empty: the champion, whichever it is.
    waiting, at_once
        Claims that may wait for their decision, and requests that may be open; further ones get 429.
    patience_seconds
        After how long a request is answered with 503, or 408 where its body does not arrive.
    shutdown_seconds
        How long requests that were accepted may take after the signal to stop.
    refresh_seconds
        After how long a key that was made or revoked is known to every process.
    body_bytes, batch_bytes
        How large a request may be: of one claim, of many rows.
    requests_per_second
        What a key may ask on average in each process, unless the key says otherwise; 0: no limit.
    tls_certificate, tls_key
        Files (PEM) for HTTPS; without them it speaks HTTP.
    jwks, token_issuer, token_audience
        File or ``https`` address of a JWK set, and what tokens must say in ``iss`` and ``aud``; without them only keys are taken.
    webhook_networks
        Networks that webhooks may be sent to although they are not public, with commas between them, such as ``10.1.0.0/16``.
    log_level
        How much the journal tells: debug, info, warning or error.
    tracing
        Whether spans are given to OpenTelemetry, which must be installed.

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
    workers: int = 1
    development: bool = False
    synchronous: Synchronous = "FULL"
    clock_skew_seconds: int = 60
    parity_per_mille: int = 10
    pinned: str = ""
    waiting: int = 256
    at_once: int = 512
    patience_seconds: int = 10
    shutdown_seconds: int = 30
    refresh_seconds: int = 5
    body_bytes: int = 65_536
    batch_bytes: int = 16_777_216
    requests_per_second: int = 1000
    tls_certificate: str = ""
    tls_key: str = ""
    jwks: str = ""
    token_issuer: str = ""
    token_audience: str = ""
    webhook_networks: str = ""
    log_level: str = "info"
    tracing: bool = False

    @classmethod
    def read(
        cls,
        environment: Mapping[str, str],
        host: str | None = None,
        port: int | None = None,
        workers: int | None = None,
        development: bool | None = None,
        processors: int = 1,
    ) -> Settings:
        """Read the settings: what the caller says goes before the environment, and that before the defaults.

        Parameters
        ----------
        environment
            Variables by name; others than the endpoint's are left alone.
        host, port, workers, development
            What the caller says; ``None``: nothing.
        processors
            How many this machine has.

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
                continue
            try:
                values[name] = _read(text, defaults[name])
            except ValueError as error:
                problems.append(f"{variable}: {error}")
        given = {"host": host, "port": port, "workers": workers, "development": development}
        values |= {name: value for name, value in given.items() if value is not None}
        if not values.get("development"):
            values.setdefault("workers", min(processors, _USEFUL))
        settings = replace(cls(), **values)
        problems += settings._out_of_range()
        if problems:
            raise SettingsError("; ".join(problems))
        return settings

    @property
    def clock_skew(self) -> timedelta:
        """The skew as a length of time."""
        return timedelta(seconds=self.clock_skew_seconds)

    @property
    def reach(self) -> Reach:
        """How far webhooks may go."""
        return Reach.of(self.webhook_networks, self.development)

    def _out_of_range(self) -> list[str]:
        problems = []
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                problems.append(f"{PREFIX}{name.upper()}: expected {low} to {high}, found {getattr(self, name)}")
        for name, choices in (("synchronous", get_args(Synchronous)), ("log_level", LEVELS)):
            if getattr(self, name) not in choices:
                problems.append(f"{PREFIX}{name.upper()}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}")
        for names in (("tls_certificate", "tls_key"), ("jwks", "token_issuer", "token_audience")):
            lacking = [PREFIX + name.upper() for name in names if not getattr(self, name)]
            if 0 < len(lacking) < len(names):
                problems.append(f"{', '.join(lacking)}: expected a value, found none; they are only of use together")
        try:
            self.reach  # noqa: B018  # read once, so that a mistake is told with the others
        except ValueError as error:
            problems.append(f"{PREFIX}WEBHOOK_NETWORKS: {error}")
        return problems + self._of_host()

    def _of_host(self) -> list[str]:
        if not self.host:
            return [f"{PREFIX}HOST: expected a name or address, found nothing"]
        if self.development and self.host not in LOOPBACK:
            return [
                f"{PREFIX}HOST: expected one of {', '.join(LOOPBACK)} in development mode, where no key is asked for, found {self.host!r}"
            ]
        return []


def _read(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise ValueError(f"expected true or false, found {text!r}")
        return text == "true"
    if isinstance(default, int):
        if not text.isdecimal():
            raise ValueError(f"expected a whole number, found {text!r}")
        return int(text)
    return text
