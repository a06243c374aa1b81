"""A piece that is done is not measured again, a failed one leaves nothing, and other code begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import _pieces
from benchmarks._pieces import piece


def test_a_stopped_run_goes_on_with_the_first_piece_that_is_not_done(tmp_path: Path) -> None:
    asked: list[int] = []

    def measure(seed: int) -> dict[str, float]:
        asked.append(seed)
        if seed == 2 and asked.count(2) == 1:
            raise KeyboardInterrupt
        return {"seconds": seed / 3}

    with pytest.raises(KeyboardInterrupt):
        [piece("loop", measure, seed, root=tmp_path) for seed in range(4)]
    found = [piece("loop", measure, seed, root=tmp_path) for seed in range(4)]
    assert asked == [0, 1, 2, 2, 3] and found == [{"seconds": seed / 3} for seed in range(4)]


def test_other_arguments_another_measure_and_another_benchmark_are_other_pieces(tmp_path: Path) -> None:
    found = [piece("a", max, 1, 2, root=tmp_path), piece("a", max, 1, 3, root=tmp_path), piece("a", min, 1, 2, root=tmp_path)]
    assert [*found, piece("b", max, 1, 2, root=tmp_path)] == [2, 3, 1, 2] and len(list(tmp_path.rglob("*.json"))) == 4


def test_what_is_new_reads_as_what_was_kept(tmp_path: Path) -> None:
    def measure() -> dict[str, tuple[int, int]]:
        return {"pair": (1, 2)}

    new, kept = (piece("b", measure, root=tmp_path) for _ in range(2))
    assert new == kept == {"pair": [1, 2]}


def test_other_code_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert piece("b", max, 1, 2, root=tmp_path) == 2
    monkeypatch.setattr(_pieces, "_code", lambda: "another")
    assert len(list(tmp_path.rglob("*.json"))) == 1 and piece("b", max, 1, 2, root=tmp_path) == 2
    assert len(list(tmp_path.rglob("*.json"))) == 2
