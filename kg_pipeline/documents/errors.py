"""The exception of this package."""


class DocumentError(Exception):
    """Input that no row can stand for, such as a list of hidden references that cannot be read."""
