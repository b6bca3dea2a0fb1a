import pytest

from kg_pipeline.documents.markdown import parse_markdown, parse_mdx


def embedded(text, parse=parse_markdown):
    return [(ref.line, ref.kind, ref.target) for ref in parse(text).references]


def test_inline_images_know_their_line_inside_a_paragraph():
    text = 'Text ![one](1.png) and\nmore ![two](<2 b.png> "Cap")\n\n> quoted\n> ![three](3.png)\n'
    assert embedded(text) == [(1, "md_image", "1.png"), (2, "md_image", "2 b.png"), (5, "md_image", "3.png")]
    second = parse_markdown(text).references[1]
    assert (second.alt, second.caption) == ("two", "Cap")


def test_reference_style_images_stand_where_they_are_used():
    assert embedded("a\n\n![x][pic] ![pic]\n\n[pic]: img/p.png\n") == [(3, "md_image", "img/p.png")] * 2


def test_several_images_in_one_table_cell():
    text = "| a | b |\n|---|---|\n| ![1](1.png) ![2](2.png) | <img src='3.png'> |\n"
    assert embedded(text) == [(3, "md_image", "1.png"), (3, "md_image", "2.png"), (3, "html_img", "3.png")]


def test_images_in_lists_of_any_depth():
    text = "1. one\n\n   ![a](a.png)\n   - two\n\n     ![b](b.png)\n     1. three\n        ![c](c.png)\n"
    assert [row[0] for row in embedded(text)] == [3, 6, 8]


@pytest.mark.parametrize(
    "text",
    [
        "para\n\n    ![x](x.png)\n",
        "```md\n![x](x.png)\n```\n",
        "~~~\n<img src=x.png>\n~~~\n",
        "`![x](x.png)` and ``<img src='x.png'>``\n",
        "<script>\nvar a = '<img src=\"x.png\">';\n</script>\n",
        "\\![x](x.html)\n",
        "<pre>\n&lt;img src=x.png&gt;\n</pre>\n",
    ],
)
def test_code_and_scripts_hold_no_references(text):
    assert [row for row in embedded(text) if row[1] not in ("link",)] == []


def test_commented_images_are_told_apart():
    text = 'a <!-- ![x](x.png) -->\n\n<!--\n![y](y.png)\n\n<img src="z.png">\n-->\n![w](w.png)\n'
    assert embedded(text) == [
        (1, "commented", "x.png"),
        (4, "commented", "y.png"),
        (6, "commented", "z.png"),
        (8, "md_image", "w.png"),
    ]


def test_a_link_to_an_image_is_not_an_embedding():
    assert embedded("[x](a.png) [![t](t.png)](b.png) [no](c.html)\n") == [
        (1, "link", "a.png"),
        (1, "link", "b.png"),
        (1, "md_image", "t.png"),
    ]


def test_ms_learn_images():
    text = '1. Do\n\n     :::image type="content" source="../m/a.png" alt-text="The *big* :: one":::\n\n::: zone-end\n'
    document = parse_markdown(text)
    assert embedded(text) == [(3, "ms_image", "../m/a.png")]
    assert document.references[0].alt == "The *big* :: one"
    assert "".join(document.prose) == "- Do"


def test_a_markdown_image_in_a_figure_has_its_caption():
    document = parse_markdown("<figure markdown>\n  ![a](a.png)\n  <figcaption>The cap</figcaption>\n</figure>\n")
    assert [(ref.line, ref.target, ref.caption) for ref in document.references] == [(2, "a.png", "The cap")]
    assert "".join(document.prose).strip() == ""


def test_mkdocs_blocks_hold_markdown_and_not_code():
    text = (
        '!!! note "Look"\n\n    ![a](a.png)\n\n=== "Tab"\n\n    ??? tip\n        ![b](b.png){ width=3 }\n\n'
        "```\n!!! note\n    ![no](no.png)\n```\n"
    )
    assert embedded(text) == [(3, "md_image", "a.png"), (8, "md_image", "b.png")]
    assert "Look" in parse_markdown(text).prose[0]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ('{{< figure src="/img/a.png" alt="A" caption="C" >}}', "/img/a.png"),
        ("{{% img src='a.png' %}}", "a.png"),
        ('{% include image.html url="/img/a.png" %}', "/img/a.png"),
        ("{% include figure image_path=\"/img/a.png\" alt='A' %}", "/img/a.png"),
        ("{% img right /img/a.png 200 %}", "/img/a.png"),
    ],
)
def test_shortcodes(line, target):
    assert embedded(f"text\n\n{line}\n\n```\n{line}\n```\n") == [(3, "shortcode", target)]


def test_template_tags_stay_in_the_target():
    text = "![x]({{ site.baseurl }}/a b/c.png)\n<img src=\"{{ '/d.png' | relative_url }}\">\n"
    assert [row[2] for row in embedded(text)] == ["{{ site.baseurl }}/a b/c.png", "{{ '/d.png' | relative_url }}"]


def test_template_comments_are_comments():
    assert embedded("{% comment %}\n![x](x.png)\n{% endcomment %}\n") == [(2, "commented", "x.png")]


def test_docusaurus_ways_to_embed():
    text = (
        "import Pic from '@site/static/img/p.png';\n\n<img src={Pic} alt=\"p\" />\n\n"
        "<img src={require('./r.png').default} />\n\n<img src={useBaseUrl('/img/u.png')} />\n\n"
        "<ThemedImage\n  sources={{\n    light: useBaseUrl('/img/l.png'),\n    dark: useBaseUrl('/img/d.png'),\n"
        "  }}\n/>\n"
    )
    targets = ["@site/static/img/p.png", "./r.png", "/img/u.png", "/img/l.png", "/img/d.png"]
    assert [row[2] for row in embedded(text, parse_mdx)] == targets


def test_an_imported_drawing_is_an_image_where_it_is_used():
    text = "import Logo from './logo.svg';\n\n## Drawing {#drawing}\n\n<Logo />\n"
    assert embedded(text, parse_mdx) == [(5, "html_img", "./logo.svg")]
    assert [line for line in parse_mdx(text).prose if line] == ["Drawing"]


def test_tabs_indent_mkdocs_blocks_too():
    assert embedded('=== "A"\n\n\t![x](x.png)\n') == [(3, "md_image", "x.png")]


def test_indentation_is_no_code_in_mdx():
    text = "<Tabs>\n  <TabItem>\n\n    ![x](x.png)\n\n  </TabItem>\n</Tabs>\n"
    assert embedded(text, parse_mdx) == [(4, "md_image", "x.png")]


def test_myst_directives():
    text = "```{figure} f.png\n:alt: A\n:name: n\n\nThe cap\n```\n\n"
    text += "```{note}\n![n](n.png)\n```\n\n:::{image} c.png\n:alt: C\n:::\n"
    assert embedded(text) == [(1, "myst_figure", "f.png"), (9, "md_image", "n.png"), (12, "myst_image", "c.png")]
    assert parse_markdown(text).references[0].caption == "The cap"


def test_spaces_and_sizes_in_targets():
    text = "![a](my pic.png) ![b](b.png =300x200) ![c](c(1).png)\n"
    assert [row[2] for row in embedded(text)] == ["my pic.png", "b.png", "c(1).png"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: 'A: b'\n---\n# H\n", "A: b"),
        ("---\ntitle: A {{ x }}: b\nbad: [\n---\n# H\n", "A {{ x }}: b"),
        ('+++\ntitle = "T"\n+++\n# H\n', "T"),
        ("# H **b** `c`\n", None),
    ],
)
def test_titles_in_front_matter(text, title):
    assert parse_markdown(text).title == title


def test_headings_of_both_styles_and_in_html():
    text = "---\ntitle: x\n---\n# One `two`\n\nThree\n---\n\n<h2 align=center>Four</h2>\n\n```\n# no\n```\n"
    found = [(heading.line, heading.level, heading.text) for heading in parse_markdown(text).headings]
    assert found == [(4, 1, "One two"), (6, 2, "Three"), (9, 2, "Four")]


def test_prose_keeps_marks_of_labels_and_loses_image_names():
    text = "Click **OK** or `Go`, “x”, 「保存」, see [the manual](m.html) ![alt words](secret.png) in img/secret.png.\n"
    assert parse_markdown(text).prose[0] == "Click **OK** or `Go`, “x”, 「保存」, see the manual in ."


def test_image_markup_in_code_is_taken_out_of_the_prose():
    prose = "".join(parse_markdown("```\n![my alt](secret.png)\n<img src='secret.png' alt=q>\ncode\n```\n").prose)
    assert prose.strip() == "code"


def test_an_import_called_img_is_no_component():
    text = "import img from './a.png'\nconst b = require('./b.png')\n\n<img src={img} />\n\n<img src={b} />\n"
    assert embedded(text, parse_mdx) == [(4, "html_img", "./a.png"), (6, "html_img", "./b.png")]


def test_mdx_goes_on_behind_a_tag_and_has_comments_of_its_own():
    text = "<br />\n![a](a.png)\n<Image img={require('./b.png')} />\n\n{/* ![c](c.png) */}\n\n`{/*` ![d](d.png)\n"
    assert embedded(text, parse_mdx) == [
        (2, "md_image", "a.png"),
        (3, "html_img", "./b.png"),
        (5, "commented", "c.png"),
        (7, "md_image", "d.png"),
    ]


def test_attributes_that_vue_binds():
    text = """<script setup>
import logo from './logo.png'
</script>

::: details More
<img :src="$withBase('/a.png')" :alt="x">
<img v-bind:src="logo">
:::
"""
    assert embedded(text) == [(6, "html_img", "/a.png"), (7, "html_img", "./logo.png")]


def test_images_of_a_github_wiki():
    text = "[[img/a b.png|alt=Map|width=300]] and [[c.png]], but [[Page]] and [[Other|page.html]]\n"
    assert embedded(text) == [(1, "wiki_image", "img/a b.png"), (1, "wiki_image", "c.png")]
    assert parse_markdown(text).references[0].alt == "Map"


def test_pictures_that_the_code_of_r_markdown_shows():
    text = """```{r, echo=FALSE}
knitr::include_graphics(c("a.png",
                          'b.png'))
```

```r
knitr::include_graphics("no.png")
```
"""
    assert embedded(text) == [(2, "knitr", "a.png"), (3, "knitr", "b.png")]


@pytest.mark.parametrize("attributes", ["{ width=300 }", "{width=10 height=20}", "{: .wide }", '{ .a loading="lazy" }'])
def test_attribute_lists_are_no_prose(attributes):
    document = parse_markdown(f"Press ![a](a.png){attributes} twice\n\n- {attributes} __Set__ {{x}}\n")
    assert [" ".join(line.split()) for line in document.prose if line.strip()] == ["Press twice", "- **Set** {x}"]


def test_highlighted_code_of_jekyll_and_hugo_is_code():
    text = "{% highlight html %}\n![x](x.png)\n\n<img src=x.png>\n{% endhighlight %}\n\n![y](y.png)\n"
    assert embedded(text) == [(7, "md_image", "y.png")]
    hugo = text.replace("{% highlight html %}", '{{< highlight html "linenos=table" >}}')
    assert embedded(hugo.replace("{% endhighlight %}", "{{< /highlight >}}")) == [(7, "md_image", "y.png")]


def test_the_kind_of_a_callout_is_no_text_and_its_title_is():
    text = "> [!IMPORTANT]\n> Wear gloves.\n\n> [!tip]- Short cut\n> Press F5.\n\n> [!VIDEO https://x.org/embed/1]\n"
    text += "\n[![build](b.svg)](ci) and a[!NOTE]\n"
    lines = [line.strip(" >") for line in parse_markdown(text).prose]
    assert [line for line in lines if line] == ["Wear gloves.", "Short cut", "Press F5.", "and a[!NOTE]"]
