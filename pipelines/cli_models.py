"""Commands about models: train, promote, monitor."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from pipelines.home import Home
from pipelines.terminal import AsOf, HomeOption, PolicyFile, SettingsFile, console, errors, instant, read_policy, show


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


def promote(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of", parser=instant, metavar="<instant>", help="UTC; labels known before it count. Required, but for --rollback."
        ),
    ] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="Make the previous champion champion again; compare nothing.")] = False,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Compare the challenger with the champion on later claims; promote it only if it saves money beyond chance and every gate lets it.

    A promotion leaves a model card in reports/. --rollback undoes the latest promotion; done twice, it finds nothing and changes nothing.

    Exit code 0: promoted, or rolled back; 1: the champion stays.

    Example: touchstone promote --as-of 2025-09-01
    """
    where = Home.at(home)
    if rollback:
        _roll_back(where)
        return
    if as_of is None:
        raise typer.BadParameter("expected --as-of <instant>, or --rollback", param_hint="--as-of")
    from models.shelf import Shelf
    from pipelines.model_card import path_of
    from pipelines.promote import promote as run

    with errors.status("comparing champion and challenger"):
        verdict = run(where, as_of, read_policy(policy))
    table = Table(title="Gates", title_justify="left")
    table.add_column("gate", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("found", overflow="fold")
    for gate in verdict.gates:
        table.add_row(gate.name, "passed" if gate.passed else "REFUSED", Text(gate.why))
    console.print(table)
    if verdict.promote:
        console.print(f"Model card: {path_of(where, Shelf(where.bundles).aliases()['champion'])}", soft_wrap=True, markup=False)
    console.print(verdict.why, soft_wrap=True, markup=False)
    raise typer.Exit(0 if verdict.promote else 1)


def _roll_back(home: Home) -> None:
    from pipelines.promote import rollback as run

    withdrawn, restored = run(home)
    console.print(f"Champion is {restored[:12]} again; {withdrawn[:12]} is withdrawn and stays on the shelf.", soft_wrap=True)


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
