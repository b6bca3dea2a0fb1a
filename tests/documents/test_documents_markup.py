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
    assert parsed(".wiki", WIKI).prose[1] == "Turn it left, see the manual ."
