"""Other people's words in Markdown."""

import pytest

from pgolf_compose.submission.markup import code, linked, plain, table


@pytest.mark.parametrize(
    "text, safe",
    [
        ("EMA of 0.9 & int6_zstd", "EMA of 0.9 & int6_zstd"),
        ("two\nlines\x1b[31m\x00", "two lines \\[31m"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<!-- /pgolf-compose:title -->", "&lt;!-- /pgolf-compose:title --&gt;"),
        ("a | b", "a \\| b"),
        ("[x](http://y) ![z](w)", "\\[x\\](http://y) \\!\\[z\\](w)"),
        ("*a* _b_ `c` ~d~ $e$", "\\*a\\* \\_b\\_ \\`c\\` \\~d\\~ \\$e\\$"),
        ("# no heading", "\\# no heading"),
        ("- no item", "\\- no item"),
        ("1. no item", "1\\. no item"),
        ("&lt; stays", "&amp;lt; stays"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_a_text_stays_a_text(text, safe):
    assert plain(text) == safe


def test_code_has_more_backticks_than_its_text():
    assert [code(one) for one in ("a", "a`b", "`a", "a\nb")] == [
        "`a`",
        "``a`b``",
        "`` `a ``",
        "`a b`",
    ]


def test_a_pull_request_is_a_link_where_the_track_has_an_address():
    assert linked("PR #1394; <b>", "https://x/") == "[PR #1394](https://x/1394); &lt;b&gt;"
    assert linked("PR #1394", "") == "PR #1394"


def test_a_bar_ends_no_cell():
    assert table(["a", "b"], [["x|y", "`p|q`"], [plain("|"), "1"]], [1]) == (
        "| a | b |\n| --- | --: |\n| x\\|y | `p\\|q` |\n| \\| | 1 |"
    )
