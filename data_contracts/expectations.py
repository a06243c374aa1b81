"""A contract as a Great Expectations suite, run for real, with its HTML data docs; the only importer of that library.

The check of :mod:`data_contracts.check` judges rows one by one and decides where they go. This suite is a second witness:
an independent implementation of the same rules, derived from the same contract, that must find nothing wrong with what
was accepted. It states everything that holds within one table. References to other tables are not among its rules (a value
set of a million keys is no document): they are judged on every row by the check, and the suite's notes say so.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.contract import Column, Contract

with warnings.catch_warnings():
    # Where Spark is installed, Great Expectations imports it, and Spark warns of a pandas that its own pandas API is not ready for.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig


@dataclass(frozen=True)
class Witness:
    """What the suite of one table found.

    Parameters
    ----------
    table
        Name of the contract.
    rows
        Rows looked at: all of them.
    rules
        Expectations evaluated.
    failed
        The expectations that did not hold, in words; empty if all is well.
    """

    table: str
    rows: int
    rules: int
    failed: tuple[str, ...]


def suite_of(contract: Contract) -> gx.ExpectationSuite:
    """Derive the suite of a contract.

    Returns
    -------
    ExpectationSuite
        The set of columns; per column presence, uniqueness of the key, choices, range, pattern, length; the orderings.
        Its notes name the references, which are judged elsewhere.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> sorted({expectation.expectation_type for expectation in suite_of(SELLERS).expectations})[-2:]
    ['expect_column_values_to_not_be_null', 'expect_table_columns_to_match_set']
    """
    rules = [gxe.ExpectTableColumnsToMatchSet(column_set=[c.name for c in contract.columns], exact_match=True)]
    for column in contract.columns:
        rules += _of_column(column)
    rules.append(gxe.ExpectColumnValuesToBeUnique(column=contract.key))
    rules += [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=order.later, column_B=order.earlier, or_equal=True, ignore_row_if="either_value_is_missing"
        )
        for order in contract.orderings
    ]
    elsewhere = ", ".join(f"{rule.column} → {rule.table}" for rule in contract.references) or "none"
    notes = f"{contract.description} References, judged row by row by data_contracts.check: {elsewhere}."
    return gx.ExpectationSuite(name=contract.name, expectations=rules, notes=[notes])


def _of_column(column: Column) -> Iterator[Any]:
    about = {"column": column.name, "notes": [column.description]}
    if not column.nullable:
        yield gxe.ExpectColumnValuesToNotBeNull(**about)
    if column.choices:
        yield gxe.ExpectColumnValuesToBeInSet(**about, value_set=list(column.choices))
    if column.ge is not None or column.le is not None:
        yield gxe.ExpectColumnValuesToBeBetween(**about, min_value=column.ge, max_value=column.le)
    if column.pattern is not None:
        yield gxe.ExpectColumnValuesToMatchRegex(**about, regex=column.pattern)
    if column.min_length is not None or column.max_length is not None:
        yield gxe.ExpectColumnValueLengthsToBeBetween(**about, min_value=column.min_length, max_value=column.max_length)


def witness(
    frames: Mapping[str, pd.DataFrame], contracts: Mapping[str, Contract], run: str, docs: Path | None = None
) -> dict[str, Witness]:
    """Run the suites of several tables on their accepted rows and write the data docs.

    Parameters
    ----------
    frames
        Accepted rows by table; a table without rows is not run.
    contracts
        The contracts, at least of the tables in ``frames``.
    run
        A name for this run, shown in the docs.
    docs
        Folder of the HTML pages, replaced as a whole; none are written by default. The pages are complete in themselves,
        but take their fonts and scripts from the network when somebody opens them.

    Returns
    -------
    dict of Witness
        By table, in the order of ``frames``.
    """
    context = _context(docs.with_name(f".{docs.name}.draft") if docs else None)
    source = context.data_sources.add_pandas("lake")
    found: dict[str, Witness] = {}
    for table, frame in frames.items():
        if len(frame):
            found[table] = _run(context, source, contracts[table], frame, run)
    if docs is not None:
        draft = docs.with_name(f".{docs.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        context.build_data_docs()
        shutil.rmtree(docs, ignore_errors=True)
        draft.rename(docs)
    return found


def _context(site: Path | None) -> Any:
    """Return a context that lives in memory, reports to nobody, shows no progress bars and knows one site."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for name in list(context.get_site_names()):
        context.delete_data_docs_site(name)
    if site is not None:
        backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)}
        builder = {"class_name": "DefaultSiteIndexBuilder"}
        context.add_data_docs_site("docs", {"class_name": "SiteBuilder", "site_index_builder": builder, "store_backend": backend})
    return context


def _run(context: Any, source: Any, contract: Contract, frame: pd.DataFrame, run: str) -> Witness:
    batch = source.add_dataframe_asset(contract.name).add_batch_definition_whole_dataframe("accepted")
    suite = context.suites.add(suite_of(contract))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=contract.name, data=batch, suite=suite))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=contract.name, validation_definitions=[definition], actions=[], result_format="SUMMARY")
    )
    outcome = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=gx.RunIdentifier(run_name=run))
    results = [result for validation in outcome.run_results.values() for result in validation.results]
    return Witness(contract.name, len(frame), len(results), tuple(_in_words(r) for r in results if not r.success))


def _in_words(result: Any) -> str:
    config = result.expectation_config
    settings = {name: value for name, value in config.kwargs.items() if name != "batch_id"}
    if "unexpected_count" not in result.result:
        return f"{config.type} {settings}: does not hold, or could not be judged"
    seen = result.result.get("partial_unexpected_list", [])[:3]
    return f"{config.type} {settings}: found {result.result['unexpected_count']} rows otherwise, such as {seen}"
