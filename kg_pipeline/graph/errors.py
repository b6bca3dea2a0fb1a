"""The errors of the graph package."""


class GraphError(Exception):
    """The graph cannot be reached, read or written; the message says where, why and what to do."""


class SupersededError(GraphError):
    """A newer run of the same collection has claimed the graph; this one must not write any more."""


class DriftError(GraphError):
    """The graph does not hold what was last written to it: somebody else changed it."""
