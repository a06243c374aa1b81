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
        able = [rule for rule in rules.rules if set(columns_of(rule.when)) <= set(columns)]
        place = {name: k for k, name in enumerate(columns)}
        self._rules = rules
        self._able = {rule.id: k for k, rule in enumerate(able)}
        self._asked = Asked([rule.when for rule in able])
        self._places = np.array([place[name] for name in self._asked.columns], dtype=np.intp)
        self._effect = {rule.id: EFFECTS.index(rule.effect) for rule in rules.rules}
        self._recorded = lru_cache(maxsize=1024)(lambda verdicts: recorded_one(rules, dict(verdicts)))

    def verdicts(self, vector: np.ndarray, claim: Mapping[str, Any], at: datetime) -> dict[str, str]:
        """Return the verdict of every rule in force on a claim, by rule."""
        answers = self._asked(vector[self._places].tolist())
        found = {}
        for rule in self._rules.in_force(at):
            verdict = VERDICTS[answers[self._able[rule.id]] if rule.id in self._able else UNDECIDED]
            found[rule.id] = SNOOZED if verdict == HIT and _silent(rule, claim, at) else verdict
        return found

    def strictest(self, verdicts: Mapping[str, str]) -> int:
        """Return the place in ``EFFECTS`` of the strictest effect, -1 for none."""
        return max((self._effect[name] for name, verdict in verdicts.items() if verdict in (HIT, ERROR)), default=-1)

    def recorded(self, verdicts: Mapping[str, str]) -> str:
        """Return the verdicts as the decision keeps them."""
        return self._recorded(tuple(verdicts.items()))


def _silent(rule: Rule, claim: Mapping[str, Any], at: datetime) -> bool:
    return any(at < snooze.until and claim.get(snooze.column) == snooze.entity for snooze in rule.snoozes)
