"""What is watched of a process: memory that lies nowhere else apart from pages of files."""

from __future__ import annotations

from pathlib import Path
from subprocess import CalledProcessError

import pytest

from benchmarks._peak import observed

SIZE = 200_000_000
HELD = f"x = bytearray(b'1') * {SIZE}"
MAPPED = "import mmap; f = open({!r}, 'r+b'); m = mmap.mmap(f.fileno(), 0); sum(m[at] for at in range(0, len(m), 4096)); x = m"
PRINTED = "; import time; time.sleep(0.3); print(len(x))"


def test_a_mapped_file_is_resident_and_not_anonymous_what_is_allocated_is_both(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as made:
        made.truncate(SIZE)
    nothing, held, mapped = (observed(["-c", code + PRINTED], tmp_path) for code in ("x = ''", HELD, MAPPED.format(str(file))))
    assert held.printed == mapped.printed == f"{SIZE}\n"
    expected = pytest.approx(SIZE / 1e9, rel=0.1)
    assert held.anonymous_gb - nothing.anonymous_gb == expected and held.peak_gb - nothing.peak_gb == expected
    assert mapped.peak_gb - nothing.peak_gb == expected and mapped.anonymous_gb < nothing.anonymous_gb + 0.05


def test_a_command_that_fails_is_an_error_with_its_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CalledProcessError) as failed:
        observed(["-c", "raise SystemExit('no')"], tmp_path)
    assert failed.value.returncode == 1 and "no" in capfd.readouterr().err
