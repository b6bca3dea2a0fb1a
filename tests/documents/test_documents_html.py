import pytest

from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.passages import AT_MOST, cut_passages, width


def embedded(text):
    return [(ref.line, ref.kind, ref.target) for ref in parse_html(text).references]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<img src=x.png>", "html_img"),
        ("<IMG SRC='x.png'/>", "html_img"),
        ("<img class=lazy data-src='x.png'>", "html_img"),
        ("<img srcset='x.png 2x'>", "html_img"),
        ("<picture><source srcset='x.png'></picture>", "html_source"),
        ("<svg><image xlink:href='x.png'/></svg>", "html_svg_image"),
        ("<input type=image src=x.png>", "html_input"),
        ("<video poster=x.png></video>", "html_poster"),
        ("<object data=x.png></object>", "html_object"),
        ("<embed src=x.png>", "html_embed"),
        ("<p style=\"background: url('x.png') no-repeat\">", "css_url"),
        ("<p style='background:url(x.png)'>", "css_url"),
        ("<td background=x.png>", "html_background"),
        ("<a href=x.png>big</a>", "link"),
        ("<link rel='shortcut icon' href=x.png>", "link"),
        ("<meta property=og:image content=x.png>", "link"),
        ("<!-- <p><img src='x.png'></p> -->", "commented"),
        ("<noscript><img src=x.png></noscript>", "html_img"),
    ],
)
def test_ways_to_embed_link_and_comment_out(text, kind):
    assert embedded(f"<p>\n{text}\n") == [(2, kind, "x.png")]


@pytest.mark.parametrize(
    "text",
    [
        "<script>'<img src=\"x.png\">'</script>",
        "<pre>&lt;img src=x.png></pre>",
        "<textarea><img src=x.png></textarea>",
        "<xmp><img src=x.png></xmp>",
        "{% highlight html %}\n<img src=x.png>\n{% endhighlight %}",
        "<style>a{background:url(x.png)}</style>",
    ],
)
def test_scripts_and_escaped_markup_hold_no_references(text):
    assert embedded(text) == []


def test_the_line_is_that_of_the_path_in_a_wrapped_tag():
    assert embedded("<p>a\n<img\n  alt='x > y'\n  src='x.png'>\n") == [(4, "html_img", "x.png")]


def test_every_size_of_a_responsive_image():
    text = "<picture><source srcset='a.webp 1x,b.webp 2x'><img src=c.png srcset='c.png 1x, d,e.png 100w'></picture>"
    assert {row[2] for row in embedded(text)} == {"a.webp", "b.webp", "c.png", "d,e.png"}


def test_a_caption_belongs_to_the_images_of_its_figure_and_is_no_prose():
    document = parse_html(
        "<img src=a.png><figure><img src=b.png alt=B><figcaption>The <i>cap</i></figcaption></figure>x"
    )
    assert [(ref.target, ref.alt, ref.caption) for ref in document.references] == [
        ("a.png", None, None),
        ("b.png", "B", "The cap"),
    ]
    assert document.prose == ("x",)


def test_prose_marks_bold_and_code_and_keeps_paragraphs_on_their_lines():
    text = "<h1>T &amp; x</h1>\n<p>Click <b>OK</b> or\n<kbd>Esc</kbd>&nbsp;now.<br>Then</p><p>img/secret.png</p>"
    assert parse_html(text).prose == ("T & x", "Click **OK** or", "`Esc` now. Then")


def test_titles_headings_and_base():
    document = parse_html("<title>Page\n T</title><base href='x/'><h2>A <img src=a.png>b</h2>")
    assert (document.page_title, document.base, document.headings[0].text) == ("Page T", "x/", "A b")


def test_broken_markup_is_read_to_the_end():
    text = "<p><b>open <ul><li>one<li>two</table></div><img src=a.png\n<img src=b.png>\n<p class='unclosed"
    assert len(embedded(text)) == 1
    assert parse_html("<title>T\n<body>Text").prose == ("", "Text")


def test_front_matter_of_a_jekyll_page_is_skipped():
    document = parse_html("---\nlayout: x\n---\n<p>Text</p>\n<img src=\"{{ '/a.png' | relative_url }}\">\n")
    assert "".join(document.prose).strip() == "Text"
    assert [(ref.line, ref.target) for ref in document.references] == [(5, "{{ '/a.png' | relative_url }}")]


@pytest.mark.parametrize("mark", ["¶", "#", "&para;", "\uf0c1", "\u200b", "🔗"])
def test_the_address_mark_behind_a_heading_is_no_part_of_it(mark):
    document = parse_html(f"<h1>C# and <a href=x>F</a> <a class=headerlink href='#c'>{mark}</a></h1>")
    assert document.headings[0].text == "C# and F"
    assert document.prose == ("C# and F",)


def test_a_page_on_one_line_is_cut_at_its_headings():
    page = (
        "<html><body><h1>Pump</h1><p>Before the start.</p><h2>Valve</h2><p>Open it.</p><img src='valve.png'>"
        "<p>Figure 1</p><h2>Filter<a href='#filter'>#</a></h2><p>Clean it.</p><img src='filter.png'></body></html>"
    )
    document = parse_html(page)
    passages = cut_passages(document, "x")
    assert [(passage.heading_path, passage.text) for passage in passages] == [
        (("Pump",), "Pump\nBefore the start."),
        (("Pump", "Valve"), "Valve\nOpen it. Figure 1"),
        (("Pump", "Filter"), "Filter\nClean it."),
    ]
    assert {(passage.line_start, passage.line_end) for passage in passages} == {(1, 1)}
    held = {reference.target: reference.line for reference in document.references}
    assert passages[1].row_start <= held["valve.png"] <= passages[1].row_end
    assert passages[2].row_start <= held["filter.png"] <= passages[2].row_end


def test_a_long_line_is_cut_between_its_paragraphs():
    paragraphs = "".join(f"<p>{'word ' * 60}</p>" for _ in range(10))
    passages = cut_passages(parse_html(f"<h1>A</h1>\n<div>{paragraphs}</div>\n<p>end</p>"), "x")
    assert all(width(passage.text) <= AT_MOST for passage in passages)
    assert [passage.line_start for passage in passages[:3]] == [1, 2, 2]
    assert [passage.line_end for passage in passages] == [2] * (len(passages) - 1) + [3]


def test_a_page_with_a_block_on_a_line_has_a_row_for_each_line():
    assert parse_html("<h1>A</h1>\n<p>one <b>two</b></p>\n<ul>\n<li>three</li>\n</ul>").lines == ()


@pytest.mark.parametrize(
    "menu",
    [
        "<nav><div><nav>Pages</nav><h2>All pages</h2>Valves, pumps</div></nav>",
        "<div class='sphinxsidebar'><div>Valves</div>pumps</div>",
        "<div role=navigation><h3>Pages</h3><ul><li>Valves</li></ul></div>",
        "<ul class='docnav top'><li>Previous: valves</ul>",
    ],
)
def test_navigation_is_no_text_and_its_pictures_are_still_found(menu):
    page = parse_html(f"<body>{menu}<h1>Filter</h1><p>Clean it.<nav><img src=next.png>Next</nav></p><p>End.</p>")
    assert " ".join(" ".join(page.prose).split()) == "Filter Clean it. End."
    assert [heading.text for heading in page.headings] == ["Filter"]
    assert [reference.target for reference in page.references] == ["next.png"]


def test_navigation_that_never_ends_is_read():
    assert "Clean it." in " ".join(parse_html("<nav><a>Home</a><h1>Filter</h1><p>Clean it.</p>").prose)
