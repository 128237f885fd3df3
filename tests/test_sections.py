"""A page of which some is written here and all else stays."""

from pathlib import Path

import pytest

from pgolf_compose.errors import ComposeError
from pgolf_compose.submission.sections import digests, section, updated

PAGE = Path("README.md")
OLD = section("title", "# A") + "\n" + section("results", "0.1\n0.2")
NEW = section("title", "# A") + "\n" + section("results", "0.1\n0.3")


def test_words_outside_of_the_marks_stay_byte_for_byte():
    mine = f"\ufeffabove  \n{OLD}\tmiddle\n<b>below</b>"
    assert updated(mine, NEW, digests(OLD), PAGE) == (
        f"\ufeffabove  \n{NEW}\tmiddle\n<b>below</b>",
        [],
    )


def test_sections_may_be_moved_about():
    moved = section("results", "0.1\n0.2") + "words\n" + section("title", "# A")
    page, _ = updated(moved, NEW, digests(OLD), PAGE)
    assert page == section("results", "0.1\n0.3") + "words\n" + section("title", "# A")


def test_a_changed_section_is_refused_with_its_line_unless_forced():
    mine = "mine\n" + OLD.replace("0.2", "0.2\nand my own words")
    with pytest.raises(ComposeError) as caught:
        updated(mine, NEW, digests(OLD), PAGE)
    assert str(caught.value) == (
        "README.md:8: the section results is written here, and somebody has changed it; move your "
        "words out of its marks and they stay, or give --force to write it anew"
    )
    assert updated(mine, NEW, digests(OLD), PAGE, force=True) == ("mine\n" + NEW, [])


def test_a_section_that_says_what_it_would_say_is_nobody_s_change():
    assert updated(NEW, NEW, digests(OLD), PAGE) == (NEW, [])  # a run that was stopped half-way
    assert updated(NEW, NEW, {}, PAGE) == (NEW, [])


def test_a_section_that_was_taken_out_stays_out_and_a_new_one_finds_its_place():
    without = "mine\n" + section("results", "0.1\n0.2")
    page, taken_out = updated(without, NEW, digests(OLD), PAGE)
    assert (page, taken_out) == ("mine\n" + section("results", "0.1\n0.3"), ["title"])
    wider = section("title", "# A") + section("curves", "~") + section("results", "0.1\n0.3")
    page, _ = updated(f"{OLD}end", wider, digests(OLD), PAGE)
    assert page == (
        f"{section('title', '# A')}\n{section('curves', '~')}\n{section('results', '0.1' + chr(10) + '0.3')}end"
    )


def test_a_section_that_is_no_more_written_goes_unless_somebody_changed_it():
    less = section("title", "# A")
    page, _ = updated(f"above\n{OLD}below\n", less, digests(OLD), PAGE)
    assert page == f"above\n{less}below\n"
    mine = OLD.replace("0.2", "mine")
    with pytest.raises(ComposeError, match="the section results is written here"):
        updated(mine, less, digests(OLD), PAGE)
    # one that nobody here has written is its author's
    assert updated(f"{less}{section('mine', 'x')}", less, {}, PAGE)[0].endswith("mine -->\n")


def test_line_ends_are_the_page_s_own():
    windows = OLD.replace("\n", "\r\n") + "mine\r\n"
    page, _ = updated(windows, NEW, digests(OLD), PAGE)
    assert page == NEW.replace("\n", "\r\n") + "mine\r\n"


@pytest.mark.parametrize(
    "page, told",
    [
        ("<!-- pgolf-compose:a -->\n", "README.md:1: the section a has no <!-- /pgolf-compose:a"),
        ("\n<!-- /pgolf-compose:a -->\n", "README.md:2: this mark ends the section a, which does"),
        (section("a", "") * 2, "README.md:4: this mark begins the section a a second time"),
        (
            "<!-- pgolf-compose:a -->\n<!-- pgolf-compose:b -->\n",
            "README.md:2: the section b begins before a has ended; put <!-- /pgolf-compose:a --> back",
        ),
        ("words\n", "README.md: has none of the sections that are written here"),
    ],
)
def test_marks_that_do_not_pair_are_refused(page, told):
    with pytest.raises(ComposeError) as caught:
        updated(page, NEW, {}, PAGE)
    assert str(caught.value).startswith(told)
