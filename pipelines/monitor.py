"""The monitor as a verb: lake and store in; a page, a manifest and the question whether all is quiet out.

Has the world moved since the champion was trained, and how well does it decide before labels are there? The windows are laid
out, every feature and the score are compared with their own past, performance is estimated from the probabilities and held
against the audit's answers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from features.catalog import CATALOG
from features.facts import Tables
from models.bundle import Bundle
from models.policy import Policy
from models.quiet import layout
from models.shelf import Shelf
from pipelines.build import matrix_of
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.monitor_page import write
from pipelines.received import export_received
from pipelines.watched import Findings, MonitorSettings, claims_of, examine, trained_until
from serving.store import Store


@dataclass(frozen=True)
class Monitored:
    """The findings, and the page that shows them."""

    findings: Findings
    page: Path


def monitor(
    home: Home,
    as_of: datetime,
    policy: Policy,
    tables: Tables | None = None,
    settings: MonitorSettings | None = None,
    num_threads: int = 1,
) -> Monitored:
    """Watch the claims decided lately and write ``reports/monitor-<as_of>.html`` and ``runs/monitor-<as_of>.json``.

    Parameters
    ----------
    home
        Lake, champion, store.
    as_of
        Decisions taken and labels known strictly before it count.
    policy
        Prices, and how experts err.
    tables
        The lake's tables, if they are at hand already.
    settings
        How to look.
    num_threads
        Threads for the boosters.

    Raises
    ------
    FileNotFoundError, ValueError
        If nothing was decided in the current window, or the history is too short to know what is ordinary.
    models.bundle.BundleError
        If there is no champion, or it does not fit this code.
    """
    if not home.has_store():
        raise FileNotFoundError(f"{home.store}: expected a store of decided claims, found none; run touchstone score first")
    settings = settings or MonitorSettings()
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    with Store(home.store_url) as store:
        export_received(home, store)
        decisions = store.read("decisions")
    tables = Lake.of(home).tables() if tables is None else tables
    spans = layout(tables["claims"]["filed_at"], trained_until(bundle), as_of, settings.windows)
    watched = claims_of(spans, tables["claims"], decisions)
    matrix = matrix_of(home, tables, watched)
    findings = examine(bundle, policy, tables, matrix, decisions, as_of, spans, settings, num_threads)
    page = write(home, as_of, policy, bundle, findings, settings.drift)
    Lake(home.root).manifest(f"monitor-{as_of:%Y-%m-%d}", _written(bundle, policy, findings, settings, page))
    return Monitored(findings, page)


def _written(bundle: Bundle, policy: Policy, findings: Findings, settings: MonitorSettings, page: Path) -> dict[str, Any]:
    audit = findings.audit
    return {
        "quiet": not findings.alarms,
        "alarms": list(findings.alarms),
        "bundle": bundle.hash,
        "policy": policy.identifier,
        "settings": asdict(settings),
        "windows": asdict(findings.layout),
        "claims": {"reference": len(findings.reference), "current": len(findings.current)},
        "drift": findings.table.to_dict(orient="records"),
        "estimates": findings.estimates.to_dict(orient="records"),
        "audit": None if audit is None else asdict(audit) | {"inside": {name: audit.inside(name) for name in audit.found}},
        "page": page.name,
    }
