"""Any mode of pixels as the RGB a person sees: colour profiles, CMYK, 16 bits, and the ground behind transparency."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

WHITE = (255, 255, 255, 255)
DARK = (24, 24, 24, 255)
LIGHT_INK, DARK_INK = 190, 65
"""Luminance (of 255) above which ink is lost on white, below which it is lost on the dark ground."""
GROUND_SIDE = 1024
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
PROFILED_MODES = ("L", "RGB", "CMYK")
PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def as_rgb(image: Image.Image) -> Image.Image:
    """`image` as sRGB. What is transparent becomes white, or dark where what is drawn on it is light.

    A colour profile that is broken or of other colours is left out, as browsers do. More than 8 bits of grey are
    spread from the darkest to the lightest pixel.
    """
    if image.mode in DEEP_MODES:
        # Values beyond 255 would all turn white in Pillow's own conversion.
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        low, spread = values.min(), np.ptp(values)
        return Image.fromarray(((values - low) * (255 / spread if spread else 0)).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return _in_srgb(image)
    picture = image.convert("RGBA")
    alpha = picture.getchannel("A")
    ground = Image.new("RGBA", picture.size, ground_behind(picture))
    if _foreign_profile(image):
        colours = picture.convert("RGB")
        colours.info["icc_profile"] = image.info["icc_profile"]
        picture = _in_srgb(colours)
        picture.putalpha(alpha)
    return Image.alpha_composite(ground, picture).convert("RGB")


def ground_behind(picture: Image.Image) -> tuple[int, int, int, int]:
    """White, or dark if most of what touches the transparent part of an RGBA picture would be lost on white.

    Only what touches it counts: a diagram of white boxes with black lines and words between them needs white.
    """
    small = picture.copy()
    small.thumbnail((GROUND_SIDE, GROUND_SIDE), Image.Resampling.NEAREST)
    alpha = np.asarray(small.getchannel("A"))
    visible = alpha >= max(1, int(alpha.max()) // 2)
    clear = np.pad(~visible, 1)
    touching = visible & (clear[:-2, 1:-1] | clear[2:, 1:-1] | clear[1:-1, :-2] | clear[1:-1, 2:])
    ink = np.asarray(small.convert("RGB").convert("L"))[touching]
    lost_on_white, lost_on_dark = (ink > LIGHT_INK).sum(), (ink < DARK_INK).sum()
    return DARK if lost_on_white > max(lost_on_dark, ink.size // 2) else WHITE


def _in_srgb(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))) or image.convert("RGB")
    if image.mode in PROFILED_MODES and (profile := _foreign_profile(image)):
        return _transformed(image, profile) or image.convert("RGB")
    return image.convert("RGB")


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    try:
        return ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except PROFILE_ERRORS:
        return None


def _foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The profile the picture carries, unless it is sRGB itself, whose conversion would only round."""
    data = image.info.get("icc_profile")
    if not isinstance(data, bytes) or not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        return None if "srgb" in ImageCms.getProfileDescription(profile).lower() else profile
    except PROFILE_ERRORS:
        return None
