"""Text in a picture's EXIF block, by an allow-list: when it was taken and what it is said to show. Never a position."""

import re

from PIL import Image

from kg_pipeline.images.errors import DECODING_ERRORS

# https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E (Exif 3.0), sections 4.6.5 and 4.6.6
EXIF_BLOCK = 0x8769
DATE_TIME_ORIGINAL = 0x9003
DATE_TIME = 0x0132
IMAGE_DESCRIPTION = 0x010E
USER_COMMENT = 0x9286
CHARACTER_CODES = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp", b"\0" * 8: "utf-8"}

TIME = re.compile(r"([12]\d{3}):(\d\d):(\d\d)[ T](\d\d:\d\d:\d\d)")
# What cameras write when nobody wrote anything.
PLACEHOLDER = re.compile(
    r"(olympus|minolta|samsung|kodak|konica|sony|nikon)?\s*(digital (still )?camera|dsc)\b|\W*", re.I
)
# Phone and drone programs repeat the position in free text: such text is left out whole.
POSITION = re.compile(
    r"""\b(gps|lat|latitude|lon|lng|longitude|coordinates?)\b | 经度 | 纬度
    | \d\s*[°º] | \d\s*['’′"”″]+\s*[NSEW]\b | \b[NSEW]\s*\d{1,3}\W{1,2}\d   # degrees, minutes, seconds
    | -?\d{1,3}\.\d{3,}\D{1,4}-?\d{1,3}\.\d{3,}                             # two numbers of many digits
    """,
    re.IGNORECASE | re.VERBOSE,
)


def exif_texts(image: Image.Image) -> list[str]:
    """Time (`2019-05-04 12:00:01`), description and comment of an opened picture, as far as it has them."""
    try:
        exif = image.getexif()
        camera = exif.get_ifd(EXIF_BLOCK)
    except DECODING_ERRORS:
        # Broken EXIF blocks are common, in pictures that are fine; nothing but the block is lost.
        return []
    time = TIME.match(_plain(camera.get(DATE_TIME_ORIGINAL) or exif.get(DATE_TIME)))
    texts = [f"{time[1]}-{time[2]}-{time[3]} {time[4]}"] if time else []
    for value in (exif.get(IMAGE_DESCRIPTION), camera.get(USER_COMMENT)):
        text = _plain(value)
        if not PLACEHOLDER.fullmatch(text) and not POSITION.search(text) and text not in texts:
            texts.append(text)
    return texts


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        encoding = CHARACTER_CODES.get(value[:8])
        value = value[8:].decode(encoding, "replace") if encoding else value.decode("utf-8", "replace")
    return " ".join(str(value or "").replace("\0", " ").split()) if isinstance(value, str) else ""
