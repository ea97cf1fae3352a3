"""docs/mistakes.md says what is true, and the checker's score is full."""

import importlib.util
from pathlib import Path

from cnnlab.check.mistakes import MISTAKES

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location(
    "mistakes_docs", ROOT / "tools" / "write_mistakes_docs.py"
)
mistakes_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mistakes_docs)

PAGE = mistakes_docs.PAGE.read_text(encoding="utf-8")


def test_all_wrong_answers_are_caught_and_named_as_the_page_says():
    score = mistakes_docs.measure()
    print(f"{score.caught} caught, {score.named} named of {score.all}")
    assert score.caught == score.named == score.all
    assert mistakes_docs.render(score) == PAGE, "run `make docs`"


def test_the_score_counts_every_wrong_version():
    assert mistakes_docs.measure().all >= sum(map(len, MISTAKES.values())) > 60


def test_an_escaped_and_an_unnamed_answer_would_lower_the_score(monkeypatch):
    right = mistakes_docs.measure()
    escaped = iter([lambda question, wrong: question.reference])
    known = mistakes_docs.answer_with
    monkeypatch.setattr(
        mistakes_docs,
        "answer_with",
        lambda question, wrong: next(escaped, known)(question, wrong),
    )
    score = mistakes_docs.measure()
    assert score == (right.caught - 1, right.named - 1, right.all)


def test_every_mistake_stands_on_the_page():
    for wrongs in MISTAKES.values():
        for wrong in wrongs:
            assert f"**{wrong.name}**" in PAGE
