"""E-mail: subject, people, and the text as HTML or plain; pictures inline and attached."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import PurePosixPath
from urllib.parse import unquote

from kg_pipeline.config import Limits
from kg_pipeline.documents.containers.composer import Composer
from kg_pipeline.documents.errors import UnreadableDocumentError
from kg_pipeline.documents.html import parse_html
from kg_pipeline.documents.parsed import NOT_EMBEDDED_KINDS, ParsedDocument

NESTED = 20
"""Messages in messages that are read."""


def read(data: bytes, limits: Limits) -> ParsedDocument:
    """See the package. Raises UnreadableDocumentError, and what the email package raises."""
    message = email.message_from_bytes(data, _class=EmailMessage, policy=email.policy.default)
    if not message.keys():
        raise UnreadableDocumentError("no e-mail: it has no headers")
    composer = Composer()
    _message(composer, message, 1)
    return composer.document()


def _message(composer: Composer, message: EmailMessage, level: int) -> None:
    composer.heading(min(level, 6), str(message["subject"] or ""))
    for header in ("from", "to", "cc", "date"):
        if message[header]:
            composer.paragraph(f"{header.capitalize()}: {message[header]}")
    pictures = _pictures(message)
    shown: set[str] = set()
    body = message.get_body(("html", "plain"))
    if isinstance(body, EmailMessage):
        text = _content(body)
        if body.get_content_subtype() == "html":
            shown = _html(composer, text, pictures)
        else:
            composer.paragraph(text)
    for key, (name, picture) in pictures.items():
        if key not in shown:
            composer.picture(name, picture)
    for part in message.walk():
        inner = part.get_payload(0) if part.get_content_type() == "message/rfc822" and part.is_multipart() else None
        if isinstance(inner, EmailMessage) and level < NESTED:
            _message(composer, inner, level + 1)


def _html(composer: Composer, text: str, pictures: dict[str, tuple[str, bytes]]) -> set[str]:
    """Write the HTML; returns the keys of the pictures it shows."""
    document = parse_html(text)
    before = composer.text_of(document)
    shown = set()
    for reference in document.references:
        key = unquote(reference.target.removeprefix("cid:"))
        if key in pictures:
            shown.add(key)
            composer.embed(reference, before, *pictures[key])
        elif reference.kind not in NOT_EMBEDDED_KINDS:
            composer.keep(reference, before)
    return shown


def _pictures(message: EmailMessage) -> dict[str, tuple[str, bytes]]:
    """Name and bytes of the pictures of a message, by content id, location or number; not those of messages in it."""
    found: dict[str, tuple[str, bytes]] = {}
    pending: list[object] = [message]
    while pending:
        part = pending.pop(0)
        if not isinstance(part, EmailMessage) or (part is not message and part.get_content_type() == "message/rfc822"):
            continue
        if part.is_multipart():
            pending += list(part.iter_parts())
        elif part.get_content_maintype() == "image":
            data = part.get_payload(decode=True)
            name = PurePosixPath((part.get_filename() or "").replace("\\", "/")).name
            key = str(part["content-id"] or part["content-location"] or f"part {len(found) + 1}").strip().strip("<>")
            if isinstance(data, bytes) and data:
                found[key] = (name or f"p{len(found) + 1}.{part.get_content_subtype().partition('+')[0]}", data)
    return found


def _content(part: EmailMessage) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a charset that nobody knows
        data = part.get_payload(decode=True)
        return data.decode("utf-8", errors="replace") if isinstance(data, bytes) else ""
