"""The model card of a bundle that became champion: what it is for, what it learned from, how it did, and what it must not be used for.

One content, two files: a self-contained HTML page with pictures and the same text as Markdown, for a repository or a ticket. After
Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from models.bundle import Bundle
from models.gates import dollars
from models.policy import Policy
from models.promotion import Verdict
from pipelines import model_card_sections as sections
from pipelines.contest import Contest
from pipelines.harm_section import bounds
from pipelines.home import Home
from pipelines.page import Section, write_page
from pipelines.replacing import replacing


def path_of(home: Home, bundle_hash: str) -> Path:
    """Return where the card of a bundle is, or would be: ``reports/model-card-<hash>.html``; its Markdown lies beside it."""
    return home.reports / f"model-card-{bundle_hash[:12]}.html"


def write(home: Home, as_of: datetime, policy: Policy, found: Contest, verdict: Verdict, seed: int = 0) -> Path:
    """Write the card of the challenger as HTML and Markdown, and return the path of the page.

    Parameters
    ----------
    home
        The card goes to ``reports/``.
    as_of
        The instant of the comparison.
    policy
        Prices and bound under which it was compared.
    found, verdict
        The comparison and its outcome.
    seed
        Of the intervals.
    """
    bundle = found.challenger
    content = {
        "title": f"Model card {bundle.hash[:12]}",
        "as_of": f"{as_of:%Y-%m-%d}",
        "subtitle": f"Trained on labels known before {datetime.fromisoformat(bundle.trained['as_of']):%d %B %Y}; "
        f"compared with champion {found.champion.hash[:12]} "
        f"on {verdict.claims:,} labelled of {len(found.claims):,} claims filed later, as known on {as_of:%d %B %Y}.",
        "cards": _cards(verdict),
        "sections": [
            sections.purpose(),
            sections.verdict(verdict),
            sections.results(found, policy, seed),
            sections.money(verdict),
            sections.slices(verdict),
            sections.baselines(bundle.trained),
            sections.guarantee(bundle, policy),
            _harm(found, policy),
            *_own(bundle, policy, found.champion.hash),
        ],
    }
    return _written(home, bundle, policy, content)


def write_first(home: Home, bundle: Bundle, policy: Policy) -> Path:
    """Write the card of the first champion, which nobody was there to be compared with, and return the path of the page.

    Parameters
    ----------
    home
        The card goes to ``reports/``.
    bundle
        The champion.
    policy
        Prices and bounds under which it was trained.
    """
    at = f"{datetime.fromisoformat(bundle.trained['as_of']):%d %B %Y}"
    content = {
        "title": f"Model card {bundle.hash[:12]}",
        "as_of": str(bundle.trained["as_of"])[:10],
        "subtitle": f"Trained on labels known before {at}. The first champion: there was no other model to win against, so no gate has "
        "judged it; the comparison below is that of its training.",
        "cards": [],
        "sections": [
            sections.purpose(),
            sections.baselines(bundle.trained),
            sections.guarantee(bundle, policy),
            *_own(bundle, policy, "none"),
        ],
    }
    return _written(home, bundle, policy, content)


def _own(bundle: Bundle, policy: Policy, before: str) -> list[Section]:
    """Return what a bundle says of itself."""
    own = sections.data(bundle.trained), sections.time(bundle.trained), sections.settings(bundle), sections.limits()
    return [*own, sections.versions(bundle, policy, before)]


def _written(home: Home, bundle: Bundle, policy: Policy, content: dict[str, Any]) -> Path:
    content["footer"] = f"Bundle {bundle.hash}, policy {policy.identifier}. Money in US dollars, times in UTC."
    page = write_page(path_of(home, bundle.hash), content)
    with replacing(page.with_suffix(".md")) as draft:
        draft.write_text(markdown(content), encoding="utf-8")
    return page


def _harm(found: Contest, policy: Policy) -> Section:
    later = found.later
    return bounds(policy, found.opinions[1].action, later.amount_cents, later.labels, later.stands_for)


def markdown(content: dict[str, Any]) -> str:
    r"""Return the text of a page (see :func:`pipelines.page.write_page`) as Markdown: cards, notes and tables, no pictures.

    >>> from pipelines.page import Section
    >>> section = Section("Data", "Counted.", columns=("class", "claims"), rows=[("a|b", "3")])
    >>> card = {"title": "Card", "subtitle": "Of a model.", "cards": [], "sections": [section], "footer": "End."}
    >>> print(markdown(card))
    # Card
    <BLANKLINE>
    Of a model.
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    Counted.
    <BLANKLINE>
    | class | claims |
    |---|---:|
    | a\|b | 3 |
    <BLANKLINE>
    End.
    <BLANKLINE>
    """
    parts = [f"# {content['title']}", content["subtitle"]]
    if content["cards"]:
        parts.append("\n".join(f"- {card['name']}: **{card['value']}**" for card in content["cards"]))
    for section in content["sections"]:
        parts += [f"## {section.title}", section.note]
        if section.rows:
            ruler = "|" + "---|" * section.text_columns + "---:|" * (len(section.columns) - section.text_columns)
            parts.append("\n".join([_row(section.columns), ruler, *(_row(row) for row in section.rows)]))
    return "\n\n".join([*parts, content["footer"]]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _cards(verdict: Verdict) -> list[dict[str, str]]:
    passed = sum(gate.passed for gate in verdict.gates)
    return [
        {"name": "verdict", "value": "promoted" if verdict.promote else "not promoted"},
        {"name": "gates passed", "value": f"{passed} of {len(verdict.gates)}"},
        {"name": "saved a claim, against the champion", "value": dollars(verdict.saving_cents.estimate)},
        {"name": "AUC, abusive against the rest", "value": f"{verdict.challenger['auc_abusive']:.3f}"},
        {"name": "calibration error, classwise", "value": f"{verdict.challenger['ece']:.3f}"},
    ]
