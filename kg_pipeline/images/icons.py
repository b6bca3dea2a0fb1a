"""Icon files (ICO): the largest of their pictures, not decoded before its size is known."""

import struct
from typing import Any

from PIL import IcoImagePlugin, Image

PNG = b"\x89PNG\r\n\x1a\n"


class IconFile(IcoImagePlugin.IcoImageFile):
    """The largest picture of an icon file, of equals the one of most colours.

    Pillow's own class decodes it while it opens the file, when no limit on pixels has been asked yet, and believes the
    table in front, which cannot say more than 256.
    """

    def _open(self) -> None:
        assert self.fp is not None
        self.ico = IcoImagePlugin.IcoFile(self.fp)
        self.fp.seek(self.ico.entry[0].offset)
        begins = self.fp.read(24)
        if begins.startswith(PNG):
            self._size = struct.unpack(">II", begins[16:24])
        else:  # a bitmap without file header; its height counts the mask as well
            width, height = struct.unpack("<ii", begins[4:12])
            self._size = (width, abs(height) // 2)
        self._mode = "RGBA"

    def load(self) -> Any:
        """Decode it."""
        if self._im is None:
            picture = self.ico.frame(0)
            picture.load()
            self.im, self._mode, self._size, self.palette = picture.im, picture.mode, picture.size, picture.palette
        return Image.Image.load(self)
