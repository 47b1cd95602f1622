from forgia_hpc.report.markup import Safe, clean, escape, join, table, tag


def test_texts_are_escaped_and_markup_is_not():
    made = tag("p", "a < b & c", tag("b", "x"), title='say "hi"')

    assert made == '<p title="say &quot;hi&quot;">a &lt; b &amp; c<b>x</b></p>'


def test_attributes_that_are_none_are_left_out():
    assert tag("td", "1", class_=None, aria_label="one") == '<td aria-label="one">1</td>'


def test_joining_skips_nothing_but_none():
    assert join("<", None, 0, Safe("<br>")) == "&lt;0<br>"


def test_terminal_escapes_control_characters_and_lone_surrogates_go():
    assert clean("\x1b[31mred\x1b[0m") == "red"
    assert clean("\x1b]8;;http://x\x07link") == "link"
    assert clean("a\x00b\x9bc") == "a�b�c"
    assert clean("\ud800").encode("utf-8") == "�".encode()
    assert clean("\u202egnp.exe") == "�gnp.exe"


def test_every_head_of_a_table_has_a_scope():
    made = table("Things", ["Name", "Count"], [["a", 1], ["b", 2]])

    assert made.count('scope="col"') == 2
    assert made.count('scope="row"') == 2
    assert 'tabindex="0"' in made
    assert escape("Things") in made
