"""What can go wrong with an image, an archive or an address of one."""

import struct
import zlib

from PIL import Image

# What Pillow's decoders let through for damaged files, found by cutting and flipping bytes of every format.
DECODING_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    SystemError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class ImageError(Exception):
    """An image, an inventory or an OCR table cannot be used; the message says what, where, why and what to do."""


class UnreadableError(ImageError):
    """The bytes are missing, damaged or no image at all."""


class SkippedError(ImageError):
    """The image may be fine, but a guard forbids to read it."""
