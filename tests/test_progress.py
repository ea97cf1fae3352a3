import sys

import pytest

from cnnlab import progress


@pytest.mark.parametrize(
    ("show", "terminal", "shown"),
    [(True, False, True), (False, True, False), (None, True, True), (None, False, False)],
)
def test_terminals_get_a_bar_unless_told_otherwise(show, terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with progress.bar(3, show=show, unit="egg") as eggs:
        eggs.update(3)
    out, err = capsys.readouterr()
    assert out == "", "progress is no result"
    assert ("3/3" in err) == ("egg" in err) == shown
