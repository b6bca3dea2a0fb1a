"""Captions that formats without markup for them are known to have."""

import re

# "Figure 3", "Fig. 3-2:", "Abbildung 4", "图 5". A sentence that begins so ("Figure 3 shows …") is prose.
_CAPTION = re.compile(
    r"""\s*(?:
        (?i:figure|fig\.?|illustration|image|picture|photo|plate|screenshot|chart|diagram|scheme|exhibit|plot
          |abbildung|abb\.|bild|figura|imagen|imagem|foto|рис(?:унок|\.)|afbeelding|kuva|rysunek|obr(?:ázek|\.))
        \s*\(?(?:[A-Z]\.?[-.–]?)?[\dIVX]+(?:[-.–:]\d+)*[a-z]?\)?\s*(?:[:.–—|-]|$|\s(?=[A-ZÀ-ÞА-Я"“(]))
      | [图圖図그림]{1,2}\s*\d+(?:[-.–]\d+)*\s*[\s:：.．、]?
    )""",
    re.VERBOSE,
)


def is_caption(line: str) -> bool:
    """Whether a line begins as the caption of a picture does."""
    return _CAPTION.match(line) is not None
