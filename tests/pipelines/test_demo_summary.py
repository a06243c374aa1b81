"""The demo's closing tables: every figure of the summary is told, as it is."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rich.console import Console

from models.evaluation import Costs, Quality
from models.metrics import Interval
from pipelines.demo import Demo
from pipelines.demo_summary import tell
from pipelines.home import Home
from pipelines.resolve import Resolution
from pipelines.validate import Counts
from pipelines.work_told import WorkTold


def found(folder: Path, costs: Costs) -> Demo:
    """A demo's findings, made up."""
    stub = cast(Any, SimpleNamespace)
    return Demo(
        home=Home(folder),
        validated=stub(tables={"claims": Counts(1_234, 1_200, 34, {}), "orders": Counts(10_000, 9_990, 10, {})}),
        trained=stub(),
        retrained=stub(),
        verdict=stub(promote=False, why="the champion [for now] stays"),
        evaluation=stub(claims=777, quality=Quality(*(Interval(0.9 + d, 0.8, 0.95, 10) for d in (0.01, 0.02, 0.03))), costs=costs),
        resolution=Resolution(777, 1, 1, 1, 5, 772, {}, 0, 123_456, {"seller": 100_000, "insurer_fund": 23_456, "nobody": 0}),
        work=WorkTold(1_345, {"drawn": 57, "bought": 32, "gold": 53}, 2, 9, {"ann": 0.871, "bob": 0.802}),
        page=folder / "[bold]" / "report.html",
        seconds=12.3,
        peak_rss_mb=456.7,
    )


def told(demo: Demo) -> str:
    """What a wide terminal without colours shows."""
    console = Console(width=250, file=StringIO())
    with console.capture() as printed:
        for table in tell(demo):
            console.print(table)
    return printed.get()


def test_every_figure_is_told_and_text_stays_text(tmp_path: Path) -> None:
    text = told(found(tmp_path, Costs(1_000_000, 400_000, 250_000, 100_000)))
    figures = ("11,234", "11,190", "44", "777", "772", "0.910  (0.800 to 0.950)", "40%", "25%", "10%", "100%", "0 cents")
    assert [figure for figure in figures if figure not in text] == []
    assert "the champion [for now] stays" in text and str(tmp_path / "[bold]" / "report.html") in text
    assert "1,345" in text and "57, 32, 53" in text and "2, 9" in text and "ann 87%, bob 80%" in text
    assert "borne by insurer fund" in text and "borne by nobody" not in text


def test_where_nothing_could_be_lost_nothing_is_divided_by_zero(tmp_path: Path) -> None:
    assert "0%" in told(found(tmp_path, Costs(0, 0, 0, 0)))
