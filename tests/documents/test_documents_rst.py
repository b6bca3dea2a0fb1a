import pytest

from kg_pipeline.documents.rst import parse_rst


def embedded(text):
    return [(ref.line, ref.kind, ref.target) for ref in parse_rst(text).references]


def test_image_and_figure_with_alt_and_caption():
    text = ".. image:: a.png\n   :alt: long\n      alt\n\n"
    text += ".. figure:: b.png\n   :width: 3\n\n   The *cap*\n   goes on.\n\n   Legend.\n"
    document = parse_rst(text)
    assert embedded(text) == [(1, "rst_image", "a.png"), (5, "rst_figure", "b.png")]
    assert [(ref.alt, ref.caption) for ref in document.references] == [
        ("long alt", None),
        (None, "The *cap* goes on."),
    ]
    assert "".join(document.prose).strip() == "Legend."


def test_a_substitution_counts_where_it_is_used():
    text = "Use |logo| and ``|logo|``.\n\n- item |Logo|_\n\n"
    text += ".. |logo| image:: l.png\n   :alt: L\n\n.. |v| replace:: 2\n\nOn |v|.\n"
    assert embedded(text) == [(1, "rst_image", "l.png"), (3, "rst_image", "l.png")]
    assert parse_rst(text).prose[9] == "On 2."


@pytest.mark.parametrize(
    "text",
    [
        ".. tabs::\n\n   .. tab:: A\n\n      .. image:: x.png\n",
        ".. unknown-thing:: arg\n   :opt: 1\n\n   .. image:: x.png\n",
        "- .. image:: x.png\n",
        ".. list-table::\n\n   * - .. image:: x.png\n     - b\n",
        "+---+---+\n| a | .. image:: x.png |\n+---+---+\n",
        "# Markdown heading\n.. image:: x.png\n",
        "Text :unknown:`role` here.\n\n.. image:: x.png\n",
        ".. image::\n   x.png\n",
        ".. note:: text\n\n   more\n\n   .. image:: x.png\n",
        ".. raw:: html\n\n   <div><img src='x.png'></div>\n",
        "Para::\n\n   code\n\n.. image:: x.png\n",
        "On |x|.\n\n.. |x| raw:: html\n\n   <img src='x.png'>\n",
        "- Item::\n\n      code\n\n  .. image:: x.png\n",
    ],
)
def test_images_inside_all_kinds_of_blocks(text):
    assert [row[2] for row in embedded(text)] == ["x.png"]


@pytest.mark.parametrize(
    "text",
    [
        ".. code-block:: rst\n\n   .. image:: x.png\n",
        "Example::\n\n   .. image:: x.png\n\n   more\n\n   .. figure:: y.png\n",
        "```\n.. image:: x.png\n```\n",
        "A ``.. image:: x.png`` literal\n",
        ".. raw:: latex\n\n   \\includegraphics{x.png}\n",
    ],
)
def test_code_holds_no_references(text):
    assert embedded(text) == []


def test_comments_are_told_apart():
    text = "..\n   .. image:: x.png\n\n.. .. figure:: y.png\n\n.. image:: z.png\n"
    assert embedded(text) == [(2, "commented", "x.png"), (4, "commented", "y.png"), (6, "rst_image", "z.png")]


def test_cards_and_thumbnails():
    text = ".. grid-item-card:: T\n   :img-top: c.png\n   :link: x\n\n   Body\n\n.. thumbnail:: t.png\n"
    assert embedded(text) == [(2, "rst_card", "c.png"), (7, "rst_thumbnail", "t.png")]
    assert [line.strip() for line in parse_rst(text).prose if line.strip()] == ["T", "Body"]


def test_links_of_all_styles():
    text = "[a](1.png) `b <2.png>`_ :download:`c <3.png>`\n\n.. image:: t.png\n   :target: 4.png\n\n.. _d: 5.png\n"
    assert {row[2] for row in embedded(text) if row[1] == "link"} == {f"{n}.png" for n in range(1, 6)}
    assert parse_rst(text).prose[0] == "a b c"


def test_headings_of_rst_and_markdown():
    text = "====\nBig\n====\n\nSmall\n-----\n\nx\n\nNext\n----\n\n## Markdown\n\n```\n# no\n```\n"
    found = [(heading.line, heading.level, heading.text) for heading in parse_rst(text).headings]
    assert found == [(2, 1, "Big"), (5, 2, "Small"), (10, 2, "Next"), (13, 2, "Markdown")]


def test_prose_keeps_marks_of_labels():
    text = "Press **OK**, ``ls``, :guilabel:`Save` in :ref:`the page <p>`; `link <http://x>`__.\n"
    assert parse_rst(text).prose[0] == "Press **OK**, ``ls``, :guilabel:`Save` in the page; link."


def test_a_role_is_what_sphinx_shows_of_it():
    text = "A :class:`~kivy.uix.Layout`, :cpp:any:`~a::b`, :mod:`os.path`, :class:`!Ghost`, |W|.\n\n"
    assert parse_rst(text + ".. |W| replace:: :class:`~kivy.Widget`\n").prose[0] == (
        "A Layout, b, os.path, Ghost, Widget."
    )


def test_a_substitution_in_a_caption_stands_on_its_own_line():
    text = ".. |k| image:: k.png\n\n.. figure:: f.png\n   :width: 9\n\n   Press the key\n   |k| twice\n"
    assert embedded(text) == [(3, "rst_figure", "f.png"), (7, "rst_image", "k.png")]


def test_an_address_may_be_broken_over_lines():
    text = ".. image:: img/long\n   name.png\n   :alt: A\n\n.. figure:: f.png\n   g.png\n"
    assert embedded(text) == [(1, "rst_image", "img/longname.png"), (5, "rst_figure", "f.png")]
