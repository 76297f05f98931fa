"""How large a picture may be, and the check of one before anything is allocated."""

from dataclasses import dataclass, fields

from indexing.errors import InputError, PictureError, RefusalReason

__all__ = ["DecodeLimits"]

MEGA = 1_000_000


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What a picture may cost; beyond it the picture is refused as too large.

    The defaults keep a build with four decoding threads under 1.5 GB: decodings of more than
    64 MB run one at a time.

    Parameters
    ----------
    max_file_bytes : int
        Size of the file.
    max_header_pixels : int
        Width x height as the header has them. JPEGs this large are decoded at reduced size.
    max_decoded_pixels : int
        Pixels that the decoder puts out, after the reduced-size decoding of a JPEG.
    max_working_bytes : int
        Memory that decoding takes, as estimated from the header: from 4 bytes a pixel for a JPEG
        to 20 for a WebP, and the coefficients of a progressive JPEG, which are held whole.
    """

    max_file_bytes: int = 256 * 2**20
    max_header_pixels: int = 400 * MEGA
    max_decoded_pixels: int = 100 * MEGA
    max_working_bytes: int = 640 * MEGA

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise InputError(
                    f"{field.name} is {getattr(self, field.name)}; it counts from 1; raise it"
                )

    def check_file(self, n_bytes: int) -> None:
        """Raise :class:`PictureError` if a file of `n_bytes` is too large."""
        if n_bytes > self.max_file_bytes:
            raise PictureError(
                RefusalReason.TOO_LARGE,
                f"{n_bytes / MEGA:,.0f} MB; at most {self.max_file_bytes / MEGA:,.0f} MB are read",
            )

    def check_picture(
        self, size: tuple[int, int], decoded: tuple[int, int], working_bytes: int
    ) -> None:
        """Raise :class:`PictureError` if a picture is too large to be decoded.

        Parameters
        ----------
        size : tuple of int
            Width and height in the header.
        decoded : tuple of int
            Width and height that the decoder would put out.
        working_bytes : int
            Memory that this would take.
        """
        for found, limit, unit in (
            (size[0] * size[1], self.max_header_pixels, "megapixels"),
            (decoded[0] * decoded[1], self.max_decoded_pixels, "megapixels to decode"),
            (working_bytes, self.max_working_bytes, "MB of memory to decode"),
        ):
            if found > limit:
                raise PictureError(
                    RefusalReason.TOO_LARGE,
                    f"{size[0]} x {size[1]} pixels: {found / MEGA:,.0f} {unit}; "
                    f"at most {limit / MEGA:,.0f} are taken",
                )
