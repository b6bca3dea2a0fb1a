"""The exceptions of this package."""


class DocumentError(Exception):
    """Input that no row can stand for, such as a list of hidden references that cannot be read."""


class UnreadableDocumentError(DocumentError):
    """A document is damaged, encrypted, or not what its name says."""


class SkippedDocumentError(DocumentError):
    """A document may be fine, but a guard forbids to read it."""
