"""Variables in prompts, and the metadata that they are filled in from."""

import struct

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from core.captions.metadata import Metadata, metadata_of
from core.captions.variables import (
    Notes,
    explained,
    filled,
    personal_variables,
    variables_in,
    without_variables,
)

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
 xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
 photoshop:City="Wien" photoshop:DateCreated="1987-05" {more}>
<Iptc4xmpCore:Location>Prater</Iptc4xmpCore:Location><photoshop:Country>Österreich</photoshop:Country>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A ride &amp;
 a crowd</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>wheel</rdf:li><rdf:li> fair </rdf:li><rdf:li>wheel</rdf:li></rdf:Bag>
</dc:subject>
<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ada</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>
<rdf:li><rdf:Description mwg-rs:Type="Face" mwg-rs:Name="Grace"/></rdf:li>
<rdf:li rdf:parseType="Resource"><mwg-rs:Type>Face</mwg-rs:Type>
<mwg-rs:Name>Ada</mwg-rs:Name></rdf:li>
<rdf:li><rdf:Description mwg-rs:Type="Pet" mwg-rs:Name="Rex"/></rdf:li>
</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li
 MPReg:PersonDisplayName="Alan"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
SAID = Metadata(
    date="May 1987",
    place="Prater, Wien, Österreich",
    description="A ride & a crowd",
    keywords=("wheel", "fair"),
    people=("Ada", "Grace", "Alan"),
)


def photo():
    """EXIF data as a camera writes it."""
    exif = Image.Exif()
    base, gps = ExifTags.Base, ExifTags.GPS
    exif[base.Make], exif[base.Model] = "NIKON CORPORATION", "NIKON D90"
    exif[base.ImageDescription] = "OLYMPUS DIGITAL CAMERA         "
    exif[base.Artist] = "A. Person"
    exif.get_ifd(ExifTags.IFD.Exif)[base.DateTimeOriginal] = "2011:03:09 10:11:12"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            gps.GPSLatitudeRef: "N",
            gps.GPSLatitude: (48.0, 12.0, 30.0),
            gps.GPSLongitudeRef: "E",
            gps.GPSLongitude: (16.0, 22.0, 12.0),
        }
    )
    return exif


def with_iptc(path, *records):
    """Writes IPTC records into a JPEG, as press programs do."""
    data = b"".join(
        bytes((0x1C, part, kind)) + struct.pack(">H", len(value)) + value
        for part, kind, value in records
    )
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    content = b"Photoshop 3.0\0" + block
    jpeg = path.read_bytes()
    segment = b"\xff\xed" + struct.pack(">H", len(content) + 2) + content
    path.write_bytes(jpeg[:2] + segment + jpeg[2:])


@pytest.fixture
def picture(tmp_path):
    (tmp_path / "Expedition").mkdir()
    path = tmp_path / "Expedition" / "a.jpg"
    Image.new("RGB", (8, 6)).save(path, exif=photo())
    return path


def test_camera_says_when_where_and_with_what_but_describes_nothing(picture):
    assert metadata_of(picture) == Metadata(
        date="9 March 2011", place="48.2083° N, 16.3700° E", camera="NIKON D90"
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_xmp_in_the_file_counts_before_exif(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    data = XMP.format(more="").encode()
    image = Image.new("RGB", (8, 6))
    if suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", data.decode())
        image.save(path, pnginfo=info, exif=photo())
    elif suffix == ".tif":
        image.save(path, exif=photo(), tiffinfo={700: data})
    else:
        image.save(path, xmp=data, exif=photo())
    found = metadata_of(path)
    if suffix != ".tif":  # Pillow writes either EXIF data or other tags into a TIFF.
        assert found.camera == "NIKON D90"
    assert (
        Metadata(found.date, found.place, "", found.description, found.keywords, found.people)
        == SAID
    )


@pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp"])
def test_sidecar_counts_first(picture, name):
    (picture.parent / name).write_text(XMP.format(more=""), encoding="utf-8")
    assert metadata_of(picture) == SAID.over(Metadata(camera="NIKON D90"))
    (picture.parent / name).write_text(
        XMP.format(more="").replace("Wien", "Graz"), encoding="utf-8"
    )
    assert "Graz" in metadata_of(picture).place


def test_sidecar_of_another_image_is_not_this_ones(picture):
    more = 'photoshop:SidecarForExtension="NEF"'
    (picture.parent / "a.xmp").write_text(XMP.format(more=more), encoding="utf-8")
    assert metadata_of(picture).people == ()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_iptc_of_older_programs_is_read(picture, encoding):
    place, words = "Würzburg".encode(encoding), "Tür".encode(encoding)
    with_iptc(picture, (1, 90, b"\x1b%G") if encoding == "utf-8" else (2, 0, b"\0\2"),
              (2, 90, place), (2, 101, b"Germany"), (2, 25, words), (2, 25, b"gate"),
              (2, 120, b"A door"), (2, 55, b"19991231"))  # fmt: skip
    assert metadata_of(picture) == Metadata(
        "31 December 1999", "Würzburg, Germany", "NIKON D90", "A door", ("Tür", "gate")
    )


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    "content", [b"", b"not xml", b"<x/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"]
)
def test_broken_metadata_counts_as_missing(picture, tmp_path, content):
    (picture.parent / "a.xmp").write_bytes(content)
    assert metadata_of(picture).camera == "NIKON D90"
    other = tmp_path / "b.jpg"
    Image.new("RGB", (4, 4)).save(other, exif=b"Exif\0\0II*\0\xff\xff\xff\xff", xmp=content or b"x")
    with_iptc(other, (2, 25, b"x"))
    other.write_bytes(other.read_bytes()[:-3])
    assert metadata_of(other).keywords == ("x",)
    assert metadata_of(tmp_path / "none.jpg") == metadata_of(tmp_path) == Metadata()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2011:03:09 10:11:12", "9 March 2011"),
        ("0000:00:00 00:00:00", ""),
        ("2011:13:40 00:00:00", ""),
        ("    :  :     :  :  ", ""),
        ("1987:05:00 00:00:00", "May 1987"),
    ],
)
def test_date_is_as_people_write_it(tmp_path, text, shown):
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = text
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    assert metadata_of(tmp_path / "a.jpg").date == shown


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (
            "{folder}: {name} by {camera} on {date}",
            "Expedition: a.jpg by NIKON D90 on 9 March 2011",
        ),
        ("{stem} {index} {exif:Artist} {exif:Nothing}", "a 7 A. Person"),
        ("Describe this[, with {people}].", "Describe this."),
        ("Describe this[, taken on {date}].", "Describe this, taken on 9 March 2011."),
        ("[Known:[ people {people}][ on {date}]. ]Go", "Known: on 9 March 2011. Go"),
        ("[Known:[ people {people}][ about {keywords}]. ]Go", "Go"),
        ("[{people} on {date}. ]Go", "Go"),
        ("Who is {people} here?", "Who is here?"),
        ("{people} is here", "is here"),
        ("Here is {people}, you know", "Here is, you know"),
        ("Here is {people}\nand {people}.", "Here is\nand."),
        ("{people}|{people}", "|"),
        ("Two  spaces [1] {x} {} [a] ] {date", "Two  spaces [1] {x} {} [a] ] {date"),
        ("[open {date}", "[open 9 March 2011"),
        ("Now: {caption} {folder_note} {image_note}", "Now: {date} [x] 1987 blurred"),
        ("\0{date}", "9 March 2011"),
        ("", ""),
    ],
)
def test_missing_values_leave_no_stray_words(picture, prompt, text):
    notes = Notes(" 1987 ", "blurred")
    assert filled(prompt, picture, 7, "{date} [x]", notes) == text


def test_preview_says_which_values_are_known_and_which_are_missing(picture):
    found = explained("{date}[ with {people}] {date} {name} {exif:Make}[ {keywords}]", picture, 1)
    assert dict(found.values) == {
        "date": "9 March 2011",
        "name": "a.jpg",
        "exif:Make": "NIKON CORPORATION",
    }
    assert found.missing == ("people", "keywords")


def test_values_are_one_line_and_not_endless(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "A\x07 cat\r\n " + "x" * 5000
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    said = metadata_of(tmp_path / "a.jpg").description
    assert said.startswith("A cat x")
    assert len(said) == 1000


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_texts_are_read_in_their_encodings(tmp_path, order):
    exif, base = Image.Exif(), ExifTags.Base
    exif.endian = order
    wide = "utf-16-le" if order == "<" else "utf-16-be"
    exif[base.XPTitle] = "Größe 🚲\0".encode("utf-16-le")
    exif[base.XPAuthor] = "Ada\0".encode("utf-16-le")
    texts = exif.get_ifd(ExifTags.IFD.Exif)
    texts[base.UserComment] = b"UNICODE\0" + "Überblick".encode(wide)
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSProcessingMethod] = b"ASCII\0\0\0NETWORK\0"
    gps[ExifTags.GPS.GPSAreaInformation] = b"JIS\0\0\0\0\0" + "東京".encode("iso2022_jp")
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    names = ("XPTitle", "XPAuthor", "UserComment", "GPSProcessingMethod", "GPSAreaInformation")
    prompt = "|".join(f"{{exif:{name}}}" for name in names)
    said = filled(prompt, tmp_path / "a.jpg", 1)
    assert said == "Größe 🚲|Ada|Überblick|NETWORK|東京"


def test_variables_of_people_are_known():
    prompt = "{name} {folder} {date} {camera} {caption} {index} {folder_note} {exif:Model} {x}"
    assert personal_variables(prompt) == ()
    personal = ("people", "place", "description", "keywords", "exif:GPSLatitude", "exif:Artist",
                "exif: cameraownername", "exif:BodySerialNumber")  # fmt: skip
    prompt = " ".join(f"[{{{name}}}]" for name in (*personal, "people", "date"))
    assert personal_variables(prompt) == personal
    assert variables_in(prompt) == (*personal, "date")
    assert without_variables("a {people} b").split() == ["a", "b"]


def test_exif_tags_that_may_name_somebody_need_consent():
    """Whole packets of metadata, and tags that only a later Pillow knows, too."""
    technical = ("Make", "Model", "LensModel", "ExposureTime", "FNumber", "ISOSpeedRatings",
                 "DateTimeOriginal", "OffsetTimeOriginal", "FocalLengthIn35mmFilm", "Orientation",
                 " software ", "ExifImageWidth", "Rating")  # fmt: skip
    personal = ("XMLPacket", "IPTCNAA", "ImageResources", "MakerNote", "ImageHistory", "GPSInfo",
                "PageName", "TargetPrinter", "OriginalRawFileName", "RawDataUniqueID", "ImageID",
                "DNGPrivateData", "SecurityClassification", "Photographer", "ImageEditor",
                "CameraOwnerName", "hostcomputer", "XPAuthor")  # fmt: skip
    for names, are_personal in ((technical, False), (personal, True)):
        for name in names:
            assert bool(personal_variables(f"{{exif:{name}}}")) == are_personal, name


def test_brackets_may_be_as_deep_as_somebody_likes(picture):
    deep = 20_000
    assert filled("[" * deep + "{camera}" + "]" * deep, picture, 1) == "NIKON D90"
    assert filled("a" + "[" * deep + " {people}" + "]" * deep + ".", picture, 1) == "a."
    assert filled("[" * deep + "{camera}", picture, 1) == "[" * deep + "NIKON D90"
    assert filled("{camera}" + "]" * deep, picture, 1) == "NIKON D90" + "]" * deep


def test_one_odd_value_leaves_the_others(tmp_path):
    """Coordinates as one number each, where EXIF has degrees, minutes and seconds."""
    gps: dict[int, float] = {ExifTags.GPS.GPSLatitude: 48.5, ExifTags.GPS.GPSLongitude: 16.5}
    exif = photo()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    found = metadata_of(tmp_path / "a.jpg")
    assert (found.camera, found.date, found.place) == ("NIKON D90", "9 March 2011", "")
