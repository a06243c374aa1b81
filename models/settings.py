"""How a training is laid out: windows, folds, weights, seed and growth, read from and written to one TOML text.

The tuner writes such a file and ``touchstone train`` reads it; what was used is in the manifest of every bundle.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from models.classifier import Hyperparameters


class SettingsError(ValueError):
    """A settings text that cannot be used: an unknown key or a value of a wrong type."""


@dataclass(frozen=True)
class TrainingSettings:
    r"""How a training is laid out.

    Parameters
    ----------
    stop_share, judge_share
        Shares of the labelled claims, by time of filing, that stop the boosters, and that come after and judge.
    gap_days
        Days between the growing and the stopping window, for labels still on their way.
    hub_cap
        An identifier in more claims than this relates nobody (see :func:`models.splits.components`).
    folds, first_share
        The scores for calibration: how many folds of equal size cover the time between the first share of the labelled claims and
        the latest window.
    fit_cap
        Largest weight of a row in growing the boosters, ≥ 1.
    seed
        Of the boosters.
    hyperparameters
        Of the boosters.

    Examples
    --------
    >>> settings = TrainingSettings.parse("fit_cap = 3\n[hyperparameters]\nnum_leaves = 7\n")
    >>> settings.fit_cap, settings.hyperparameters.num_leaves, settings.folds
    (3.0, 7, 5)
    >>> TrainingSettings.parse(settings.to_toml()) == settings
    True
    """

    stop_share: float = 0.15
    judge_share: float = 0.15
    gap_days: int = 0
    hub_cap: int = 20
    folds: int = 5
    first_share: float = 0.4
    fit_cap: float = 1.0
    seed: int = 0
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)

    @classmethod
    def parse(cls, text: str) -> TrainingSettings:
        """Read settings from TOML; what is left out keeps its default.

        Raises
        ------
        SettingsError
            Naming every key that is unknown or of a wrong type.
        """
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"settings: expected TOML, found {error}") from error
        table = found.pop("hyperparameters", {})
        problems: list[str] = []
        own = _values(cls, found, "settings", problems)
        growth = _values(Hyperparameters, table if isinstance(table, dict) else {"hyperparameters": table}, "hyperparameters", problems)
        if problems:
            raise SettingsError("; ".join(problems))
        return cls(**own, hyperparameters=Hyperparameters(**growth))

    def to_toml(self) -> str:
        """Write all settings as TOML; :meth:`parse` reads them back."""
        own = {name: value for name, value in asdict(self).items() if name != "hyperparameters"}
        return "\n".join([*_lines(own), "", "[hyperparameters]", *_lines(asdict(self.hyperparameters)), ""])


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
}
"""By the type of a field: what TOML may hold, and how an error calls it."""


def _lines(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for name, value in values.items()]


def _values(kind: type, found: dict[str, Any], where: str, problems: list[str]) -> dict[str, Any]:
    """Return the values of a table in the types of the fields, noting what does not fit."""
    types = {f.name: str(f.type) for f in fields(kind) if f.name != "hyperparameters"}
    values: dict[str, Any] = {}
    for name, value in found.items():
        if name not in types:
            problems.append(f"{where}.{name}: unknown key; expected {', '.join(types)}")
        elif isinstance(value, bool) != (types[name] == "bool") or not isinstance(value, _KINDS[types[name]][0]):
            problems.append(f"{where}.{name}: expected {_KINDS[types[name]][1]}, found {value!r}")
        else:
            values[name] = float(value) if types[name] == "float" and isinstance(value, int | float) else value
    return values
