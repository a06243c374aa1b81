"""Investigation files: one fee over many claims that hang together, and the test that clears a burst of honest ones.

A full investigation never pays on one small claim. Claims of one link component can share it: whoever examines a ring examines its
claims together. But not every cluster is a ring. A defective product brings a burst of honest claims too, and its claimants are
strangers to each other; so a file carries the test of exactly that, for the investigator to read first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

HONEST_STRANGERS, RING_STRANGERS = 0.95, 0.5
"""Share of claimants of a burst who are linked with no other of them, where a defect is behind it and where a ring is. *Chosen*: on the
side that clears late, for in simulated marketplaces hardly anybody in a defect's burst is linked."""


@dataclass(frozen=True)
class RingFile:
    """Claims of one component that are worth investigating together.

    Parameters
    ----------
    component
        Which component of the link graph.
    claims
        Rows of the claims, the most valuable first.
    value_cents
        What the investigation is expected to save, its one fee and all delays paid.
    """

    component: int
    claims: tuple[int, ...]
    value_cents: float


def ring_files(component: np.ndarray, gains: np.ndarray, fee_cents: float, each_cents: float) -> tuple[RingFile, ...]:
    """Return the files that are worth their fee, the most valuable first.

    Parameters
    ----------
    component
        Link component of each claim, shape (claims,); negative for a claim that hangs together with none.
    gains
        What an investigator's answer on each claim would save, before any price, cents, shape (claims,):
        :func:`models.looks.look_values` of a free look with the investigators' confusion.
    fee_cents
        Of one investigation, whatever the number of its claims.
    each_cents
        Price of one more claim in a file: the delay of its claimant.

    Notes
    -----
    Value of a file S: Σ_{i∈S} (gain_i − each) − fee, which is greatest with all claims of a component whose gain exceeds ``each``. What
    one claim's answer says about another is not counted, so the value is on the low side where claims of a ring stand or fall together. A
    claim alone is a file of one; a claim without component likewise.

    Examples
    --------
    >>> ring_files(np.array([7, 7, 7, 3]), np.array([120.0, 90.0, 5.0, 150.0]), fee_cents=180.0, each_cents=10.0)
    (RingFile(component=7, claims=(0, 1), value_cents=10.0),)
    """
    if len(component) != len(gains):
        raise ValueError(f"component: expected one for each of {len(gains)} claims, found {len(component)}")
    margin = np.asarray(gains, dtype=np.float64) - each_cents
    alone = -1 - np.arange(len(component))
    own = np.where(np.asarray(component) < 0, alone, component)
    files = []
    for key in np.unique(own):
        rows = np.flatnonzero((own == key) & (margin > 0))
        value = float(margin[rows].sum()) - fee_cents
        if value > 0:
            rows = rows[np.argsort(-margin[rows], kind="stable")]
            files.append(RingFile(int(component[rows[0]]), tuple(rows.tolist()), value))
    return tuple(sorted(files, key=lambda file: (-file.value_cents, file.claims)))


class Burst(StrEnum):
    """What a burst of claims on one product looks like."""

    DEFECT = "defect"
    RING = "ring"
    OPEN = "open"


@dataclass(frozen=True)
class Exculpation:
    """The test of a burst, as an investigator reads it.

    Parameters
    ----------
    claimants, strangers
        Recent claimants on the product, and those linked with no other of them.
    as_defect
        Probability that honest claimants would be so few strangers or fewer; small speaks against a mere defect.
    as_ring
        Probability that a ring's claimants would be so many strangers or more; small clears them.
    verdict
        Which of the two can be ruled out, if exactly one can.
    """

    claimants: int
    strangers: int
    as_defect: float
    as_ring: float
    verdict: Burst

    @property
    def words(self) -> str:
        """Say it in a sentence."""
        says = {
            Burst.DEFECT: "this is how a defective product looks, not a ring",
            Burst.RING: "honest claimants of one product are rarely linked so closely",
            Burst.OPEN: "the burst alone does not tell a ring from a defective product",
        }
        return (
            f"{self.strangers} of {self.claimants} recent claimants on the product are linked with no other of them: {says[self.verdict]}"
        )


def exculpate(claimants: int, strangers: int, honest_share: float, ring_share: float, level: float = 0.05) -> Exculpation:
    """Test whether a burst of claims on one product looks like a defect or like a ring.

    Parameters
    ----------
    claimants
        Distinct recent claimants (feature ``burst_claimants_product_30d``).
    strangers
        Of these, how many are in no component with another (``burst_unlinked_share_product_30d`` times the claimants).
    honest_share, ring_share
        Share of strangers in bursts known to be honest, and known to be rings; the first is the larger.
    level
        Below this probability an explanation is ruled out.

    Raises
    ------
    ValueError
        If counts or shares contradict each other.

    Notes
    -----
    Two one-sided binomial tests, Pr[S ≤ s | n, honest] and Pr[S ≥ s | n, ring]. Being linked comes in pairs at least, so claimants are not
    independent and the levels are nominal; the verdict informs a person and never decides a claim.

    Examples
    --------
    >>> exculpate(15, 14, honest_share=0.95, ring_share=0.3).words
    '14 of 15 recent claimants on the product are linked with no other of them: this is how a defective product looks, not a ring'
    >>> exculpate(2, 2, honest_share=0.95, ring_share=0.3).verdict.value
    'open'
    """
    from scipy.stats import binom  # loaded where it is used: it takes a second, and the endpoint has no need of it to start

    if not 0 <= strangers <= claimants:
        raise ValueError(f"strangers: expected 0 to {claimants}, found {strangers}")
    if not 0 < ring_share < honest_share < 1:
        raise ValueError(f"shares: expected 0 < ring share < honest share < 1, found {ring_share} and {honest_share}")
    as_defect = float(binom.cdf(strangers, claimants, honest_share))
    as_ring = float(binom.sf(strangers - 1, claimants, ring_share))
    verdict = Burst.OPEN
    if as_ring < level <= as_defect:
        verdict = Burst.DEFECT
    elif as_defect < level <= as_ring:
        verdict = Burst.RING
    return Exculpation(claimants, strangers, as_defect, as_ring, verdict)
