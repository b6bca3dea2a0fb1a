"""What is read in AsciiDoc, Org, LaTeX and MediaWiki text."""

import pytest

from kg_pipeline.documents.formats import FORMATS


def parsed(suffix: str, text: str):
    return FORMATS[suffix].parse(text)


def references(document):
    return [(r.line, r.kind, r.target, r.alt, r.caption) for r in document.references]


ASCIIDOC = """= Pump Manual
:imagesdir: img

== Valve

Turn it left. image:icon.png[Icon] Then look.

.The valve from above
[#valve]
image::valve.png[Valve, 300]

----
image::not-shown.png[]
----
// image::commented.png[]
"""

ORG = """#+TITLE: Pump Manual
* TODO Valve :part:
Turn it left, see [[file:manual.org][the manual]].

#+CAPTION: The valve from above
#+ATTR_HTML: :alt Valve :width 300
[[file:img/valve.png]]

[[./img/big.png][large]]
#+begin_src text
[[file:not.png]]
#+end_src
"""

LATEX = r"""\title{Pump Manual}
\graphicspath{{img/}}
\section{Valve} % left
Turn it \emph{left} by 90\,\%. See \ref{valve}.

\begin{figure}
  \centering
  \includegraphics[width=3cm, alt={A valve}]{valve}
  \caption{The valve
    from \textbf{above}}
  \label{valve}
\end{figure}
% \includegraphics{commented.png}
\includegraphics{lid.pdf}
"""

WIKI = """= Valve =
Turn it '''left''', see [[Manual|the manual]]<ref>p. 4</ref>.

[[File:Valve above.png|thumb|300px|alt=Valve|The [[valve|brass valve]] from above]]
* [[:File:Lid.jpg]]
<gallery>
File:A b.png|First
</gallery>
"""


@pytest.mark.parametrize(
    ("suffix", "text", "heading", "found"),
    [
        (
            ".adoc",
            ASCIIDOC,
            "Valve",
            [
                (6, "asciidoc_inline", "img/icon.png", "Icon", None),
                (10, "asciidoc_image", "img/valve.png", "Valve", "The valve from above"),
            ],
        ),
        (
            ".org",
            ORG,
            "Valve",
            [
                (7, "org_image", "img/valve.png", "Valve", "The valve from above"),
                (9, "link", "./img/big.png", None, None),
            ],
        ),
        (
            ".tex",
            LATEX,
            "Valve",
            [
                (8, "latex_graphics", "img/valve.*", "A valve", "The valve from above"),
                (14, "latex_graphics", "img/lid.pdf", None, None),
            ],
        ),
        (
            ".wiki",
            WIKI,
            "Valve",
            [
                (4, "wiki_image", "Valve_above.png", "Valve", "The brass valve from above"),
                (5, "link", "Lid.jpg", None, None),
                (7, "wiki_image", "A_b.png", None, "First"),
            ],
        ),
    ],
)
def test_images_with_alt_texts_and_captions(suffix, text, heading, found):
    document = parsed(suffix, text)
    assert references(document) == found
    assert document.headings[-1].text == heading
    prose = "\n".join(document.prose)
    assert "from above" not in prose
    assert "valve.png" not in prose
    assert "Turn it" in prose


def test_titles():
    titles = [parsed(suffix, text).title for suffix, text in ((".adoc", ASCIIDOC), (".org", ORG), (".tex", LATEX))]
    assert titles == ["Pump Manual"] * 3


def test_prose_of_latex_and_wiki_is_without_markup():
    assert parsed(".tex", LATEX).prose[3] == "Turn it left by 90 %. See ."
    assert parsed(".wiki", WIKI).prose[1] == "Turn it left, see the manual . p. 4"


OWN_COMMANDS = r"""\newcommand{\pump}{Pump\emph{Master} 3000}
\def\pic#1#2{\begin{figure}\includegraphics{img/#1}\caption{#2}\end{figure}}
\begin{document}
Die \pump{} f\"ordert \verb|\start| m\'{\i}t Stra\ss e, \v{S}koda, \LaTeX.
\pic{valve.png}{The
valve of the \pump}
\begin{verbatim}
\pump f\"ur
\end{verbatim}
"""


def test_latex_reads_accents_and_the_short_names_and_figures_that_a_text_defines():
    document = parsed(".tex", OWN_COMMANDS)
    assert document.prose[3] == "Die PumpMaster 3000 fördert start mít Straße, Škoda, LaTeX."
    assert references(document) == [
        (5, "latex_graphics", "img/valve.png", None, "The valve of the PumpMaster 3000"),
    ]
    assert document.prose[7] == '\\pump f\\"ur' and len(document.prose) == OWN_COMMANDS.count("\n") + 1


def test_latex_reads_labels_of_lists_titles_of_slides_and_comments_in_code():
    text = r"""\begin{frame}[t]{The pump}
\item[Lid] opens the hy\-drau\-lics % not this
Write \begin{verbatim}
\newcommand{\a}{b} % needed
\end{verbatim} here.
\end{frame}"""
    prose = parsed(".tex", text).prose
    assert prose == ("The pump", "Lid opens the hydraulics", "Write", r"\newcommand{\a}{b} % needed", "here.", "")


def test_latex_that_defines_itself_ends():
    text = (
        r"\def\a{\b\b\b}\def\b{\a\a\a}\newcommand\c[1]{\c{#1\c{#1}}\includegraphics{#1}}" + "\n\\a \\b \\c{x.png}" * 50
    )
    assert sum(map(len, parsed(".tex", text).prose)) < 5_000


def test_a_picture_in_wikitext_may_have_a_caption_over_several_lines_with_links_of_both_kinds():
    text = "[[File:Pump.jpg|thumb|Seen from [https://example.org above],\nwith the [[valve|lid]] {{on|1|2}}.]]\nText."
    document = parsed(".wiki", text)
    assert [(line, target) for line, _, target, _, _ in references(document)] == [(1, "Pump.jpg")]
    assert "with the lid" in (document.references[0].caption or "")
    assert document.prose == ("", "", "Text.")


def test_a_link_of_org_whose_words_are_a_picture_shows_the_picture():
    text = "[[https://example.org][file:img/pump.png]]\n#+BEGIN_EXPORT html\n<img src='lid.png'>\n#+END_EXPORT"
    assert references(parsed(".org", text)) == [
        (1, "org_image", "img/pump.png", None, None),
        (3, "org_image", "lid.png", None, None),
    ]


def test_a_usage_line_of_asciidoc_is_text_and_a_line_of_attributes_is_not():
    document = parsed(
        ".adoc", "*pump*\n[ *--help* ]\n[ FILE ... ]\n\n[[valve]]\n[.lead%header,cols=2*]\nTurn it.\n|===\n|a |b\n|==="
    )
    assert document.prose == ("*pump*", "[ *--help* ]", "[ FILE ... ]", "", "", "", "Turn it.", "", "|a |b", "")


@pytest.mark.parametrize(
    ("suffix", "mark"),
    [
        (".adoc", "image::a["),
        (".org", "[[a"),
        (".org", "[[a][b"),
        (".wiki", "[http://a "),
        (".wiki", "[[File:a"),
        (".wiki", "<ref>"),
        (".wiki", "<!--"),
        (".tex", r"\includegraphics["),
        (".tex", r"\newcommand\a{"),
    ],
)
def test_marks_that_are_never_closed_are_read_in_time(suffix, mark):
    # Each of the first four took up to a minute once: the search for the end began anew at every mark.
    assert parsed(suffix, mark * (50_000 // len(mark))).prose
