"""The house stands: rooms of `cnnlab` import from lower floors only, and load what they need."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Every room has a floor. A new file must be placed here before it may import anything.
FLOORS = [
    {"shapes", "init", "metrics", "progress", "table"},
    {"ops", "fast", "graph", "parallel"},
    {"gradcheck", "layers"},
    {"model", "optim", "data"},
    {"zoo", "train", "recipe", "ensemble", "interpret"},
    {"viz", "widgets", "export"},
    {"check", "grading", "student", "cli", "pytest_plugin", "__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Doors between rooms of one floor, each in one direction: from → to.
DOORS = {
    ("metrics", "shapes"),  # whoever takes arrays says which shapes it needs
    ("init", "shapes"),
    ("fast", "ops"),  # what is fast must do what is plain
    ("recipe", "zoo"),  # a recipe names the network
    ("recipe", "train"),  # and says how it is trained
    ("optim", "model"),  # an optimizer moves the parameters of a network
    ("widgets", "viz"),  # a widget shows what viz draws
    ("grading", "check"),  # a grader asks the questions that the page asks
    ("student", "check"),  # a learner's answers are checked before they are used
    ("student", "grading"),  # and found as the grader finds them
    ("cli", "grading"),  # the command is the front door
    ("pytest_plugin", "grading"),  # a side door, light because every pytest run passes it
    ("__main__", "cli"),
}


def source_files():
    return sorted((ROOT / "cnnlab").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(code: str, module: str, is_package: bool) -> set[str]:
    """All modules and names of cnnlab that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, base] if base else parents)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "cnnlab"}


def room(name: str) -> str:
    """The room that a dotted name belongs to; empty for the package itself and its names."""
    part = name.split(".")[1] if "." in name else ""
    is_module = (ROOT / "cnnlab" / part).is_dir() or (ROOT / "cnnlab" / f"{part}.py").exists()
    return part if is_module else ""


def objections(code: str, module: str, is_package: bool = False) -> list[str]:
    """The imports that point upwards or through a wall, in words."""
    here = module.split(".")[1]
    found = []
    for name in sorted(imports(code, module, is_package)):
        there = room(name)
        if there in ("", here):
            continue
        if FLOOR[there] > FLOOR[here]:
            found.append(
                f"{module} (floor {FLOOR[here]}) looks up to {name} (floor {FLOOR[there]})"
            )
        elif FLOOR[there] == FLOOR[here] and (here, there) not in DOORS:
            found.append(
                f"{module} and {name} are on floor {FLOOR[here]} with no door between them"
            )
    return found


def test_every_module_has_a_floor():
    rooms = {name.split(".")[1] for name in map(module_name, source_files()) if "." in name}
    assert rooms <= set(FLOOR)


@pytest.mark.parametrize("path", source_files(), ids=lambda path: module_name(path))
def test_imports_point_down(path):
    if module_name(path) == "cnnlab":
        assert not imports(path.read_text(encoding="utf-8"), "cnnlab", is_package=True)
        return
    source = path.read_text(encoding="utf-8")
    assert objections(source, module_name(path), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("code", "module", "is_package", "expected"),
    [
        ("import cnnlab.viz", "cnnlab.ops.conv", False, "looks up to cnnlab.viz (floor 5)"),
        ("from cnnlab import train", "cnnlab.layers", False, "looks up to cnnlab.train"),
        (
            "from cnnlab.train import Trainer",
            "cnnlab.data",
            True,
            "looks up to cnnlab.train.Trainer",
        ),
        ("def f():\n    from cnnlab import check", "cnnlab.viz", False, "looks up to cnnlab.check"),
        ("from ..layers import Conv", "cnnlab.ops.conv", False, "looks up to cnnlab.layers.Conv"),
        ("from ..layers import Conv", "cnnlab.ops", True, "looks up to cnnlab.layers.Conv"),
        ("from . import train", "cnnlab.shapes", False, "looks up to cnnlab.train"),
        ("from cnnlab.zoo import linear", "cnnlab.train", False, "no door between them"),
        ("from cnnlab.widgets import play", "cnnlab.viz", False, "no door between them"),
    ],
)
def test_a_wrong_import_would_be_seen(code, module, is_package, expected):
    (objection,) = objections(code, module, is_package)
    assert expected in objection


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("from cnnlab.ops.pool import max_pool_forward", "cnnlab.ops.conv"),
        ("from cnnlab import shapes, ops", "cnnlab.viz"),
        ("from cnnlab import __version__", "cnnlab.shapes"),
        ("import numpy, scipy.signal", "cnnlab.shapes"),
        ("from cnnlab import viz", "cnnlab.widgets"),
    ],
)
def test_a_right_import_is_let_pass(code, module):
    assert objections(code, module) == []


@pytest.mark.parametrize(("here", "there"), sorted(DOORS))
def test_every_door_is_used(here, there):
    rooms = {
        room(name)
        for path in source_files()
        if module_name(path).split(".")[1:2] == [here]
        for name in imports(
            path.read_text(encoding="utf-8"), module_name(path), path.name == "__init__.py"
        )
    }
    assert there in rooms


def loaded_by(*modules: str) -> set[str]:
    """The packages outside the standard library that importing these modules loads."""
    code = (
        "import sys; before = set(sys.modules)\n"
        f"import {', '.join(modules)}\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # NumPy's compiled parts bring modules of their own.
    inside_numpy = {name for name in done.stdout.split() if "cython" in name}
    # multiprocessing gives the main module this second name.
    ours = {"cnnlab", "__mp_main__"}
    return set(done.stdout.split()) - sys.stdlib_module_names - inside_numpy - ours


def test_importing_the_package_loads_numpy_at_most():
    assert loaded_by("cnnlab") <= {"numpy"}


def test_the_library_below_the_pictures_loads_numpy_only():
    rooms = [
        name
        for name in map(module_name, source_files())
        if "." in name and FLOOR[name.split(".")[1]] <= 4
    ]
    assert {"cnnlab.ops.conv", "cnnlab.layers", "cnnlab.model", "cnnlab.train"} <= set(rooms)
    assert loaded_by(*rooms) == {"numpy"}


def test_the_command_starts_without_pictures_and_notebooks():
    heavy = {"matplotlib", "ipywidgets", "IPython", "nbformat", "nbval", "pytest", "scipy"}
    assert not loaded_by("cnnlab.cli") & heavy
