"""What pip-audit found, told so that a machine without a network can still be checked: ``python -m tests.audit FILE``.

Exit code 1 where a locked package has a known vulnerability; 0 where none has one, or nobody could be asked, which is said.
pip-audit itself cannot tell these apart: it ends with 1 for both, and with 0 where it skipped every package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def verdict(text: str) -> tuple[int, str]:
    """Return exit code and words about the JSON that pip-audit wrote; empty where it wrote none.

    >>> verdict("")
    (0, 'audit: nobody could be asked about vulnerabilities; run it again with a network')
    """
    packages = json.loads(text)["dependencies"] if text.strip() else []
    asked = [package for package in packages if "vulns" in package]
    known = [f"{p['name']} {p['version']}: {', '.join(v['id'] for v in p['vulns'])}" for p in asked if p["vulns"]]
    if known:
        return 1, "audit: known vulnerabilities\n" + "\n".join(known)
    if not asked:
        return 0, "audit: nobody could be asked about vulnerabilities; run it again with a network"
    left = len(packages) - len(asked)
    return 0, f"audit: no known vulnerability in {len(asked)} of {len(packages)} packages; {left} could not be asked about"


def main(path: Path) -> int:
    """Tell the verdict on a file that pip-audit wrote, or did not."""
    code, words = verdict(path.read_text(encoding="utf-8") if path.is_file() else "")
    sys.stdout.write(words + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
