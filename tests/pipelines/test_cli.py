"""The command line: every command explains itself, every wrong call ends with code 2 and a sentence, and nothing half-written."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import typer

from models.shelf import Shelf
from pipelines import cli
from pipelines.cli import app
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.simulated import simulate_into
from pipelines.terminal import instant
from serving.store import Store
from tests.console import Finished, touchstone
from tests.pipelines.conftest import Market, command_line
from tests.pipelines.test_promote import rivals

ROOT = Path(__file__).parents[2]
GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)


def at(market: Market) -> tuple[str, str]:
    return "--home", str(market.home.root)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def says(found: Finished, *words: str) -> bool:
    return found.code == 2 and "Traceback" not in found.err and all(word in found.err for word in words)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_of_itself(name: str) -> None:
    found = touchstone(name, "--help")
    assert found.code == 0
    example = re.search(rf"Example: touchstone {name}( .*)?$", found.out.replace("│", ""), re.MULTILINE)
    assert example, found.out
    known = {option for parameter in GROUP.commands[name].params for option in parameter.opts}
    assert {word for word in example[0].split() if word.startswith("--")} <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    for parameter in GROUP.commands[name].params:
        assert parameter.name == "help" or parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"touchstone {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_help_names_every_command_and_no_command_at_all_shows_it() -> None:
    found = touchstone("--help")
    assert found.code == 0 and all(re.search(rf"^│ {name}\s", found.out, re.MULTILINE) for name in COMMANDS)
    assert "Usage" in touchstone().out


def test_simulated_validated_built_trained_scored_examined_resolved_and_reported(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    size = ("--orders", "6000", "--claims", "600", "--seed", "1")
    assert "nobody has decided since" in touchstone("simulate", *size, *home).out
    validated = touchstone("validate", "--no-docs", *home)
    for row in re.findall(r"│ \w+ +│ +([\d,]+) │ +([\d,]+) │ +([\d,]+) │", validated.out):
        read, accepted, quarantined = (int(number.replace(",", "")) for number in row)
        assert read == accepted + quarantined
    assert "catalogue" in touchstone("build", *home).out
    trained = touchstone("train", "--as-of", "2025-04-01", *home)
    assert "champion" in trained.out and "logistic regression" in trained.out
    for verb in ("score", "experts", "resolve"):
        assert touchstone(verb, "--as-of", "2025-04-22", *home).code == 0
    again = touchstone("score", "--as-of", "2025-04-22", *home)
    assert re.search(r"new decisions\s+│ 0", again.out) and re.search(r"still undecided\s+│ 0", again.out)
    reported = touchstone("report", "--as-of", "2025-04-22", *home)
    assert (reported.code, Path(reported.out.removeprefix("Report: ").strip()).is_file()) == (0, True)


def test_scoring_a_simulation_leaves_what_the_legacy_process_decided(market: Market) -> None:
    live = market.simulation.live_from
    assert touchstone("score", "--as-of", f"{live:%Y-%m-%d}", *at(market)).code == 0
    with Store(market.home.store_url) as store:
        assert store.read("decisions").empty
    claims = Lake(market.home.root).read("claims")
    since = claims["filed_at"].sort_values().iloc[-5]
    touchstone("score", "--as-of", "2026-01-01", "--since", since.isoformat(), *at(market))
    with Store(market.home.store_url) as store:
        assert len(store.read("decisions")) == 5


def test_promote_ends_with_one_while_the_champion_stays_and_with_zero_when_it_goes(market: Market) -> None:
    rivals(market, liar_first=True)
    early = touchstone("promote", "--as-of", "2025-01-02", *at(market))
    assert early.code == 1 and "at least 100 are needed" in early.out
    late = touchstone("promote", "--as-of", "2025-08-01", *at(market))
    assert late.code == 0 and late.out.strip().endswith("promoted")
    names = ("money", "wrongful accusations", "calibration", "latency", "size", "feature parity", "equal treatment by region")
    assert [name for name in names if not re.search(rf"{name}\s+│ passed", late.out)] == []
    card = Path(re.search(r"Model card: (.+)", late.out)[1])
    assert card.is_file() and card.with_suffix(".md").is_file()
    assert says(touchstone("promote", "--as-of", "2025-08-01", *at(market)), "alias 'challenger'")
    promoted = Shelf(market.home.bundles).aliases()
    back = touchstone("promote", "--rollback", *at(market))
    assert back.code == 0 and promoted["previous"][:12] in back.out and promoted["champion"][:12] in back.out
    assert Shelf(market.home.bundles).aliases() == {"champion": promoted["previous"]}
    assert says(touchstone("promote", "--rollback", *at(market)), "expected a previous champion")


@pytest.mark.parametrize("command", ["train", "score", "experts", "resolve", "report", "promote"])
@pytest.mark.parametrize("date", ["soon", "2025-13-01", "01.04.2025"])
def test_a_bad_date_is_quoted(command: str, date: str, tmp_path: Path) -> None:
    found = touchstone(command, "--as-of", date, "--home", str(tmp_path / "home"))
    assert says(found, "expected a date or an instant in UTC", repr(date))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("validate",), ("touchstone simulate",)),
        (("validate", "--source", "nowhere"), ("nowhere", "expected")),
        (("build",), ("touchstone validate",)),
        (("train", "--as-of", "2025-04-01"), ("touchstone validate",)),
        (("score", "--as-of", "2025-04-01"), ("champion", "touchstone train")),
        (("promote", "--as-of", "2025-04-01"), ("champion", "touchstone train")),
        (("experts", "--as-of", "2025-04-01"), ("touchstone score",)),
        (("resolve", "--as-of", "2025-04-01"), ("touchstone score",)),
        (("report", "--as-of", "2025-04-01"), ("touchstone score",)),
        (("score", "--as-of", "2025-04-01", "--policy", "nowhere.toml"), ("nowhere.toml",)),
        (("ingest", "nowhere.csv", "--mapping", str(ROOT / "pipelines/mappings/travelers.toml")), ("nowhere.csv", "expected a file")),
        (("ingest", str(ROOT / "pyproject.toml"), "--mapping", "nowhere.toml"), ("nowhere.toml",)),
        (("simulate", "--orders", "10"), ("five orders per claim",)),
        (("simulate", "--orders", "many"), ("--orders", "integer")),
        (("score",), ("--as-of",)),
        (("promote",), ("--as-of", "--rollback")),
        (("promote", "--rollback"), ("previous champion",)),
        (("guess",), ("guess",)),
    ],
    ids=" ".join,
)
def test_a_call_that_cannot_work_ends_with_two_names_the_reason_and_writes_nothing(
    arguments: tuple[str, ...], words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHSTONE_HOME", str(tmp_path / "home"))
    found = touchstone(*arguments)
    assert says(found, *words), found
    assert not files(tmp_path)


def test_a_policy_file_that_makes_no_sense_is_refused_with_every_reason(market: Market, tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text('version = "1"\nsurprise = 3\n')
    found = touchstone("score", "--as-of", "2025-05-01", "--policy", str(tmp_path / "odd.toml"), *at(market))
    assert says(found, "surprise")
    (tmp_path / "odd.toml").write_text("version = ")
    assert says(touchstone("score", "--as-of", "2025-05-01", "--policy", str(tmp_path / "odd.toml"), *at(market)))


def test_a_truncated_file_is_refused_and_the_lake_stays_as_it_was(market: Market) -> None:
    claims = market.home.raw / "claims.parquet"
    claims.write_bytes(claims.read_bytes()[:-100])
    before = files(market.home.root)
    assert says(touchstone("validate", "--no-docs", *at(market)), "claims.parquet", "expected")
    assert files(market.home.root) == before


def test_a_broken_file_in_the_lake_is_named_with_what_to_do(market: Market) -> None:
    batch = market.home.root / "lake" / "orders" / "initial.parquet"
    batch.write_bytes(batch.read_bytes()[:1000])
    assert says(touchstone("build", *at(market)), "initial.parquet", "run the verb that writes this batch again")


def test_a_bundle_that_was_tampered_with_decides_nothing(market: Market) -> None:
    name = next(path for path in market.home.bundles.iterdir() if path.is_dir())
    text = (name / "calibration.json").read_text()
    (name / "calibration.json").write_text(text.replace("1", "2", 1) if "1" in text else text + " ")
    assert says(touchstone("score", "--as-of", "2025-05-01", *at(market)), "calibration.json")
    assert not (market.home.root / "store.db").exists()


def test_before_anything_was_decided_the_report_names_the_remedy(market: Market) -> None:
    assert says(touchstone("report", "--as-of", "2025-05-01", *at(market)), "run touchstone score first")


def test_answers_without_a_simulation_come_from_a_file_and_bad_ones_are_quarantined(market: Market, tmp_path: Path) -> None:
    touchstone("score", "--as-of", "2025-04-15", *at(market))
    (market.home.raw / "market.json").unlink()
    shutil.rmtree(market.home.sealed)
    with Store(market.home.store_url) as store:
        claim = store.read("decisions").query("action == 'PAY'")["claim_id"].iloc[0]
    columns = "answer_id,claim_id,party,kind,amount_cents,answered_at"
    rows = [f"A1,{claim},customer,appeal,0,2025-05-01T00:00:00Z", f"A2,{claim},nobody,shrugs,0,2025-05-01T00:00:00Z"]
    (tmp_path / "answers.csv").write_text("\n".join([columns, *rows]) + "\n")
    found = touchstone("resolve", "--as-of", "2025-05-02", "--answers", str(tmp_path / "answers.csv"), *at(market))
    assert found.code == 0
    assert re.search(r"answers accepted\s+│ 1 ", found.out) and re.search(r"answers quarantined\s+│ 1 ", found.out)


def test_a_home_is_named_by_option_else_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_HOME", str(tmp_path / "variable"))
    size = ("simulate", "--orders", "600", "--claims", "60")
    touchstone(*size)
    touchstone(*size, "--home", str(tmp_path / "option"))
    assert files(tmp_path / "variable" / "raw").keys() and files(tmp_path / "option" / "raw").keys()


def test_a_summary_is_written_as_json(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("no,day,paid\n1,01.02.2025,10\n")
    (tmp_path / "none.toml").write_text("")
    found = touchstone("ingest", str(tmp_path / "claims.csv"), "--mapping", str(tmp_path / "none.toml"), "--home", str(tmp_path / "home"))
    assert says(found) and not (tmp_path / "home").exists()


def test_a_date_is_its_midnight_in_utc_and_another_zone_is_converted() -> None:
    assert instant("2025-04-01T02:00:00+02:00") == instant("2025-04-01") == instant("2025-04-01T00:00:00Z")


def test_the_console_script_itself_ends_with_two_and_writes_errors_aside(tmp_path: Path) -> None:
    ran = command_line("score", "--as-of", "2025-04-01", "--home", str(tmp_path / "home"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "run touchstone train first" in ran.stderr and "Traceback" not in ran.stderr


def test_a_simulation_is_repeated_by_its_seed(tmp_path: Path) -> None:
    touchstone("simulate", "--orders", "600", "--claims", "60", "--seed", "9", "--home", str(tmp_path / "a"))
    simulate_into(Home(tmp_path / "b"), 600, 60, 9)
    a, b = (json.loads((tmp_path / name / "raw" / "market.json").read_text()) for name in "ab")
    assert a == b


def test_a_bug_of_ours_is_told_from_a_no_by_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(**_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(cli, "app", buggy)
    found = touchstone("report")
    assert found.code == cli.BUG
    assert "Traceback" in found.err and "KeyError: 'a bug'" in found.err
