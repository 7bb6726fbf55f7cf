"""TIFFs of every kind of sample that tifffile writes, and JPEGs that libjpeg does not decode."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile

from core.errors import PictureError
from core.picture import open_picture

ROWS, COLUMNS = 48, 64
RAMP = np.linspace(0, 1, COLUMNS)[None, :] * np.ones((ROWS, 1)) * np.linspace(0.5, 1, ROWS)[:, None]
RGB = np.stack([RAMP, RAMP[:, ::-1], RAMP * 0 + 0.25], -1)
FULL = {"u1": 2**8 - 1, "u2": 2**16 - 1, "u4": 2**32 - 1, "u8": 2**63}
FLOATS = ("f2", "f4", "f8")
WAYS = {
    "strips": {"rowsperstrip": 7},
    "tiles": {"tile": (16, 32)},
    "lzw": {"compression": "lzw", "predictor": False},
    "zlib": {"compression": "zlib", "predictor": False, "rowsperstrip": 5},
    "big-endian": {"byteorder": ">"},
    "bigtiff": {"bigtiff": True},
}
PREDICTED = {
    "lzw": {"compression": "lzw", "predictor": True},
    "zlib tiles": {"compression": "zlib", "predictor": True, "tile": (16, 32)},
    "zstd": {"compression": "zstd", "predictor": True, "byteorder": ">"},
}


@pytest.fixture
def shown(tmp_path):
    """Writes a TIFF and returns what of it is shown, as RGB values in int."""

    def shown(values, **options):
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, values, **options)
        picture = open_picture(path)
        assert picture.notes == ()
        return np.asarray(picture.pixels).astype(int)

    return shown


def as_type(values, kind):
    return (values * FULL[kind]).astype(kind) if kind in FULL else values.astype(kind)


def write_with_tag(path, values, tag, value, **options):
    """Writes a TIFF with a tag that tifffile leaves out, or writes otherwise."""
    spare = 65000
    tifffile.imwrite(path, values, extratags=[(spare, 3, 1, value, True)], **options)
    data, entry = path.read_bytes(), struct.pack("<HHI", spare, 3, 1)
    assert data.count(entry) == 1
    path.write_bytes(data.replace(entry, struct.pack("<HHI", tag, 3, 1)))


def assert_is(seen, meant):
    wanted = meant if meant.ndim == 3 else np.stack([meant] * 3, -1)
    assert seen.shape == wanted.shape
    assert np.abs(seen - wanted * 255).max() <= 1.01


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", *FLOATS])
@pytest.mark.parametrize("colours", ["grey", "white is zero", "rgb", "planar rgb"])
def test_every_kind_of_sample_is_shown_as_it_is_meant(shown, kind, colours, way):
    values = as_type(RGB if "rgb" in colours else RAMP, kind)
    options = dict(WAYS[way])
    if kind in ("u4", "u8"):
        # Of wide integers the least and the greatest become black and white.
        values.flat[:2] = 0, FULL[kind]
    meant = values / np.float64(FULL.get(kind, 1))
    match colours:
        case "white is zero":
            options["photometric"], meant = "miniswhite", 1 - meant
        case "planar rgb":
            values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
            options |= {"photometric": "rgb", "planarconfig": "separate"}
        case _:
            options["photometric"] = "rgb" if colours == "rgb" else "minisblack"
    assert_is(shown(values, **options), meant)


@pytest.mark.parametrize("way", PREDICTED)
@pytest.mark.parametrize("kind", ["u2", "u4", *FLOATS])
def test_predictors_are_undone(shown, kind, way):
    values = as_type(RAMP, kind)
    values.flat[:2] = 0, FULL.get(kind, 1)
    meant = values / np.float64(FULL.get(kind, 1))
    assert_is(shown(values, photometric="miniswhite", **PREDICTED[way]), 1 - meant)
    if kind != "u2":
        colours = as_type(RGB, kind)
        colours.flat[:2] = 0, FULL.get(kind, 1)
        assert_is(
            shown(colours, photometric="rgb", **PREDICTED[way]),
            colours / np.float64(FULL.get(kind, 1)),
        )


@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15])
@pytest.mark.parametrize("colours", ["minisblack", "rgb"])
@pytest.mark.parametrize("way", ["strips", "bigtiff"])
def test_packed_bits_are_unpacked(shown, bits, colours, way):
    most = 2**bits - 1
    values = ((RGB if colours == "rgb" else RAMP) * most).astype("u2")
    options = WAYS[way]
    assert_is(shown(values, bitspersample=bits, photometric=colours, **options), values / most)


@pytest.mark.parametrize("kind", ["u2", "f4"])
@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
def test_grey_with_alpha_is_shown_on_white(shown, kind, alpha):
    opacity = np.where(np.arange(COLUMNS) < COLUMNS // 2, 0.5, 1.0)[None, :] * np.ones((ROWS, 1))
    grey = RAMP * opacity if alpha == "assocalpha" else RAMP
    values = as_type(np.stack([grey, opacity], -1), kind)
    seen = shown(values, photometric="minisblack", extrasamples=[alpha], planarconfig="contig")
    meant = np.stack([RAMP * opacity + (1 - opacity)] * 3, -1)
    assert np.abs(seen - meant * 255).max() <= 2


@pytest.mark.parametrize("kind", ["i1", "f2", "f4", "f8"])
def test_values_out_of_the_usual_range_are_shown_from_the_least_to_the_greatest(shown, kind):
    values = (RAMP * 200 - 100).astype(kind)
    low, high = float(values.min()), float(values.max())
    assert_is(shown(values, photometric="minisblack"), (values.astype("f8") - low) / (high - low))


def test_numbers_that_are_none_are_black_and_spoil_nothing(shown):
    values = RAMP.astype("f4")
    values[0, :3] = np.nan, np.inf, -np.inf
    seen = shown(np.stack([values] * 3, -1), photometric="rgb")
    assert_is(seen[1:], RAMP[1:])


def test_orientation_and_pages_are_kept(tmp_path):
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(RGB.astype("f4"), photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    picture = open_picture(path)
    assert picture.pixels.size == (ROWS, COLUMNS)
    assert picture.notes == ("This is the first of 3 frames.",)


def test_cut_file_shows_what_is_there_and_says_so(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, RGB.astype("f4"), photometric="rgb", rowsperstrip=4)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    picture = open_picture(path)
    assert "incomplete" in picture.notes[0]
    assert_is(np.asarray(picture.pixels).astype(int)[:20], RGB[:20])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("kind", ["u2", "i2", "i4", "f4"])
def test_big_endian_grey_is_shown_as_little_endian_grey_is(shown, kind, compression):
    values = (RAMP * {"u2": 65535, "i2": 32767, "i4": 70000, "f4": 1}[kind]).astype(kind)
    options = {"photometric": "minisblack", "compression": compression, "predictor": False}
    little, big = (shown(values, byteorder=order, **options) for order in "<>")
    assert np.ptp(little) > 100
    np.testing.assert_array_equal(little, big)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_single_samples_in_separate_planes_are_shown(tmp_path, kind, photometric, compression):
    path = tmp_path / "image.tif"
    options = {"photometric": photometric, "compression": compression, "predictor": False}
    write_with_tag(path, as_type(RAMP, kind), 284, 2, **options)
    seen = np.asarray(open_picture(path).pixels).astype(int)
    assert_is(seen, RAMP if photometric == "minisblack" else 1 - RAMP)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_samples_beyond_the_colours_are_left_out(shown, kind, photometric, planes):
    colours = RGB if photometric == "rgb" else RAMP[..., None]
    values = as_type(np.concatenate([colours, 1 - RGB[..., :2]], -1), kind)
    if planes == "separate":
        values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    extra = ["unspecified", "unspecified"]
    seen = shown(values, photometric=photometric, planarconfig=planes, extrasamples=extra)
    meant = colours.squeeze()
    assert_is(seen, 1 - meant if photometric == "miniswhite" else meant)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_bytes_of_grey_with_alpha_are_shown_on_white(shown, photometric, planes):
    values = as_type(np.stack([RAMP, RAMP * 0 + 0.5], -1), "u1")
    if planes == "separate":
        values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    seen = shown(values, photometric=photometric, planarconfig=planes, extrasamples=["unassalpha"])
    grey = RAMP if photometric == "minisblack" else 1 - RAMP
    assert np.abs(seen - np.stack([(grey + 1) / 2] * 3, -1) * 255).max() <= 2


def test_samples_of_an_undefined_kind_are_unsigned(tmp_path):
    path = tmp_path / "image.tif"
    write_with_tag(path, as_type(RAMP, "u2"), 339, 4, photometric="minisblack")
    assert_is(np.asarray(open_picture(path).pixels).astype(int), RAMP)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"photometric": "cielab"}, "CIELab, 16 bits"),
        ({"photometric": "ycbcr"}, "YCbCr, 16 bits"),
        ({"photometric": "icclab"}, "ICCLab, 16 bits"),
        ({"photometric": "linear_raw"}, "linear raw, 16 bits"),
        ({"photometric": 4711}, "4711, 16 bits"),
        ({"photometric": "rgb", "compression": "jpeg2000"}, "JPEG 2000"),
        ({"photometric": "rgb", "compression": "jpegxl"}, "JPEG XL"),
        ({"photometric": "rgb", "compression": "lerc"}, "LERC"),
    ],
    ids=str,
)
def test_kind_that_nobody_reads_is_named_and_not_called_damaged(tmp_path, options, name):
    path = tmp_path / "image.tif"
    photometric = options["photometric"]
    is_number = isinstance(photometric, int)
    written = options | {"photometric": "rgb"} if is_number else options
    tifffile.imwrite(path, as_type(RGB, "u2"), planarconfig="contig", **written)
    if is_number:
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages.first.tags[262].overwrite(photometric)
    with pytest.raises(PictureError) as error:
        open_picture(path)
    assert name in str(error.value)
    assert str(error.value).endswith("Save it as PNG.")


def test_subsampled_colours_without_compression_are_named(tmp_path):
    path = tmp_path / "image.tif"
    subsampled = np.full((ROWS // 2, COLUMNS // 2 * 6), 128, "u1")
    tifffile.imwrite(path, subsampled, photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        for tag, value in ((256, COLUMNS), (257, ROWS), (262, 6), (277, 3), (278, ROWS)):
            tags[tag].overwrite(value)
    with pytest.raises(PictureError, match="YCbCr, 8 bits"):
        open_picture(path)


def test_complex_numbers_are_named(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, RAMP.astype("c8"))
    with pytest.raises(PictureError, match=r"complex numbers. Save it"):
        open_picture(path)


EIGHT = (RGB * 255).astype("u1")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (imagecodecs.ljpeg_encode(np.ascontiguousarray(EIGHT[..., 0])), "(lossless JPEG)"),
        (imagecodecs.jpegls_encode(EIGHT), "(JPEG-LS)"),
        (
            imagecodecs.jpeg_encode((RAMP * 4095).astype("u2"), bitspersample=12),
            "(12 bits)",
        ),
    ],
    ids=["lossless", "LS", "12 bits"],
)
def test_jpeg_that_cannot_be_decoded_is_named(tmp_path, data, kind):
    path = tmp_path / "image.jpg"
    path.write_bytes(data)
    with pytest.raises(PictureError) as error:
        open_picture(path)
    assert kind in str(error.value)
    assert "Save it as a plain JPEG" in str(error.value)
