"""What a batch of new events adds to every source, given what was known before it.

Plain selections need the batch alone. A *standing* is a change against what stood before, so the resolutions of a claim and
the latest switches of a seller are kept as logs of their own; new ones are laid behind the old, the definition of
:mod:`features.sources` is run over both, and what the old ones changed is left out. A resolution of a claim that has not
arrived yet waits in its log and counts from the claim's arrival.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.facts import FeatureError
from features.history import NEVER, Ints
from features.online_rows import HashedFacts, Rows, keys_of, log_on
from features.pages import END, RAW, Key, Pages, append, rows
from features.sources import Events, select
from features.spec import ENTITIES

CLAIMS, RESOLUTIONS, INSURANCE, CONDUCT = (log_on(shelf, 0x8000 + i) for i, shelf in enumerate((0x1000, 0x1000, 0x1001, 0x1001)))
"""Logs by claim (its identifiers), by claim (its resolutions) and by seller (switches of either kind)."""

STANDINGS = ("standing", "findings", "denials")

_LABELS = (None, "valid", "unsubstantiated", "abusive")
_OUTCOMES = ("paid", "denied_unsubstantiated", "denied_abusive")
_SWITCHES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (INSURANCE, ("insurance_proven", "insurance_lapsed", "insurance_forged")),
    (CONDUCT, ("policy_violation", "policy_cleared")),
)


@dataclass(frozen=True, eq=False)
class Batch:
    """New events, all known after ``watermark``.

    Parameters
    ----------
    facts
        The tables that brought them, with identifiers as hash codes.
    watermark
        The latest instant that was known of before.
    world
        By table of which the sources are changes, the rows of the claims and sellers concerned, old and new.
    """

    facts: HashedFacts | Rows
    watermark: int
    world: Rows

    def select(self, source: str, numbers: Collection[str] = ()) -> Events | None:
        """Read what the batch adds to a source, in time order; ``None`` where it brings nothing of the kind."""
        derived = source in STANDINGS or source == "seller_standing"
        events = select(self.world if derived else self.facts, source, numbers)  # type: ignore[arg-type]
        if events is None or not derived:
            return events
        return events.only(np.flatnonzero(events.times > self.watermark))


def receive(facts: HashedFacts | Rows, pages: Pages, watermark: int) -> Batch:
    """Keep what later batches will need of this one, and lay it behind what was kept before.

    Parameters
    ----------
    facts
        Tables of new events.
    pages
        Where logs are kept.
    watermark
        The latest instant known of before; ``NEVER`` at the very beginning.
    """
    fresh = watermark == NEVER
    tables: dict[str, dict[str, Any]] = {}
    if facts.has("claims.claim_id"):
        _keep_claims(facts, pages, fresh)
    if facts.has("resolutions.claim_id") or facts.has("claims.claim_id"):
        tables |= _resolutions(facts, pages, fresh)
    if facts.has("seller_events.seller_id"):
        tables["seller_events"] = _switches(facts, pages, fresh)
    return Batch(facts, watermark, Rows(tables))


def keep(pages: Pages, log: int, codes: Ints, times: Ints, values: Ints, fresh: bool) -> Ints:
    """Add rows as they are to the logs of single identifiers, and return the identifiers, each once.

    Parameters
    ----------
    codes, times, values
        (n,) whose log, (n,) when known, (n, columns); in the order in which rows of one log shall stand.
    """
    order = np.argsort(codes, kind="stable")
    mine, starts = np.unique(codes[order], return_index=True)
    bounds = np.append(starts, len(codes))
    kinds = np.full(values.shape[1], RAW)
    append(pages, keys_of(log, mine[:, None]), bounds, times[order], values[order], kinds, fresh)
    return mine


def kept(pages: Pages, log: int, codes: Ints, width: int) -> tuple[Ints, Ints]:
    """Return all rows of the logs of single identifiers: (rows,) place of the identifier, and (rows, 1 + columns)."""
    keys = keys_of(log, codes[:, None])
    owners: list[int] = []
    found: list[Ints] = []
    for owner, page in enumerate(pages.latest(keys, [END] * len(keys))):
        if page is None:
            continue
        last = rows(page, width)
        earlier = pages.between(keys[owner], -END, int(last[1, 0])) if last[0, 0] else []
        found += [part[1:] for part in (*(rows(p, width) for p in earlier), last)]
        owners += [owner] * (sum(len(p) // (8 * width) - 1 for p in earlier) + len(last) - 1)
    return np.array(owners, dtype=np.int64), np.concatenate(found) if found else np.empty((0, width), dtype=np.int64)


def earlier_pages(key: Key, held: Ints, width: int, pages: Pages) -> Ints:
    """Lay the page before some rows of a log (with what stood before them) ahead of them."""
    (page,) = pages.latest([key], [int(held[1, 0])])
    if page is None:
        raise FeatureError(
            f"history: expected a page before {int(held[1, 0])} in log {key[1]} of {key[0]!r}, found none; fill the store anew"
        )
    return np.concatenate([rows(page, width), held[1:]])


def _keep_claims(facts: HashedFacts | Rows, pages: Pages, fresh: bool) -> None:
    """Keep the identifiers of claims: resolutions will need them."""
    claim, times = facts.codes("claims", "claim_id"), facts.known("claims")
    held = facts.keys("claims")
    nobody = np.full(len(claim), -1, dtype=np.int64)
    values = np.stack([facts.codes("claims", name) if name in held else nobody for name in ENTITIES], axis=1)
    keep(pages, CLAIMS, claim, times, values, fresh)


def _resolutions(facts: HashedFacts | Rows, pages: Pages, fresh: bool) -> dict[str, dict[str, Any]]:
    """Return claims and resolutions of all claims that either concerns, in contract columns, identifiers as codes."""
    concerned = [facts.codes("claims", "claim_id")] if facts.has("claims.claim_id") else []
    if facts.has("resolutions.claim_id", "resolutions.known_at"):
        claim, at = facts.codes("resolutions", "claim_id"), facts.known("resolutions")
        order = np.lexsort((facts.ranks("resolutions", "resolution_id"), at))
        order = order[(claim[order] >= 0) & (at[order] != NEVER)]
        values = np.stack(
            [_chosen(facts, "label", _LABELS), _chosen(facts, "outcome", _OUTCOMES), facts.integers("resolutions", "paid_cents")], 1
        )
        concerned.append(keep(pages, RESOLUTIONS, claim[order], at[order], values[order], fresh))
    claims = np.unique(np.concatenate(concerned))
    owner, known_of = kept(pages, CLAIMS, claims, 1 + len(ENTITIES))
    of, resolved = kept(pages, RESOLUTIONS, claims, 4)
    if not len(of):
        return {}
    known = {"claim_id": claims[owner], "filed_at": known_of[:, 0], **{n: known_of[:, 1 + i] for i, n in enumerate(ENTITIES)}}
    found = {
        "resolution_id": _in_order(len(of)),
        "claim_id": claims[of],
        "known_at": resolved[:, 0],
        "label": [_LABELS[i] for i in resolved[:, 1].tolist()],
        "outcome": [_OUTCOMES[i] for i in resolved[:, 2].tolist()],
        "paid_cents": resolved[:, 3],
    }
    return {"claims": known, "resolutions": found}


def _chosen(facts: HashedFacts | Rows, column: str, choices: Sequence[str | None]) -> Ints:
    """Turn the words of a column of the resolutions into numbers; the first choice stands for any other."""
    found = np.zeros(len(facts.codes("resolutions", "claim_id")), dtype=np.int64)
    for number, word in enumerate(choices):
        if word is not None:
            found[facts.equals("resolutions", column, word)] = number
    return found


def _in_order(n: int) -> list[str]:
    """Name rows so that their names stand in the order of the rows."""
    return [f"{row:012d}" for row in range(n)]


def _switches(facts: HashedFacts | Rows, pages: Pages, fresh: bool) -> dict[str, Any]:
    """Return the new switches of sellers, each seller's latest old one before them, in contract columns."""
    seller, known = facts.codes("seller_events", "seller_id"), facts.known("seller_events")
    order = np.lexsort((facts.ranks("seller_events", "event_id"), known))
    order = order[(seller[order] >= 0) & (known[order] != NEVER)]
    whose, when, kinds = [], [], []
    for log, words in _SWITCHES:
        number = np.full(len(seller), -1, dtype=np.int64)
        for i, word in enumerate(words):
            number[facts.equals("seller_events", "kind", word)] = i
        mine = order[number[order] >= 0]
        sellers = np.unique(seller[mine])
        held = pages.latest(keys_of(log, sellers[:, None]), [END] * len(sellers)) if len(sellers) and not fresh else []
        before = [(i, rows(page, 2)[-1]) for i, page in enumerate(held) if page is not None]
        whose += [sellers[[i for i, _ in before]], seller[mine]]
        when += [np.array([row[0] for _, row in before], dtype=np.int64), known[mine]]
        kinds += [words[row[1]] for _, row in before] + [words[i] for i in number[mine].tolist()]
        if len(mine):
            keep(pages, log, seller[mine], known[mine], number[mine][:, None], fresh)
    return {"event_id": _in_order(len(kinds)), "seller_id": np.concatenate(whose), "known_at": np.concatenate(when), "kind": kinds}
