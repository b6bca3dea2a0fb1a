"""Zip files that are documents (Office, EPUB): guarded before anything is unpacked, XML without entities."""

import zipfile
from io import BytesIO
from posixpath import basename, dirname, join, normpath

from lxml import etree

from kg_pipeline.config import Limits
from kg_pipeline.documents.errors import SkippedDocumentError, UnreadableDocumentError

SMALL = 10_000_000
"""Bytes up to which the share of packing is not looked at: a megabyte of zeros is no bomb."""
ENCRYPTED_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
RELATIONSHIPS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def open_package(data: bytes, limits: Limits) -> zipfile.ZipFile:
    """The zip file, when unpacking it cannot hurt. Raises UnreadableDocumentError, SkippedDocumentError."""
    if data.startswith(ENCRYPTED_OFFICE):
        raise UnreadableDocumentError("encrypted with a password, or a file of Office before 2007")
    try:
        package = zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableDocumentError(f"not a zip file, or cut off: {error}") from error
    infos = package.infolist()
    if len(infos) > limits.archive_members:
        raise SkippedDocumentError(f"{len(infos)} parts, more than {limits.archive_members} (limits.archive_members)")
    if sum(info.file_size for info in infos) > limits.document_memory:
        raise SkippedDocumentError(f"unpacks to more than {limits.document_memory} bytes (limits.document_memory)")
    for info in infos:
        if info.flag_bits & 1:
            raise UnreadableDocumentError(f"its part {info.filename} is encrypted")
        if info.file_size > SMALL and info.file_size > limits.archive_ratio * max(info.compress_size, 1):
            raise SkippedDocumentError(
                f"its part {info.filename} is packed tighter than {limits.archive_ratio} to 1 (limits.archive_ratio)"
            )
    return package


def parse_xml(data: bytes) -> etree._Element:
    """The root of an XML part; no entity is expanded, nothing is loaded. Raises etree.XMLSyntaxError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(data, parser)


def parse_export(data: bytes) -> etree._Element:
    """The root of an XML file that a program exported: one that declares anything, such as entities, is none.

    Raises UnreadableDocumentError, etree.XMLSyntaxError.
    """
    root = parse_xml(data)
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableDocumentError("it has a document type of its own, which may hide entities; no export has one")
    return root


def relationships(package: zipfile.ZipFile, part: str) -> dict[str, str]:
    """Id to name of the part that a relationship of `part` leads to; links out of the package are left out."""
    try:
        data = package.read(f"{dirname(part)}/_rels/{basename(part)}.rels".lstrip("/"))
    except KeyError:
        return {}
    return {
        str(link.get("Id")): resolved(part, str(link.get("Target")))
        for link in parse_xml(data).iter(RELATIONSHIPS)
        if link.get("TargetMode") != "External" and link.get("Target")
    }


def resolved(part: str, target: str) -> str:
    """The name of the part that `target` means in `part`."""
    return target.lstrip("/") if target.startswith("/") else normpath(join(dirname(part), target))
