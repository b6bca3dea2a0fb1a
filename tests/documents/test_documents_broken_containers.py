"""Broken files of every format: never a crash of the run, never longer than the limit, counted."""

import random
from collections import Counter
from hashlib import sha256

import pytest
from small_office import FILES

from kg_pipeline.config import Limits
from kg_pipeline.documents.decoding import BinaryFileError, decode
from kg_pipeline.documents.formats import FORMATS, format_of
from kg_pipeline.documents.opening import PARSER_ERRORS, ToOpen, open_documents, take_apart
from kg_pipeline.documents.shelf import Shelf


def mutated(data: bytes, seed: int) -> bytes:
    """`data` cut, or with bytes flipped, doubled, taken out or put in."""
    chance = random.Random(seed)
    broken = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 10, 50))):
        place = chance.randrange(len(broken)) if broken else 0
        match chance.randrange(6):
            case 0:
                broken[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del broken[place : place + chance.randrange(1, 200)]
            case 2:
                broken[place:place] = broken[place : place + chance.randrange(1, 200)]
            case 3:
                broken[place:place] = chance.randbytes(chance.randrange(1, 40))
            case 4:
                broken[place : place + 4] = chance.choice(
                    (b"\xff" * 4, b"\0" * 4, b"9999", b"<<<<", b"\x7f" + b"\xff" * 3)
                )
            case _:
                broken = broken[: place + 1] if chance.random() < 0.2 else broken
    return bytes(broken)


def read_mutations(suffix: str, count: int, tmp_path) -> dict[str, int]:
    """How many of `count` broken files ended with which status; every one of them has an entry on the shelf."""
    form, shelf = format_of(f"file{suffix}"), Shelf(tmp_path / "shelf")
    good = FILES[suffix]()
    items = []
    for seed in range(count):
        data = mutated(good, seed)
        file = tmp_path / f"{seed}{suffix}"
        file.write_bytes(data)
        items.append(ToOpen(file, sha256(data).hexdigest(), form))
    open_documents(items, shelf, Limits(document_seconds=20, document_memory=500_000_000), 2)
    counts: dict[str, int] = {}
    for item in items:
        entry = shelf.load(item.sha256, form)
        assert entry is not None
        assert (entry.error is None) == (entry.status == "ok")
        counts[entry.status] = counts.get(entry.status, 0) + 1
    return counts


@pytest.mark.parametrize("suffix", FILES)
def test_mutated_files_are_read_or_counted(suffix, tmp_path):
    counts = read_mutations(suffix, 50, tmp_path)
    assert sum(counts.values()) == 50
    assert set(counts) <= {"ok", "unreadable", "skipped"}


@pytest.mark.soak
@pytest.mark.parametrize("suffix", FILES)
def test_a_thousand_mutated_files_are_read_or_counted(suffix, tmp_path):
    counts = read_mutations(suffix, 1000, tmp_path)
    assert sum(counts.values()) == 1000


@pytest.mark.parametrize("suffix", FILES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_truncated_files_are_read_or_counted(suffix, share, tmp_path):
    good = FILES[suffix]()
    data = good[: int(len(good) * share)]
    (tmp_path / "cut").write_bytes(data)
    shelf = Shelf(tmp_path / "shelf")
    item = ToOpen(tmp_path / "cut", sha256(data).hexdigest(), format_of(f"file{suffix}"))
    take_apart(shelf, Limits(), item)
    entry = shelf.load(item.sha256, item.form)
    assert entry is not None
    assert entry.status == "ok" or entry.error


# What each format of text has marks for: title, section, picture with alt text and caption, link, code, table.
TEXTS = {
    ".md": """---
title: Pump
---
# Valve
![The valve](img/v.png "Above")
[p](a.md) <img src=b.png alt='B'>

```
x
```
|a|b|
""",
    ".mdx": """import Pump from './p.svg'

# Valve
<Pump alt="P"/>
![[v.png]]
{{< figure src="b.png" >}}
""",
    ".rst": """Pump
====
.. figure:: img/v.png
   :alt: The valve

   Above |p|

.. |p| image:: p.png
.. code::

   x

= =
a b
= =
""",
    ".html": """<!doctype html><title>P</title><h1>Pump</h1>
<figure>
<img src=v.png alt=V srcset='a.png 2x'><figcaption>A</figure>
<!-- x --><pre>x</pre>
""",
    ".adoc": """= Pump
:imagesdir: img

== Valve

.Above
image::v.png[The valve, 30, title="A"]

----
x
----
|===
|a |b
|===
{imagesdir}
""",
    ".org": """#+TITLE: Pump
* TODO Valve :a:
#+CAPTION: Above
#+ATTR_HTML: :alt V :width 3
[[file:v.png]] [[a.org][b]]
#+begin_src c
x
#+end_src
""",
    ".tex": r"""\title{Pump}\newcommand{\p}{Pu\emph{mp}}\def\f#1{\includegraphics{#1}}
\section{V}\f{v.png}\p{} \"u \verb|x|
\begin{figure}\includegraphics[alt={V}]{v}
\caption{A}\end{figure}
""",
    ".wiki": """= Pump =
[[File:V.png|thumb|alt=V|The [[valve|lid]]
above]] {{t|a}}<ref>n</ref>
<gallery>
A.png|B
</gallery>
{|
! a || b
|}
""",
    ".txt": """Pump

The valve.
""",
}


def parse_mutations(suffix: str, count: int) -> Counter[str]:
    """What came of `count` broken texts; a line of some goes on with one mark of the format, 300 times."""
    good, chance, outcomes = TEXTS[suffix].encode() * 3, random.Random(suffix), Counter[str]()
    marks = sorted({good[place : place + length] for place in range(len(good) // 3) for length in (2, 5)})
    for seed in range(count):
        broken = mutated(good, seed)
        place = chance.randrange(len(broken) + 1)
        broken = broken[:place] + chance.choice(marks) * chance.choice((0, 1, 300)) + broken[place:]
        try:
            outcomes["read"] += len(FORMATS[suffix].parse(decode(broken)).prose) > 0
        except BinaryFileError:
            outcomes["binary"] += 1
        except PARSER_ERRORS as error:  # such a document is a row with status unreadable
            outcomes[type(error).__name__] += 1
    return outcomes


@pytest.mark.parametrize("suffix", TEXTS)
def test_mutated_texts_are_read_or_counted(suffix):
    assert set(parse_mutations(suffix, 50)) == {"read", "binary"}


@pytest.mark.soak
@pytest.mark.parametrize("suffix", TEXTS)
def test_a_thousand_mutated_texts_are_read_or_counted(suffix):
    outcomes = parse_mutations(suffix, 1000)
    assert outcomes.total() == 1000 and outcomes["read"] + outcomes["binary"] > 950


def test_every_format_of_text_is_mutated():
    assert {FORMATS[suffix].name for suffix in TEXTS} == {form.name for form in FORMATS.values()}
