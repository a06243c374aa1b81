"""Rules about one claim at a time: expressions prepared once, the verdicts those of :func:`models.rules.evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np

from models.rule_effects import EFFECTS
from models.rule_expressions import Asked, columns_of
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
        able = [rule for rule in rules.rules if place.keys() >= set(columns_of(rule.when))]
        asked = [(rule.id, Asked([rule.when])) for rule in able]
        self._rules = rules
        # Rule by rule, not all at once: most rules read few values that repeat, and need not be asked again for another rule's sake.
        self._asked = {name: (one, np.array([place[column] for column in one.columns], dtype=np.intp)) for name, one in asked}
        self._effect = {rule.id: EFFECTS.index(rule.effect) for rule in rules.rules}
        self._recorded = lru_cache(maxsize=1024)(lambda verdicts: recorded_one(rules, dict(verdicts)))

    def verdicts(self, vector: np.ndarray, claim: Mapping[str, Any], at: datetime) -> dict[str, str]:
        """Return the verdict of every rule in force on a claim, by rule."""
        return {rule.id: self._verdict(rule, vector, claim, at) for rule in self._rules.in_force(at)}

    def _verdict(self, rule: Rule, vector: np.ndarray, claim: Mapping[str, Any], at: datetime) -> str:
        if rule.id not in self._asked:
            return ERROR
        asked, places = self._asked[rule.id]
        verdict = VERDICTS[asked(vector[places].tolist())[0]]
        return SNOOZED if verdict == HIT and _silent(rule, claim, at) else verdict

    def strictest(self, verdicts: Mapping[str, str]) -> int:
        """Return the place in ``EFFECTS`` of the strictest effect, -1 for none."""
        return max((self._effect[name] for name, verdict in verdicts.items() if verdict in (HIT, ERROR)), default=-1)

    def recorded(self, verdicts: Mapping[str, str]) -> str:
        """Return the verdicts as the decision keeps them."""
        return self._recorded(tuple(verdicts.items()))


def _silent(rule: Rule, claim: Mapping[str, Any], at: datetime) -> bool:
    return any(at < snooze.until and claim.get(snooze.column) == snooze.entity for snooze in rule.snoozes)
