"""Rules about one claim at a time: expressions prepared once, the verdicts those of :func:`models.rules.evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from models.rule_effects import EFFECTS
from models.rule_expressions import UNDECIDED, Asked, columns_of
from models.rules import ERROR, HIT, SNOOZED, VERDICTS, Rule, Rules, recorded_one


class Judge:
    """Rules over the numbers of a feature vector; safe to call from several threads.

    Parameters
    ----------
    rules
        The rules.
    columns
        Names of the vector's numbers. A rule over a feature that is not there has an error on every claim.

    Examples
    --------
    >>> from datetime import UTC
    >>> start, at = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
    >>> judge = Judge(Rules("1", (Rule("many", "desk", start, "", "n > 2", "desk"),)), ["age", "n"])
    >>> judge.verdicts(np.array([30.0, 4.0]), {}, at)
    {'many': 'hit'}
    """

    def __init__(self, rules: Rules, columns: Sequence[str]) -> None:
        place = {name: k for k, name in enumerate(columns)}
        self._rules = rules
        self._asked = [(rule, *_prepared(rule, place)) for rule in rules.rules]
        self._effect = {rule.id: EFFECTS.index(rule.effect) for rule in rules.rules}
        self._recorded = lru_cache(maxsize=1024)(lambda verdicts: recorded_one(rules, dict(verdicts)))

    def verdicts(self, vector: np.ndarray, claim: Mapping[str, Any], at: datetime) -> dict[str, str]:
        """Return the verdict of every rule in force on a claim, by rule."""
        found = {}
        for rule, asked, places in self._asked:
            if rule.since <= at:
                answer = UNDECIDED if asked is None else asked(vector[places].tolist())
                found[rule.id] = SNOOZED if VERDICTS[answer] == HIT and _silent(rule, claim, at) else VERDICTS[answer]
        return found

    def strictest(self, verdicts: Mapping[str, str]) -> int:
        """Return the place in ``EFFECTS`` of the strictest effect, -1 for none."""
        return max((self._effect[name] for name, verdict in verdicts.items() if verdict in (HIT, ERROR)), default=-1)

    def recorded(self, verdicts: Mapping[str, str]) -> str:
        """Return the verdicts as the decision keeps them."""
        return self._recorded(tuple(verdicts.items()))


def _prepared(rule: Rule, place: Mapping[str, int]) -> tuple[Asked | None, np.ndarray]:
    used = columns_of(rule.when)
    able = all(name in place for name in used)
    return Asked(rule.when) if able else None, np.array([place[name] for name in used] if able else [], dtype=np.intp)


def _silent(rule: Rule, claim: Mapping[str, Any], at: datetime) -> bool:
    return any(at < snooze.until and claim.get(snooze.column) == snooze.entity for snooze in rule.snoozes)
