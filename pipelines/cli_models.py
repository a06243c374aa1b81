"""Commands about models: train, promote, monitor."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from pipelines.home import Home
from pipelines.terminal import AsOf, HomeOption, PolicyFile, SettingsFile, console, errors, read_policy, show


def train(
    as_of: AsOf,
    settings: SettingsFile = None,
    challenger: Annotated[list[str] | None, typer.Option(help="Also show: 'hist gradient boosting', 'xgboost'.")] = None,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Train on the labels known at an instant; the first bundle becomes champion, later ones challenger.

    Example: touchstone train --as-of 2025-04-01 --challenger xgboost
    """
    from pipelines.train import settings_of
    from pipelines.train import train as run

    where = Home.at(home)
    with errors.status("training"):
        found = run(where, as_of, read_policy(policy), settings_of(where, settings), challengers=challenger or ())
    table = Table(title="Model and baselines on the latest labelled claims (weighted by 1/propensity)", title_justify="left")
    compared = found.table.set_index("model").T
    table.add_column("metric")
    for model in compared.columns:
        table.add_column(str(model), justify="right")
    for metric, values in compared.iterrows():
        table.add_row(str(metric).replace("_", " "), *(f"{value:.3f}" for value in values))
    console.print(table)
    labelled = ", ".join(f"{count:,} {label}" for label, count in found.labelled.items())
    show("Trained", {"labels known": labelled, "bundle": found.bundle[:12], "alias": found.alias, "mlflow": where.mlflow_url})


def promote(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Compare the challenger with the champion on later claims; promote it only if it saves money beyond chance.

    Exit code 0: promoted; 1: the champion stays.

    Example: touchstone promote --as-of 2025-09-01
    """
    from pipelines.promote import promote as run

    verdict = run(Home.at(home), as_of, read_policy(policy))
    console.print(verdict.why, soft_wrap=True)
    raise typer.Exit(0 if verdict.promote else 1)


def monitor(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Compare the claims decided lately with those of the champion's training, and write a page about what moved.

    Exit code 0: quiet; 1: alarm.

    Example: touchstone monitor --as-of 2025-06-01
    """
    from pipelines.monitor import monitor as run

    with errors.status("comparing windows"):
        found = run(Home.at(home), as_of, read_policy(policy))
    findings = found.findings
    last = findings.estimates.iloc[-1]
    facts = {
        "claims compared": f"{len(findings.current):,} with {len(findings.reference):,}",
        "features and scores drifted": f"{int((findings.table['level'] != 'quiet').sum())} of {len(findings.table)}",
        "estimated AUC, abusive against the rest": f"{last['auc']:.3f}",
        "estimated share of abusive claims": f"{last['share_abusive']:.1%}",
        "verdict": "ALARM" if findings.alarms else "quiet",
    }
    show("Monitored", facts)
    for alarm in findings.alarms:
        console.print(alarm, soft_wrap=True, markup=False)
    console.print(f"Page: {found.page}", soft_wrap=True, markup=False)
    raise typer.Exit(1 if findings.alarms else 0)
