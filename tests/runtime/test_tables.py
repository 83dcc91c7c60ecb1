from __future__ import annotations

from edgegan.runtime.tables import aligned, markdown


def test_words_begin_at_the_left_and_numbers_end_at_the_right():
    rows = [("", "nodes", "ms each"), ("as translated", 31, 0.5), ("folded", 7, 12.25)]
    assert aligned(rows).split("\n") == [
        "               nodes  ms each",
        "as translated     31      0.5",
        "folded             7    12.25",
    ]


def test_any_column_can_be_words():
    assert aligned([("faces", "of"), (25, "dcgan"), (3, "wgan")], left=(1,)).split("\n") == [
        "faces  of",
        "   25  dcgan",
        "    3  wgan",
    ]


def test_no_rows_are_no_lines():
    assert aligned([]) == ""


def test_table_is_aligned_markdown():
    assert markdown(("peer", "images/s"), [("ours", 1234), ("a longer name", 5)]) == (
        "| peer          | images/s |\n"
        "|---------------|----------|\n"
        "| ours          | 1234     |\n"
        "| a longer name | 5        |"
    )


def test_a_table_in_markdown_may_be_empty():
    assert markdown(("peer", "ms"), []) == "| peer | ms |\n|------|----|"
