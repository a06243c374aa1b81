"""The import order of the five packages, and what must never be loaded where."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["data_contracts", "features", "models", "serving", "pipelines"]
MODULES = sorted(path for package in ORDER for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules named by every import statement of a file, wherever it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_from_folders_to_its_left(path: Path) -> None:
    own = ORDER.index(path.relative_to(ROOT).parts[0])
    arrows = {name for name in imported(path) if name.split(".")[0] in ORDER[own + 1 :]}
    assert not arrows, f"{path.relative_to(ROOT)} imports {sorted(arrows)} to its right"


def test_inside_a_package_modules_never_import_in_a_circle() -> None:
    names = {path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path for path in MODULES}
    graph = {name: {other for other in imported(path) if other in names and other != name} for name, path in names.items()}
    # A package's __init__ gathers its modules' names: importing the package from inside would be a circle, from outside it is not.
    for name, targets in graph.items():
        graph[name] = {t for t in targets if not name.startswith(t + ".")}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(("library", "owner"), [("mlflow", "models/registry.py"), ("great_expectations", "data_contracts/expectations.py")])
def test_a_slow_library_is_imported_by_its_one_owner_only(library: str, owner: str) -> None:
    users = {p.relative_to(ROOT).as_posix() for p in MODULES if any(n.split(".")[0] == library for n in imported(p))}
    assert users <= {owner}
