"""What can go wrong with a search."""


class RetrievalError(Exception):
    """A question cannot be answered; the message says why and what to do."""
