"""What can go wrong with an image, an archive or an address of one."""


class ImageError(Exception):
    """An image, an inventory or an OCR table cannot be used; the message says what, where, why and what to do."""


class UnreadableError(ImageError):
    """The bytes are missing, damaged or no image at all."""


class SkippedError(ImageError):
    """The image may be fine, but a guard forbids to read it."""
