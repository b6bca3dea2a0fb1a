"""What can go wrong with descriptions as a whole."""


class DescriptionError(Exception):
    """No descriptions can be had now; the message says from whom, why and what to do, never a key."""
