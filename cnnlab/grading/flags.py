"""What an answer uses that it was not asked to use, read from its text; nothing is run.

A flag takes no points away: a person looks at the line and decides. NumPy and the plain helpers of
Python are free, and of the library what the question names (`Question.library`).
"""

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nbformat import NotebookNode

from cnnlab.check.questions import find
from cnnlab.grading.paper import mark

LONGEST = 200_000  # letters of an answer that is looked through; a longer one is flagged as such
MOST = 20  # flags of one answer
FREE = (
    *("numpy", "math", "cmath", "itertools", "functools", "operator", "collections", "numbers"),
    *("fractions", "decimal", "statistics", "random", "copy", "string", "re", "time", "timeit"),
    *("warnings", "contextlib", "dataclasses", "typing", "enum", "abc", "bisect", "heapq", "types"),
    *("textwrap", "pprint", "__future__", "matplotlib", "tqdm"),
    *("cnnlab.check.check", "cnnlab.check.when_written", "cnnlab.viz"),
    *("sys.stdout", "sys.stderr", "sys.float_info", "sys.maxsize", "sys.setrecursionlimit"),
)
# What reads files, and what leads from a free module to anything at all.
BARRED = (
    *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap"),
    *("numpy.fromregex", "numpy.lib.format", "numpy.lib.npyio", "numpy.ctypeslib", "numpy.f2py"),
    *("numpy.core", "numpy._core", "operator.attrgetter", "operator.methodcaller"),
    *("cnnlab.viz.diagrams", "cnnlab.viz.networks"),
    *("types.CodeType", "types.FunctionType", "typing.get_type_hints"),
)
BARRED_BUILTINS = {
    *("eval", "exec", "compile", "open", "globals", "locals", "vars", "breakpoint"),
    *("getattr", "setattr", "delattr", "get_ipython"),
}
TOOLS = {"builtins", "IPython", "ipykernel", "jupyter_client"}  # they answer no question
LEADING_AWAY = {"sys", "os", "builtins", "importlib", "ctypes", "inspect", "subprocess", "gc"}
FRAMES = {"tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_back", "f_globals", "f_locals"}
PLAIN_DUNDERS = {"__name__", "__doc__", "__init__", "__len__", "__class__", "__version__"}
TIMING = {"time", "timeit", "capture"}  # magics that run the Python behind them
PLAIN_MAGICS = {"matplotlib", "precision", "pinfo", "pinfo2"}
NOT_NEEDED = "which no answer needs"
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
CAPTURES = ast.ExceptHandler | ast.MatchAs | ast.MatchStar


def flags(notebook: NotebookNode) -> dict[str, list[dict]]:
    """The flags of each answer in a grafted notebook, by the question's id.

    A flag is {"line": from 1, "source": the line's text, "what": words that go on after "line 3"}.
    An answer that is no Python has none: it does not run either.
    """
    names: dict[str, str | None] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not mark(cell):
            _Reader(names, ()).look_through(cell.source)
    return {
        mark(cell)["question"]: _flags_of(cell.source, names, find(mark(cell)["question"]).library)
        for cell in notebook.cells
        if mark(cell).get("role") == "answer"
    }


def said(flag: dict) -> str:
    """A flag as a sentence.

    Examples
    --------
    >>> said({"line": 3, "source": "eval(x)", "what": "uses eval, which no answer needs"})
    'Line 3 uses eval, which no answer needs.'
    """
    return f"Line {flag['line']} {flag['what']}."


def _flags_of(source: str, names: dict[str, str | None], library: tuple[str, ...]) -> list[dict]:
    reader = _Reader(names, (*FREE, *(f"cnnlab.{name}" for name in library)))
    reader.look_through(source)
    lines = source.splitlines() or [""]
    return [
        {"line": line, "source": lines[min(line, len(lines)) - 1].strip()[:200], "what": what}
        for line, what in sorted(reader.found)[:MOST]
    ]


class _Reader(ast.NodeVisitor):
    """Follows names that were imported, through the cells of a notebook.

    A name that a function binds itself is its own. In the open a name of the page stays what the
    page made it, whatever is assigned: else an assignment that never happens would hide its use.
    """

    def __init__(self, names: dict[str, str | None], allowed: tuple[str, ...]):
        self.scopes = [names]
        self.allowed = allowed
        self.found: set[tuple[int, str]] = set()

    def look_through(self, source: str) -> None:
        try:
            if len(source) > LONGEST:
                raise RecursionError
            self.visit(_parsed(source))
        except (RecursionError, MemoryError):
            self.found.add((1, "begins what is too long or too deep to be looked through"))
        except (SyntaxError, ValueError):
            pass  # ValueError: NUL

    # What is written down

    def flag(self, node: ast.AST, what: str) -> None:
        self.found.add((getattr(node, "lineno", 1), what))

    def judge(self, node: ast.AST, path: str, *, importing: bool = False) -> None:
        root, *parts = path.split(".")
        built_in = root == "builtins" and parts and not importing
        shown = ".".join(parts) if built_in else path
        to_be_written = root not in {*sys.stdlib_module_names, "numpy", *TOOLS}
        if built_in:
            barred = parts[0] in BARRED_BUILTINS or any(map(_is_hidden, parts))
        else:
            within = any(map(_is_hidden, parts)) or bool(LEADING_AWAY & set(parts))
            free = _covered(path, self.allowed) or (importing and _leads(path, self.allowed))
            barred = within or _covered(path, BARRED) or not free
        if barred and to_be_written:
            self.flag(node, f"uses {shown}: this question asks you to write it")
        elif barred:
            self.flag(node, f"uses {shown}, {NOT_NEEDED}")

    # What a name stands for

    def path(self, node: ast.AST) -> str | None:
        """The dotted path of what is named here, where that was imported or is built in."""
        if isinstance(node, ast.Name):
            for scope in reversed(self.scopes):
                if node.id in scope:
                    return scope[node.id]
            built_in = node.id in BARRED_BUILTINS or _is_hidden(node.id)
            return f"builtins.{node.id}" if built_in else None
        if isinstance(node, ast.Attribute):
            base = self.path(node.value)
            return f"{base}.{node.attr}" if base else None
        return None

    @contextmanager
    def scope(self, names) -> Iterator[None]:
        self.scopes.append(dict.fromkeys(names))
        yield
        self.scopes.pop()

    # The nodes

    def visit(self, node):
        if isinstance(node, FUNCTIONS):
            self._visit_function(node)
        elif isinstance(node, COMPREHENSIONS):
            self._visit_comprehension(node)
        else:
            super().visit(node)

    def visit_Import(self, node):
        for alias in node.names:
            self.judge(node, alias.name, importing=True)
            root = alias.name.split(".")[0]
            self.scopes[-1][alias.asname or root] = alias.name if alias.asname else root

    def visit_ImportFrom(self, node):
        base = "." * node.level + (node.module or "")
        for alias in node.names:
            path = base if alias.name == "*" else f"{base}.{alias.name}"
            self.judge(node, path, importing=True)
            self.scopes[-1][alias.asname or alias.name] = path

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load) and (path := self.path(node)):
            self.judge(node, path)

    def visit_Attribute(self, node):
        path = self.path(node)
        if path is None:
            if _is_hidden(node.attr):
                self.flag(node, f"uses {node.attr}, {NOT_NEEDED}")
            self.visit(node.value)
        elif isinstance(node.ctx, ast.Load):
            self.judge(node, path)
        else:
            self.flag(node, f"changes {path}, {NOT_NEEDED}")

    def visit_Assign(self, node):
        self.generic_visit(node)
        if path := self.path(node.value):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.scopes[-1][target.id] = path

    def visit_Call(self, node):
        if self._is_plain_getattr(node):
            self.visit(node.args[0])
        elif magic := _magic(node):
            self._look_at_magic(node, *magic)
        else:
            self.generic_visit(node)

    def _visit_function(self, node):
        for outside in (*getattr(node, "decorator_list", ()), node.args):
            self.visit(outside)
        with self.scope(_locals(node)):
            body = node.body if isinstance(node.body, list) else [node.body]
            for statement in body:
                self.visit(statement)

    def _visit_comprehension(self, node):
        first = node.generators[0].iter  # looked up outside
        self.visit(first)
        targets = [name for one in node.generators for name in ast.walk(one.target)]
        with self.scope(name.id for name in targets if isinstance(name, ast.Name)):
            for child in ast.iter_child_nodes(node):
                self.visit(child)

    def _is_plain_getattr(self, node) -> bool:
        """Whether it gets an attribute that the text names, of something that is no module."""
        return (
            self.path(node.func) == "builtins.getattr"
            and len(node.args) >= 2
            and self.path(node.args[0]) is None
            and isinstance(name := getattr(node.args[1], "value", None), str)
            and not _is_hidden(name)
        )

    def _look_at_magic(self, node, name, code) -> None:
        if name in TIMING:
            tree = _parsed(re.sub(r"^(\s*-\w+(\s*\d+)?\s)*", "", code))
            self.visit(ast.increment_lineno(tree, node.lineno - (not code.count("\n"))))
        elif name not in PLAIN_MAGICS:
            self.flag(node, f"runs {name}, {NOT_NEEDED}")


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # half a second, seldom

        return ast.parse(TransformerManager().transform_cell(source))


def _covered(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes)


def _leads(path: str, prefixes: tuple[str, ...]) -> bool:
    return any(prefix.startswith(f"{path}.") for prefix in prefixes)


def _is_hidden(name: str) -> bool:
    dunder = name.startswith("__") and name.endswith("__")
    return name in FRAMES or (dunder and name not in PLAIN_DUNDERS)


def _magic(node: ast.Call) -> tuple[str, str] | None:
    """What get_ipython() is told to run here: its name, and the code or words behind it."""
    ways = {"run_line_magic": "%", "run_cell_magic": "%%", "system": "!", "getoutput": "!"}
    function, args = node.func, [getattr(arg, "value", None) for arg in node.args]
    if not isinstance(function, ast.Attribute) or function.attr not in ways:
        return None
    called = function.value.func if isinstance(function.value, ast.Call) else None
    words = [arg for arg in args if isinstance(arg, str)]
    if getattr(called, "id", None) != "get_ipython" or not words or len(words) < len(args):
        return None
    if ways[function.attr] == "!":
        return "a command of the system", ""
    known = words[0] in TIMING | PLAIN_MAGICS
    return (words[0] if known else ways[function.attr] + words[0]), words[-1]


def _locals(function) -> set[str]:
    """The names that a function binds itself."""
    given = function.args
    names = {a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
    names |= {a.arg for a in (given.vararg, given.kwarg) if a is not None}
    elsewhere: set[str] = set()
    nodes = list(function.body) if isinstance(function.body, list) else [function.body]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere |= set(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, DEFINITIONS | CAPTURES) and node.name:
            names.add(node.name)
        if not isinstance(node, FUNCTIONS | ast.ClassDef | COMPREHENSIONS):
            nodes += ast.iter_child_nodes(node)
    return names - elsewhere
