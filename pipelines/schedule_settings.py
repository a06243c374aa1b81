"""How the schedule of an installation is set: from the environment, in this one place, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from pipelines.engine import Carrier, Engine, memory_of
from pipelines.home import Home

WEBHOOK = "TOUCHSTONE_WEBHOOK"
START = "TOUCHSTONE_SCHEDULE_START"
ENGINE = "TOUCHSTONE_ENGINE"
MEMORY = "TOUCHSTONE_MEMORY"
MASTER = "TOUCHSTONE_MASTER"
POLICY = "TOUCHSTONE_POLICY"
RULES = "TOUCHSTONE_RULES"
LABELS = "TOUCHSTONE_RETRAIN_LABELS"
ARRIVING = "TOUCHSTONE_ARRIVING"

T = TypeVar("T")

_FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ScheduleSettings:
    """What the schedule must be told.

    Parameters
    ----------
    home
        The installation.
    start
        First day with a partition (``TOUCHSTONE_SCHEDULE_START``); by default the first undecided day of a simulated marketplace, else
        2025-01-01.
    webhook
        Where failures are told (``TOUCHSTONE_WEBHOOK``); empty: nowhere.
    carrier
        What computes the features (``TOUCHSTONE_ENGINE``, ``TOUCHSTONE_MEMORY``); with Spark, at which address (``TOUCHSTONE_MASTER``),
        and it checks what arrives and prices claims as well.
    policy, rules
        Files (``TOUCHSTONE_POLICY``, ``TOUCHSTONE_RULES``); the shipped policy and no rules where left out.
    retrain_labels
        New labels since the last training that call for another one (``TOUCHSTONE_RETRAIN_LABELS``).
    arriving
        Folder or address on object storage in which each day's tables arrive (``TOUCHSTONE_ARRIVING``); empty: ``arriving/`` of the home.
    retry_after
        Before a failed step is tried again the first time; twice as long before the second.
    """

    home: Home
    start: datetime = _FIRST_DAY
    webhook: str = ""
    carrier: Carrier = Carrier()  # noqa: RUF009 (frozen)
    policy: Path | None = None
    rules: Path | None = None
    retrain_labels: int = 1_000
    arriving: str = ""
    retry_after: timedelta = timedelta(minutes=1)

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> ScheduleSettings:
        """Read the settings from the environment.

        Raises
        ------
        ValueError
            If a value cannot be read; the message names its variable.
        """
        home = Home.at(None, environment)
        return cls(
            home,
            _read(environment, START, lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC), _first_day(home)),
            environment.get(WEBHOOK, ""),
            Carrier(
                _read(environment, ENGINE, Engine, Engine.LOCAL),
                _read(environment, MEMORY, memory_of, memory_of("2GB")),
                _read(environment, MASTER, lambda text: Carrier(master=text).master, Carrier().master),
                threads=os.cpu_count() or 1,
            ),
            _file(environment, POLICY),
            _file(environment, RULES),
            _read(environment, LABELS, int, 1_000),
            environment.get(ARRIVING, "").rstrip("/"),
        )


def _read(environment: Mapping[str, str], name: str, convert: Callable[[str], T], default: T) -> T:
    text = environment.get(name)
    if not text:
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected a value that can be read, found {text!r} ({error})") from error


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    return Path(text) if (text := environment.get(name)) else None


def _first_day(home: Home) -> datetime:
    from pipelines.simulated import Simulation

    return Simulation.of(home).live_from if Simulation.exists(home) else _FIRST_DAY
