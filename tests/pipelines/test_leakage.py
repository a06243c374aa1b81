"""The guard of the command line: quiet on the shipped catalogue, and loud on a leak in a user's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts import CLAIMS
from data_contracts.check import check
from features.catalog import CATALOG, Catalog
from features.facts import Facts
from features.matrix import build_matrix
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.leakage import catalog_at, guard
from pipelines.simulated import simulate_into
from pipelines.validate import validate
from tests.console import touchstone
from tests.features.planted import PLANTED
from tests.features.tables import random_tables

MINE = '''
import numpy as np
from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.spec import Aggregate, Computed, Window


def ever_abusive(facts):
    """Read the resolutions without asking when they became known."""
    abusive = facts.equals("resolutions", "label", "abusive")
    guilty = np.unique(facts.codes("resolutions", "customer_id")[abusive])
    return np.isin(facts.codes("probes", "customer_id"), guilty).astype(float)


UNITS = Entry(Aggregate("orders.quantity", ("seller_id",), "sum", Window(60)), "units sold", "count", 0, "seller_history", "units sold")
GUILTY = Entry(Computed("ever_[abusive]", (), ever_abusive), "abusive", "flag", 1, "customer_history", "abusive")
GOOD = Catalog((*CATALOG, UNITS))
LEAKING = Catalog((UNITS, GUILTY))
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = Home(tmp_path_factory.mktemp("guarded"))
    simulate_into(found, 1_500, 150, 3, 18, 3, 0.0)
    validate(found, docs=False)
    return found


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("user") / "features.py"  # a name that must not take the place of ours
    path.write_text(MINE)
    return path


def silent(what: str, done: int, total: int) -> None:
    pass


def test_the_shipped_catalogue_is_quiet_on_a_simulated_marketplace(home: Home) -> None:
    told: list[tuple[str, int, int]] = []
    found = guard(home, CATALOG, 12, 1, lambda *step: told.append(step))
    assert (found.leaks, found.features, found.claims) == ((), len(CATALOG), 12)
    assert told[-1] == ("claims replayed as of their filing", 12, 12)


def test_the_sample_is_drawn_by_its_seed(home: Home) -> None:
    leaking = PLANTED["mean of the whole table"]
    first, again, other = (guard(home, leaking, 12, seed, silent) for seed in (1, 1, 2))
    assert first == again
    assert first.leaks and first.leaks != other.leaks


def test_a_sample_of_more_claims_than_there_are_is_all_of_them(tmp_path: Path) -> None:
    few = Home(tmp_path)
    tables = random_tables(1, claims=5)
    lake = Lake(few.root)
    lake.append("claims", check(tables["claims"], CLAIMS).accepted, "initial")
    assert guard(few, Catalog((CATALOG["claim_hour"],)), 10_000, 0, silent).claims == 5


def test_a_users_feature_is_one_entry_and_appears_in_the_matrix(home: Home, mine: Path) -> None:
    tables = Lake(home.root).tables()
    found = build_matrix(tables, tables["claims"].tail(20), catalog_at(f"{mine}:GOOD"))
    assert found.columns[-1] == "orders_sum_quantity_seller_60d" and found.shape == (20, len(CATALOG) + 1)
    for claim in tables["claims"].tail(20).itertuples():
        orders = tables["orders"][tables["orders"].seller_id == claim.seller_id]
        ago = claim.filed_at - orders.ordered_at
        inside = (ago.dt.total_seconds() > 0) & (ago.dt.total_seconds() <= 60 * 86_400)
        assert found.loc[claim.claim_id, "orders_sum_quantity_seller_60d"] == orders.quantity[inside].sum()


def test_the_command_names_the_leak_with_an_example_and_ends_with_code_1(home: Home, mine: Path) -> None:
    at = ("--home", str(home.root), "--sample", "40")
    found = touchstone("validate", "--leakage", "--features", f"{mine}:LEAKING", *at)
    assert found.code == 1
    assert "ever_[abusive]" in found.out and "orders_sum_quantity" not in found.out
    quiet = touchstone("validate", "--leakage", *at[:2], "--sample", "3")
    assert quiet.code == 0 and "look into the future" in quiet.out and "Leaks" not in quiet.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--leakage", "--features", "nonsense"), "FILE.py:NAME or module:NAME, found 'nonsense'"),
        (("--leakage", "--features", "nowhere.py:X"), "a Python file at nowhere.py"),
        (("--leakage", "--features", "no_such_module:X"), "a module 'no_such_module'"),
        (("--leakage", "--features", "features.catalog:CATALOGUE"), "a Catalog of features.catalog (CATALOG), found 'CATALOGUE'"),
        (("--leakage", "--features", "features.catalog:Catalog"), "found 'Catalog'"),
        (("--leakage", "--sample", "0"), "at least one claim"),
        (("--leakage", "--source", "raw"), "raw was not read"),
        (("--features", "features.catalog:CATALOG"), "--leakage together with --features"),
    ],
)
def test_a_call_that_cannot_be_meant_ends_with_code_2_and_says_why(home: Home, options: tuple[str, ...], words: str) -> None:
    found = touchstone("validate", *options, "--home", str(home.root))
    assert found.code == 2 and words in " ".join(found.err.replace("│", " ").split())


def test_a_home_without_claims_is_told_what_to_run_first(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run touchstone validate first"):
        guard(Home(tmp_path), CATALOG, 1, 0, silent)


def test_the_shipped_catalogue_is_meant_where_none_is_named() -> None:
    assert catalog_at(None) is CATALOG is catalog_at("features.catalog:CATALOG")
    assert Facts.__module__ == "features.facts", "a user's features.py leaves ours alone"
