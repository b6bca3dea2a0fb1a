"""Passages and pictures as text for a language model to read and to quote."""

from kg_pipeline.retrieval.hits import Hit, Picture


def told(hit: Hit) -> str:
    """A passage with its place, and its pictures below it."""
    lines = [f"[{place(hit)}] {hit.heading or ''}".rstrip(), body(hit)]
    return "\n".join(lines + [told_picture(picture) for picture in hit.pictures])


def told_picture(picture: Picture) -> str:
    """What it shows, where it is, how sure that is."""
    sure = "shown there" if picture.referenced else f"confidence {picture.confidence or 0:.2f}"
    return f"Picture: {picture.caption or picture.path} <{picture.uri or picture.path}> ({sure})"


def place(hit: Hit) -> str:
    """document:line, and the page where there are pages."""
    line = f":{hit.line}" if hit.line else ""
    return f"{hit.document}{line}{f', page {hit.page}' if hit.page else ''}"


def body(hit: Hit) -> str:
    """Its text without its own heading, which begins it."""
    own = hit.heading.rpartition(" > ")[2] if hit.heading else ""
    return hit.text.removeprefix(own).strip()
