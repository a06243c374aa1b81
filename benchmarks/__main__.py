"""Run every benchmark, or those named: ``python -m benchmarks [NAME …]``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_") and "def main(" in path.read_text(encoding="utf-8"))


def main(names: list[str]) -> int:
    """Run benchmarks by name; 2 if one is unknown, 1 if one failed."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"expected some of {', '.join(NAMES)}, found {', '.join(unknown)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or NAMES:
        print(f"── {name}")
        failed |= bool(importlib.import_module(f"benchmarks.{name}").main())
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
