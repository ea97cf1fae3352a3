import pytest

from cnnlab.table import Table


class Two(Table):
    sides = "<>"

    def table(self):
        return [("name", "n"), ("a <b>", "1"), ("c", "1,000")]


def test_words_stand_left_and_numbers_right():
    assert str(Two()).splitlines() == ["name       n", "a <b>      1", "c      1,000"]


def test_nothing_trails():
    class Words(Two):
        sides = "<<"

    assert all(line == line.rstrip() for line in str(Words()).splitlines())


def test_on_a_page_the_first_row_is_the_head():
    text = Two()._repr_html_()
    head, body = text.split("</thead>")
    assert '<th style="text-align: left">name</th><th style="text-align: right">n</th>' in head
    assert '<td style="text-align: left">a &lt;b&gt;</td>' in body
    assert body.count("<tr>") == body.count("</tr>") == 2


def test_a_table_needs_rows():
    with pytest.raises(NotImplementedError):
        str(Table())
