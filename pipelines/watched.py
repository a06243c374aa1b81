"""What the monitor finds: windows compared, performance estimated, the audit asked; frames in, findings out, nothing read or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from features.facts import Tables
from models.bundle import Bundle
from models.classifier import ABUSIVE, UNSUBSTANTIATED
from models.drift import DriftSettings, drift
from models.labels import as_known
from models.policy import Policy, label_confusions
from models.quiet import Layout, LayoutSettings, Span
from models.unlabelled import AuditCheck, check_by_audit, estimated, performance
from serving.standing import Standing

SCORES = {"p_abusive": ABUSIVE, "p_unsubstantiated": UNSUBSTANTIATED}
"""The champion's own probabilities, watched like features."""


@dataclass(frozen=True)
class MonitorSettings:
    """How the monitor looks.

    Parameters
    ----------
    windows
        Lengths of the windows.
    drift
        What counts as drift.
    audit_days, maturity_days
        The audit is asked about the claims decided in ``audit_days`` up to ``maturity_days`` ago, when experts should have answered.
    seed
        Of the bootstrap.
    """

    windows: LayoutSettings = field(default_factory=LayoutSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    audit_days: int = 91
    maturity_days: int = 14
    seed: int = 0


@dataclass(frozen=True)
class Findings:
    """What the monitor found.

    Parameters
    ----------
    layout
        The windows compared.
    reference, current
        Feature rows and scores of the two windows, for pictures.
    table
        As :func:`models.drift.drift` returns it, with ``gain``: the feature's share of the champion's gain.
    estimates
        One row per span of the current window's length since the training, the latest last: ``start``, ``end``, ``claims`` and
        the measures.
    audit
        The check by the audit; ``None`` while too few claims are examined.
    alarms
        What is wrong, a sentence each; empty if all is quiet.
    """

    layout: Layout
    reference: pd.DataFrame
    current: pd.DataFrame
    table: pd.DataFrame
    estimates: pd.DataFrame
    audit: AuditCheck | None
    alarms: tuple[str, ...]


def trained_until(bundle: Bundle) -> pd.Timestamp:
    """Return the instant up to which a bundle knew labels."""
    return pd.Timestamp(bundle.trained["as_of"])


def claims_of(spans: Layout, claims: pd.DataFrame, decisions: pd.DataFrame) -> pd.DataFrame:
    """Return the claims of all windows: those filed in a window before the training's end, and those decided in the current one."""
    filed = claims["filed_at"]
    wanted = spans.reference.holds(filed) | claims["claim_id"].isin(_decided(spans.current, decisions)["claim_id"]).to_numpy()
    for pair in spans.quiet:
        wanted = wanted | pair[0].holds(filed) | pair[1].holds(filed)
    found: pd.DataFrame = claims[wanted].reset_index(drop=True)
    return found


def examine(
    bundle: Bundle,
    policy: Policy,
    tables: Tables,
    matrix: pd.DataFrame,
    decisions: pd.DataFrame,
    as_of: datetime,
    spans: Layout,
    settings: MonitorSettings | None = None,
    num_threads: int = 1,
) -> Findings:
    """Compare the windows, estimate the performance and ask the audit; nothing is read or written.

    Parameters
    ----------
    bundle
        The champion.
    policy
        Prices, and how experts err.
    tables
        Claims, seller events and resolutions.
    matrix
        Feature rows of at least :func:`claims_of`, index ``claim_id``.
    decisions
        Everything decided.
    as_of, spans, settings, num_threads
        As in :func:`pipelines.monitor.monitor`; ``spans`` by :func:`models.quiet.layout`.

    Raises
    ------
    ValueError
        If the current window holds too few decided claims.
    """
    settings = settings or MonitorSettings()
    now = _decided(spans.current, decisions)
    if len(now) < settings.windows.fewest_claims:
        raise ValueError(
            f"monitor: expected at least {settings.windows.fewest_claims} claims decided from {spans.current.start:%Y-%m-%d} to "
            f"{spans.current.end:%Y-%m-%d}, found {len(now)}; run touchstone score first or choose another --as-of"
        )
    watched = _with_scores(bundle, matrix, num_threads)
    filed = tables["claims"].set_index("claim_id")["filed_at"]

    def rows(span: Span) -> pd.DataFrame:
        return watched.loc[filed.index[span.holds(filed)]]

    reference, current = rows(spans.reference), watched.loc[now["claim_id"]]
    table = drift(reference, current, [(rows(before), rows(after)) for before, after in spans.quiet], settings.drift)
    table["gain"] = table["feature"].map(_gains(bundle)).fillna(0.0)
    estimates = _estimates(policy, tables, decisions, trained_until(bundle), spans.current)
    audit = _audit(policy, tables, decisions, pd.Timestamp(as_of), settings)
    return Findings(spans, reference, current, table, estimates, audit, (*_drifted(table), *_contradictions(audit)))


def _decided(span: Span, decisions: pd.DataFrame) -> pd.DataFrame:
    found: pd.DataFrame = decisions[span.holds(decisions["decided_at"])]
    return found


def _with_scores(bundle: Bundle, matrix: pd.DataFrame, num_threads: int) -> pd.DataFrame:
    proba = bundle.predict_proba(matrix, num_threads)
    numeric = [name for name in matrix.columns if not isinstance(matrix[name].dtype, pd.CategoricalDtype)]
    scores = pd.DataFrame({name: proba[:, place] for name, place in SCORES.items()}, index=matrix.index)
    return pd.concat([matrix[numeric], scores], axis=1)


def _gains(bundle: Bundle) -> dict[str, float]:
    gains = bundle.classifier.importance().set_index("feature")["abusive"]
    return dict(gains / max(float(gains.sum()), 1e-12))


def _priced(tables: Tables, decisions: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return decisions with their claims' customer, then amounts and whether the sellers were insured."""
    columns = ["claim_id", "customer_id", "seller_id", "filed_at", "amount_cents"]
    rows = decisions.merge(tables["claims"][columns], on="claim_id", validate="one_to_one")
    insured = Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])
    return rows, rows["amount_cents"].to_numpy(), insured


def _estimates(policy: Policy, tables: Tables, decisions: pd.DataFrame, since: pd.Timestamp, current: Span) -> pd.DataFrame:
    length = (current.end - current.start) / pd.Timedelta(days=1)
    spans = [current]
    while spans[-1].start > since:
        spans.append(spans[-1].moved(-length))
    found = []
    for whole in reversed(spans):
        span = Span(max(whole.start, since), whole.end)
        rows, amount, insured = _priced(tables, _decided(span, decisions))
        if len(rows):
            measures = performance(estimated(policy, rows, amount, insured))
            found.append({"start": span.start, "end": span.end, "claims": len(rows), **measures})
    return pd.DataFrame(found)


def _audit(policy: Policy, tables: Tables, decisions: pd.DataFrame, as_of: pd.Timestamp, settings: MonitorSettings) -> AuditCheck | None:
    end = as_of - pd.Timedelta(days=settings.maturity_days)
    mature = Span(end - pd.Timedelta(days=settings.audit_days), end)
    rows, amount, insured = _priced(tables, _decided(mature, decisions))
    known = as_known(tables["resolutions"], rows, as_of)
    labels = known[known["weight"] > 0].set_index("claim_id")["label"]
    rng, customers = np.random.default_rng(settings.seed), rows["customer_id"].to_numpy()
    return check_by_audit(policy, rows, labels, label_confusions(policy), amount, insured, customers, rng)


def _drifted(table: pd.DataFrame) -> list[str]:
    return [
        f"{row.feature}: {row.level} drift, index {row.psi:.2f} where {row.ordinary:.2f} is ordinary"
        + (f"; {row.missing_now:.0%} missing, {row.missing_before:.0%} before" if row.missing_now - row.missing_before > 0.1 else "")
        for row in table[table["level"] != "quiet"].itertuples()
    ]


def _contradictions(audit: AuditCheck | None) -> list[str]:
    if audit is None:
        return []
    return [
        f"{name.replace('_', ' ')}: estimated {audit.estimate[name]:.3g}, but examined claims show {audit.found[name].estimate:.3g} "
        f"(by chance once in {1 / audit.chance[name]:,.0f} times)"
        for name in audit.contradicted
    ]
