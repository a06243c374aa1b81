"""The perceptual hash of a photograph from its bytes: 64 bits that survive another format, size, quality or brightness.

It is the hash of the contract's ``photo_hash``: the signs of the lowest 8 × 8 frequencies of the grey picture against their
median (``phash`` of the library *imagehash*), as 16 hexadecimal digits. Re-used photographs differ in few bits; see
:mod:`features.photographs`.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np

from features.facts import FeatureError

FLAT_LEVELS = 8
"""A picture whose grey levels, reduced to 32 × 32 points, lie within so many of 256 shows nothing that could be recognised."""


def perceptual_hash(picture: bytes) -> str | None:
    """Compute the perceptual hash of one picture, turned upright first if it says how it was held.

    Parameters
    ----------
    picture
        The content of an image file in any format that Pillow reads (JPEG, PNG, WebP, …).

    Returns
    -------
    str or None
        16 hexadecimal digits; ``None`` for a picture that shows nothing (all black, all white): the hashes of such pictures
        coincide although nobody copied from anybody.

    Raises
    ------
    FeatureError
        If the bytes are no picture, the picture is cut off, or it is too large to be opened safely.

    Examples
    --------
    >>> from PIL import Image
    >>> file = BytesIO()
    >>> Image.linear_gradient("L").save(file, "PNG")
    >>> len(perceptual_hash(file.getvalue()))
    16
    """
    # Both libraries are only needed where real files are read: scoring and serving do without their import.
    import imagehash
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(BytesIO(picture)) as opened:
            upright = ImageOps.exif_transpose(opened).convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FeatureError(f"picture: expected an image file, found {_described(picture, error)}") from error
    levels = np.asarray(upright.resize((32, 32)), dtype=np.int64)
    return None if np.ptp(levels) < FLAT_LEVELS else str(imagehash.phash(upright))


def _described(picture: bytes, error: Exception) -> str:
    if not picture:
        return "nothing at all; send the file again"
    what = str(error) if str(error) and "BytesIO" not in str(error) else "something else"
    return f"{len(picture)} bytes that begin with {picture[:8]!r} ({what}); send a complete JPEG or PNG"
