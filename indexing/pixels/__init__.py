"""Picture files to pixels: read safely, decode safely, refuse with a reason.

A file is first *examined*: its container is walked from the first byte to the end marker, so
that a file whose end is missing is known before a decoder sees it, its size is known before
anything is allocated, and what reaches the decoder holds pixels only. Metadata that Pillow would
parse (and warn about) is left out; the EXIF orientation is read here. Nothing of Pillow's global
state is read or changed, so :func:`decode` may run in any number of threads.

What cannot be seen: a JPEG says nothing about damage inside its entropy-coded data but through
warnings of libjpeg, which Pillow does not pass on. For a baseline JPEG in one scan (all but the
progressive ones) the decoder is therefore fed so that one that runs out of data early, or has
data left, shows. Measured on 1,628 photographs of 4 to 15 KB, that finds 98 % of files with 512
random bytes in the middle and 90 % of those with 2,048 zeros, but only 23 % of flipped bytes: the
Huffman code falls into step again, and a stripe of wrong colour is left. Damage inside a
progressive JPEG, a lossy WebP or the pixels of an uncompressed file passes unseen.
"""

from indexing.pixels.decoding import Framing, Resample, decode, open_rgb
from indexing.pixels.limits import DecodeLimits
from indexing.pixels.reading import read_picture

__all__ = ["DecodeLimits", "Framing", "Resample", "decode", "open_rgb", "read_picture"]
