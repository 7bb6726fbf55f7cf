"""Caption files beside images: which belongs to which, what they may be, and what is never done."""

import os
import sys
import threading
import time
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.captions import xmp
from core.captions.encoding import decoded
from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.sidecar import Existing
from core.errors import StoreError
from tests.support.folder_run import FolderEngine

PROMPT = "What is it?"
OPTIONS = BatchOptions((PROMPT,))
NFC, NFD = (unicodedata.normalize(form, "Köln é") for form in ("NFC", "NFD"))
ON_LINUX = sys.platform.startswith("linux")
posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes")
exact_names = pytest.mark.skipif(not ON_LINUX, reason="names differ by case and normal form")
WAYS = ("skip", "append", "prepend", "replace")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def run(folder, tmp_path):
    """Run over the folder to its end, closed at the end of the test."""
    begun = []

    def run(*roots, **changes):
        changes["writes"] = tuple(map(CaptionFormat, changes.get("writes", ("txt",))))
        if "existing" in changes:
            changes["existing"] = Existing(changes["existing"])
        options = replace(OPTIONS, **changes)
        begun.append(Batch.begin(roots or [folder], options, tmp_path / "journals"))
        begun[-1].run(FolderEngine(), Control())
        return begun[-1]

    yield run
    for batch in begun:
        batch.close()


def paint(folder, *names):
    for name in names:
        Image.new("RGB", (8, 6), "red").save(folder / name, "PNG")


def states(batch):
    return {item.path.name: item.state.value for item in batch.items}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def said(path):
    data = path.read_bytes()
    is_xmp = path.suffix.lower() == ".xmp"
    return xmp.description_of(data) if is_xmp else data.decode().strip()


def write(path, text):
    is_xmp = path.suffix.lower() == ".xmp"
    path.write_bytes(
        xmp.described(None, description=text, alt_text="") if is_xmp else text.encode()
    )


# Names


def test_images_of_one_stem_have_an_xmp_file_each(run, folder):
    paint(folder, "a.jpg", "a.png", "a.webp", "b.png")
    assert set(states(run(writes=("xmp",))).values()) == {"done"}
    assert [name for name in names_in(folder) if name.endswith("xmp")] == [
        "a.jpg.xmp",
        "a.png.xmp",
        "a.webp.xmp",
        "b.xmp",
    ]
    for name in ("a.jpg", "a.png", "a.webp"):
        assert said(folder / f"{name}.xmp") == f"{name}: {PROMPT}"


@pytest.mark.parametrize("existing", WAYS)
@pytest.mark.parametrize("name", ["{stem}", "{name}", "x-{stem}", "{stem}_{name}"])
@pytest.mark.parametrize("writes", [("txt",), ("xmp",), ("txt", "xmp")], ids=str)
def test_no_file_holds_the_caption_of_another_image(run, folder, existing, name, writes):
    paint(folder, "a.jpg", "a.png", "a.jpg.png", "b.png")
    batch = run(writes=writes, name=name, existing=existing)
    shares = name in ("{stem}", "x-{stem}") and (name != "{stem}" or "txt" in writes)
    assert states(batch)["a.png"] == ("failed" if shares else "done")
    if shares:
        reason = next(item.reason for item in batch.items if item.path.name == "a.png")
        assert "“a.png” and “a.jpg”" in reason
    done = [item for item in batch.items if item.state.value == "done"]
    texts = [said(path) for path in folder.iterdir() if path.suffix in (".txt", ".xmp")]
    assert sorted(texts) == sorted(item.caption for item in done for _ in writes)
    assert batch.undo() == []
    assert names_in(folder) == ["a.jpg", "a.jpg.png", "a.png", "b.png"]


def test_a_second_run_tells_of_a_shared_file_too(run, folder):
    paint(folder, "a.jpg")
    assert not run().warning
    paint(folder, "a.png")
    batch = run()
    assert states(batch) == {"a.jpg": "skipped", "a.png": "failed"}
    assert "1 image would write the caption file of another" in batch.warning


@pytest.mark.parametrize("mark", ["CR2", "cr2", ".CR2"])
@pytest.mark.parametrize("existing", WAYS)
def test_xmp_of_another_extension_is_left_alone(run, folder, existing, mark):
    paint(folder, "a.jpg")
    raw = xmp.described(None, description="The raw file", alt_text="", extension=mark)
    (folder / "a.xmp").write_bytes(raw)
    assert states(run(writes=("xmp",), existing=existing)) == {"a.jpg": "done"}
    assert (folder / "a.xmp").read_bytes() == raw
    assert said(folder / "a.jpg.xmp") == f"a.jpg: {PROMPT}"


def test_xmp_beside_a_raw_file_may_be_the_raw_files(run, folder):
    paint(folder, "a.jpg")
    (folder / "a.NEF").write_bytes(b"raw")
    write(folder / "a.xmp", "Whose?")
    before = (folder / "a.xmp").read_bytes()
    run(writes=("xmp",), existing="replace")
    assert (folder / "a.xmp").read_bytes() == before
    assert said(folder / "a.jpg.xmp") == f"a.jpg: {PROMPT}"


def test_xmp_that_was_ours_stays_ours_when_a_namesake_comes(run, folder):
    paint(folder, "a.jpg")
    run(writes=("xmp",))
    paint(folder, "a.png")
    assert states(run(writes=("xmp",))) == {"a.jpg": "skipped", "a.png": "done"}
    assert said(folder / "a.xmp") == f"a.jpg: {PROMPT}"
    assert said(folder / "a.png.xmp") == f"a.png: {PROMPT}"


def test_name_holds_for_xmp_too(run, folder):
    paint(folder, "a.jpg")
    run(writes=("xmp", "txt"), name="{name}")
    assert names_in(folder) == ["a.jpg", "a.jpg.txt", "a.jpg.xmp"]
    with pytest.raises(ValueError, match="not a valid name for captions"):
        run(writes=("xmp",), name="captions")


@pytest.mark.parametrize("existing", WAYS)
@pytest.mark.parametrize("kind", ["txt", "xmp"])
def test_image_that_is_called_like_a_caption_is_never_written_over(run, folder, kind, existing):
    paint(folder, f"a.{kind}", "a.png", "b.png")
    picture = (folder / f"a.{kind}").read_bytes()
    batch = run(writes=(kind,), existing=existing)
    assert (folder / f"a.{kind}").read_bytes() == picture
    assert states(batch)["a.png"] == (
        "skipped" if (kind, existing) == ("txt", "skip") else "failed"
    )
    assert states(batch)["b.png"] == "done"
    run(folder / f"a.{kind}", folder / "a.png", writes=(kind,), existing=existing)
    assert (folder / f"a.{kind}").read_bytes() == picture


def test_names_that_make_room_for_an_image_called_like_a_caption_are_shared_by_nobody(run, folder):
    paint(folder, "a.txt", "a.png", "a.png.jpg")
    pictures = [folder / name for name in ("a.txt", "a.png", "a.png.jpg")]
    batch = run(*pictures, existing="append")
    assert sorted(states(batch).values()) == ["done", "done", "failed"]
    done = [item for item in batch.items if item.state.value == "done"]
    assert [said(folder / name) for name in ("a.txt.txt", "a.png.txt")] == [i.caption for i in done]


@posix
@pytest.mark.parametrize("kind", ["txt", "xmp"])
def test_one_folder_by_two_paths_is_captioned_once(run, folder, tmp_path, kind):
    paint(folder, "a.png", "a.jpg")
    (tmp_path / "link").symlink_to(folder)
    batch = run(folder, tmp_path / "link", writes=(kind,), name="{name}", existing="append")
    assert [item.state.value for item in batch.items] == ["done", "done", "failed", "failed"]
    assert "are in the same folder" in batch.items[-1].reason
    for item in batch.items[:2]:
        assert said(folder / f"{item.path.name}.{kind}") == item.caption


@exact_names
def test_extension_in_an_xmp_file_makes_it_that_of_one_image_only(run, folder):
    paint(folder, "a.JPG", "a.jpg")
    jpeg = xmp.described(None, description="mine", alt_text="", extension="jpg")
    (folder / "a.xmp").write_bytes(jpeg)
    batch = run(writes=("xmp",), existing="append")
    done = [item for item in batch.items if item.state.value == "done"]
    texts = [said(path) for path in sorted(folder.glob("*.xmp"))]
    assert len(texts) == len(done)
    assert all(sum(item.caption in text for text in texts) == 1 for item in done)


def test_finished_image_keeps_its_file_when_a_namesake_comes_before_it(run, folder, tmp_path):
    paint(folder, "a.png")
    first = run(existing="replace")
    first.close()
    paint(folder, "a.gif")
    (journal,) = (tmp_path / "journals").glob("*.jsonl")
    batch = Batch.resume(journal)
    batch.run(FolderEngine(), Control())
    assert states(batch) == {"a.gif": "failed", "a.png": "done"}
    assert said(folder / "a.txt") == f"a.png: {PROMPT}"
    batch.close()


# Finding


@exact_names
@pytest.mark.parametrize(
    ("picture", "caption"),
    [
        ("a.jpg", "a.TXT"),
        ("a.jpg", "a.Txt"),
        ("a.jpg", "a.XMP"),
        ("a.jpg", "a.jpg.XMP"),
        ("B.JPG", "B.jpg.xmp"),
        ("B.jpg", "B.JPG.xmp"),
        ("B.JPG", "B.txt"),
        (f"{NFD}.jpg", f"{NFC}.txt"),
        (f"{NFC}.jpg", f"{NFD}.txt"),
        (f"{NFD}.jpg", f"{NFC}.xmp"),
        (f"{NFC}.JPG", f"{NFD}.jpg.XMP"),
    ],
)
@pytest.mark.parametrize("existing", WAYS)
def test_caption_is_found_in_whatever_case_and_normal_form(run, folder, picture, caption, existing):
    paint(folder, picture)
    write(folder / caption, "mine")
    before = names_in(folder)
    kind = "xmp" if caption.lower().endswith("xmp") else "txt"
    batch = run(writes=(kind,), existing=existing)
    assert names_in(folder) == before
    new = f"{picture}: {PROMPT}"
    expected = {"skip": "mine", "append": f"mine\n{new}", "prepend": f"{new}\nmine"}
    assert said(folder / caption) == expected.get(existing, new)
    assert states(batch)[picture] == ("skipped" if existing == "skip" else "done")
    assert batch.caption_beside(0) == said(folder / caption)
    batch.undo()
    assert said(folder / caption) == "mine"


@exact_names
def test_names_that_differ_only_in_case_are_not_mixed_up(run, folder):
    paint(folder, "B.JPG", "B.jpg", "A.png", "a.png")
    write(folder / "B.jpg.txt", "small")
    write(folder / "a.png.txt", "small")
    assert states(run(name="{name}")) == {
        "B.JPG": "done",
        "B.jpg": "skipped",
        "A.png": "done",
        "a.png": "skipped",
    }
    assert said(folder / "B.jpg.txt") == said(folder / "a.png.txt") == "small"


@exact_names
def test_images_whose_names_look_alike_share_no_file(run, folder):
    paint(folder, f"{NFC}.jpg", f"{NFD}.png")
    assert sorted(states(run(existing="append")).values()) == ["done", "failed"]
    assert len(list(folder.glob("*.txt"))) == 1


@exact_names
def test_exact_name_is_taken_before_one_that_is_alike(run, folder):
    paint(folder, "a.jpg")
    write(folder / "a.TXT", "other")
    write(folder / "a.txt", "mine")
    run(existing="append")
    assert said(folder / "a.TXT") == "other"
    assert said(folder / "a.txt") == f"mine\na.jpg: {PROMPT}"


@pytest.mark.no_cover  # It measures time.
def test_names_of_100_000_images_are_found_in_seconds(tmp_path):
    for number in range(2_000):
        (tmp_path / f"IMG_{number}.JPG").touch()
        (tmp_path / f"IMG_{number}.jpg.txt").write_text("a caption")
    pictures = [tmp_path / f"IMG_{number}.JPG" for number in range(2_000)]
    names = CaptionNames("{name}", OPTIONS.writes, [tmp_path], pictures)
    begun = time.process_time()
    assert all(names.have_text(str(picture)) for picture in pictures)
    assert time.process_time() - begun < 1


# Encodings


TEXTS = {
    "cp1252": "Größe: Ein Mann steht über dem See",
    "latin-1": "Un café près de la forêt, été à la plage",
    "cp1250": "Zażółć gęślą jaźń, piękny widok na morze",
    "cp1251": "Женщина стоит у окна. Большая собака лежит на полу.",
    "koi8_r": "Женщина стоит у окна. Большая собака лежит на полу.",
    "cp932": "窓辺に座っている猫の写真です。",
    "gb18030": "一只猫坐在窗台上看着外面",
    "utf-16": "湖 und Öl",
    "utf-16-le": "Ein See im Öl",
    "utf-8-sig": "湖 und Öl",
    "utf-32": "湖 und Öl",
}
UNSURE = {
    "two readings": "Rødgrød".encode("cp1252"),
    "short": "Кот".encode("koi8_r"),
    "binary": bytes(range(256)),
    "half of UTF-16": "湖 und Öl".encode("utf-16")[:-1],
    "NUL inside": b"a\0b",
    "broken UTF-8": "Größe 湖".encode()[:-1],
    "two encodings": "Größe".encode() + "Größe".encode("cp1252"),
}


# Each was read wrongly by charset-normalizer, or by rules that seemed to be strict enough.
MISLEADING = {
    "cp932": [
        "猫",
        "Huge 版",
        "# TO タグ FROM 行",
        "ユーザー exrc",
        "赤い車が走っている。",
        "メニュー --- 版",
    ],
    "euc_jp": ["行番号", "%s, 行 %ld", "赤い車が道路を走っている。"],
    "gb18030": ["红色汽车", "确定(&O)", "查找中...", "没有 display", "用法:", "個換行", "行 1 列"],
    "big5": ["貓", "不能 fork", "[dos 格式]", "(取代)", "轉換錯誤", "多重 :finally", "32 Bit 版本"],
    "cp949": [
        "고양이",
        "끝",
        "똑같은 낱말만",
        "프로세스 ID:",
        "Vim 에러",
        "3 줄",
        "창가에 앉아 있는 고양이",
    ],
    "cp1251": ["Кот", "[ТЧ]", "иврит", "<пусто>", "строка 3", "дата:", "Униз", "НЕДОСТАЈЕ МНОГО"],
    "koi8_r": ["Кот", "иврит", "кот спит на диване", "КРАСНАЯ МАШИНА"],
    "koi8_u": ["3 рядок,", "Бракує :endtry", "(ВСЕ ЩЕ ПРАЦЮЄ)", "[д]"],
    "cp866": ["[з]", "ПУСТОЙ БЛОК", "_Да", "(замена)", "дата:"],
    "iso8859_5": ["Метка cscope: a", "3 a стр. 4"],
    "mac_cyrillic": ["ВСТАВКА", "нет", "строка 3: a"],
    "cp1252": [
        "¿No? Bloque Nº 2",
        "¡¡¡Vaya, perdí el archivo!!!",
        "SELEÇÃO",
        "[Ændret]",
        "MÄÄRÄ",
        "montaña",
        "Kühe",
        "château",
        "Rødgrød",
        "it’s a cat",
        "Preis 5 €",
        "25 °C",
        "caffè",
        "”vim” on ensimmäinen komento",
        "a “big” cat – really…",
        "país",
    ],
    "cp850": ["2º arquivo do usuário", "SUBSTITUIÇÃO", "Größe", "bébé"],
    "cp1250": ["[Zmenený]", "kůň", "żaba", "Egy nő ül"],
    "iso8859_2": ["VLOŽIŤ", "[CHYBY ČÍTANIA]", "żaba"],
    "cp1254": ["[özel karakterli]", "İki çocuk", "Kız ağaç"],
    "cp1253": ["γάτα", "Μια γυναίκα"],
    "iso8859_3": ["ŝanĝiĝis", "liveraĵo", "larĝo"],
}


@pytest.mark.parametrize("encoding", MISLEADING)
def test_no_caption_in_another_encoding_is_read_wrongly(encoding):
    for text in MISLEADING[encoding]:
        with suppress(StoreError):
            assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", TEXTS)
def test_captions_in_other_encodings_are_read_rightly(run, folder, encoding):
    paint(folder, "a.png")
    (folder / "a.txt").write_bytes(TEXTS[encoding].encode(encoding))
    run(existing="append")
    assert said(folder / "a.txt") == f"{TEXTS[encoding]}\na.png: {PROMPT}"


@pytest.mark.parametrize("form", UNSURE)
@pytest.mark.parametrize("existing", ["append", "prepend"])
def test_where_the_encoding_is_not_sure_the_old_bytes_stay(run, folder, form, existing):
    paint(folder, "a.png")
    (folder / "a.txt").write_bytes(UNSURE[form])
    batch = run(existing=existing)
    assert states(batch) == {"a.png": "failed"}
    assert "The encoding of “a.txt” is uncertain" in batch.items[0].reason
    assert (folder / "a.txt").read_bytes() == UNSURE[form]


@pytest.mark.parametrize("form", UNSURE)
def test_unsure_caption_counts_as_one_and_can_be_replaced_and_restored(run, folder, form):
    paint(folder, "a.png")
    (folder / "a.txt").write_bytes(UNSURE[form])
    assert states(run()) == {"a.png": "skipped"}
    assert states(run(writes=("txt", "xmp"))) == {"a.png": "done"}
    assert (folder / "a.txt").read_bytes() == UNSURE[form]
    batch = run(existing="replace")
    assert said(folder / "a.txt") == f"a.png: {PROMPT}"
    batch.undo()
    assert (folder / "a.txt").read_bytes() == UNSURE[form]


# Links, pipes and what else may stand there


@posix
@pytest.mark.parametrize("kind", ["txt", "xmp"])
@pytest.mark.parametrize("existing", WAYS)
@pytest.mark.parametrize("is_there", [True, False])
def test_link_out_of_the_folder_is_neither_read_nor_written_through(
    run, folder, tmp_path, kind, existing, is_there
):
    paint(folder, "a.png")
    outside = tmp_path / f"secret.{kind}"
    if is_there:
        write(outside, "secret")
    before = outside.read_bytes() if is_there else None
    (folder / f"a.{kind}").symlink_to(outside)
    batch = run(writes=(kind,), existing=existing)
    assert states(batch) == {"a.png": "failed"}
    assert f"“a.{kind}” is a link that leads out of the folder" in batch.items[0].reason
    with pytest.raises(StoreError, match="leads out"):
        batch.edit(0, "by hand")
    assert (outside.read_bytes() if outside.exists() else None) == before
    assert (folder / f"a.{kind}").is_symlink()


@posix
@pytest.mark.parametrize("kind", ["txt", "xmp"])
def test_link_inside_the_folders_of_a_run_is_written_through_and_undone(run, folder, kind):
    paint(folder, "a.png")
    (folder / "captions").mkdir()
    kept = folder / "captions" / f"a.{kind}"
    write(kept, "mine")
    (folder / f"a.{kind}").symlink_to(Path("captions", kept.name))
    batch = run(writes=(kind,), existing="append")
    assert said(kept) == f"mine\na.png: {PROMPT}"
    assert (folder / f"a.{kind}").is_symlink()
    batch.undo()
    assert said(kept) == "mine"


@posix
@pytest.mark.parametrize("existing", WAYS)
def test_link_to_an_image_is_not_written_through(run, folder, existing):
    paint(folder, "a.png", "b.png")
    picture = (folder / "b.png").read_bytes()
    (folder / "a.txt").symlink_to("b.png")
    assert states(run(existing=existing)) == {"a.png": "failed", "b.png": "done"}
    assert (folder / "b.png").read_bytes() == picture


@posix
def test_caption_of_a_linked_image_is_a_file_beside_the_link(run, folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paint(elsewhere, "real.png")
    (folder / "a.png").symlink_to(elsewhere / "real.png")
    assert states(run(writes=("txt", "xmp"))) == {"a.png": "done"}
    assert names_in(folder) == ["a.png", "a.txt", "a.xmp"]
    assert names_in(elsewhere) == ["real.png"]


@posix
def test_two_images_whose_captions_are_one_file_by_a_link_do_not_both_write_it(run, folder):
    paint(folder, "a.png", "b.png")
    write(folder / "b.txt", "mine")
    (folder / "a.txt").symlink_to("b.txt")
    batch = run(existing="append")
    assert states(batch) == {"a.png": "done", "b.png": "failed"}
    assert "“b.png” and “a.png” would share" in batch.items[1].reason
    assert said(folder / "b.txt") == f"mine\na.png: {PROMPT}"


@posix
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("comes_later", [True, False])
def test_table_is_not_written_through_a_link(run, folder, tmp_path, kind, is_there, comes_later):
    paint(folder, "a.png")
    outside = tmp_path / f"outside.{kind}"
    if is_there:
        outside.write_bytes(b"secret\n")
    writes = (kind, "txt")
    if comes_later:
        run(writes=writes).close()
        (folder / f"captions.{kind}").unlink()
    (folder / f"captions.{kind}").symlink_to(outside)
    paint(folder, "b.png")
    batch = run(writes=writes)
    batch.edit(1, "by hand")
    batch.close()
    (table,) = batch.exports.values()
    assert not table.is_symlink()
    assert b"by hand" in table.read_bytes()
    (link,) = (path for path in folder.iterdir() if path.is_symlink())
    assert link.readlink() == outside
    assert (outside.read_bytes() if outside.exists() else None) == (
        b"secret\n" if is_there else None
    )


@posix
def test_link_that_takes_a_table_s_place_during_a_run_is_kept_beside_it(run, folder, tmp_path):
    paint(folder, "a.png")
    batch = run(writes=("csv", "txt"))
    table, outside = folder / "captions.csv", tmp_path / "outside.csv"
    table.rename(outside)
    table.symlink_to(outside)
    before = outside.read_bytes()
    batch.edit(0, "by hand")
    batch.close()
    assert outside.read_bytes() == before
    assert b"by hand" in table.read_bytes()
    assert (folder / "captions-2.csv").readlink() == outside


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def sparse(path):
    with path.open("wb") as file:
        file.truncate(300_000_000)


@posix
@pytest.mark.parametrize("make", [pipe, device, Path.mkdir, sparse])
@pytest.mark.parametrize("name", ["a.txt", "a.xmp", "a.png.xmp"])
@pytest.mark.parametrize("existing", WAYS)
def test_what_is_no_caption_file_fails_its_row_at_once(run, folder, make, name, existing):
    paint(folder, "a.png", "b.png")
    make(folder / name)
    before = (folder / name).lstat()
    kind = "xmp" if name.endswith("xmp") else "txt"
    ended = []

    def work():
        ended.append(states(run(writes=(kind,), existing=existing)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    is_skipped = make is sparse and kind == "txt" and existing == "skip"
    assert ended == [{"a.png": "skipped" if is_skipped else "failed", "b.png": "done"}]
    assert (folder / name).lstat().st_ino == before.st_ino
    assert not list(folder.glob(".onlooker*"))


# XMP in a run


def test_texts_that_a_person_wrote_are_not_replaced_where_the_run_skips(run, folder):
    paint(folder, "a.png")
    (folder / "a.xmp").write_bytes(
        xmp.described(None, description="", alt_text="my alt", extended="my long one")
    )
    assert states(run(writes=("xmp",))) == {"a.png": "done"}
    texts = xmp.read((folder / "a.xmp").read_bytes())
    assert (texts.description, texts.alt_text, texts.extended) == (
        f"a.png: {PROMPT}",
        "my alt",
        "my long one",
    )


@pytest.mark.parametrize("length", [250, 251])
def test_long_caption_is_the_long_description_too_and_follows_an_edit(run, folder, length):
    paint(folder, "a.png")
    prompt = "x" * (length - len("a.png: "))
    batch = run(writes=("xmp",), prompts=(prompt,))
    texts = xmp.read((folder / "a.xmp").read_bytes())
    assert len(texts.description) == length
    assert texts.extended == (texts.description if length > 250 else "")
    batch.edit(0, "short")
    texts = xmp.read((folder / "a.xmp").read_bytes())
    assert (texts.description, texts.alt_text) == ("short", "short")
    assert texts.extended == ("short" if length > 250 else "")


def test_damaged_xmp_fails_its_row_and_stays(run, folder):
    paint(folder, "a.png", "b.png")
    (folder / "a.xmp").write_bytes(b"<x:xmpmeta")
    batch = run(writes=("xmp",), existing="replace")
    assert states(batch) == {"a.png": "failed", "b.png": "done"}
    assert "“a.xmp” cannot be changed" in batch.items[0].reason
    assert (folder / "a.xmp").read_bytes() == b"<x:xmpmeta"
