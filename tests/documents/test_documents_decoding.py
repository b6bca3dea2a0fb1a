import pytest

from kg_pipeline.documents.decoding import BinaryFileError, decode
from kg_pipeline.documents.language import language_of
from kg_pipeline.documents.markdown import parse_markdown


@pytest.mark.parametrize(
    "data",
    [
        "Größe 日本\n".encode(),
        "Größe 日本\n".encode("utf-8-sig"),
        "Größe 日本\n".encode("utf-16"),
        b"\xfe\xff" + "Größe 日本\n".encode("utf-16-be"),
        "Größe 日本\n".encode("utf-32"),
    ],
)
def test_unicode_with_and_without_mark(data):
    assert decode(data) == "Größe 日本\n"


def test_utf_16_without_mark():
    assert decode("<p>Größe</p>\n".encode("utf-16-le")) == "<p>Größe</p>\n"


@pytest.mark.parametrize(
    ("text", "real", "declared"),
    [
        ("<p>Größe", "utf-8", "iso-8859-1"),
        ("<p>Größe “x”", "cp1252", "iso-8859-1"),
        ("<p>Größe", "cp1252", "utf-8"),
        ("<p>设备管理器的说明", "gb18030", "gb2312"),
        ("<p>Größe", "cp1252", "no-such-charset"),
        ("<p>Größe", "utf-8", "utf-16"),
    ],
)
def test_a_declared_charset_is_believed_after_utf_8(text, real, declared):
    text = f'<meta charset="{declared}">{text} and some more words of the same page'
    assert decode(text.encode(real)) == text


def test_latin_1_without_declaration():
    text = "Die Größe der Fläche über dem Gerät wählt der Benutzer später.\n"
    assert decode(text.encode("latin-1")) == text


def test_a_broken_byte_costs_one_character_of_utf_8():
    text = "按钮 " * 20
    assert decode(b"<meta charset=gbk>" + text.encode() + b"\xff" + text.encode()).count("按钮") == 40


def test_all_line_ends_are_line_ends():
    assert decode(b"a\r\nb\rc\nd") == "a\nb\nc\nd"


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), bytes(range(1, 32)) * 9])
def test_binary_files_are_refused(data):
    with pytest.raises(BinaryFileError, match="not text"):
        decode(data)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Press the button.", "en"),
        ("点击按钮。", "zh"),
        ("Press the button 保 to save the settings.", "en"),
        ("Press 保存按钮 to go on and on", "mixed"),
        ("点击 `some_long_function_name` 和 https://example.org/long/path", "zh"),
        ("```\nprint('hello')\n```\n中文", "zh"),
        ("123 !", "und"),
        ("", "und"),
    ],
)
def test_language(text, language):
    assert language_of(parse_markdown(text)) == language


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("cp1252", "Größe über alle Maßen groß, die Tür"),
        ("cp1252", "L’image a été enregistrée à la fin, ça marche très bien"),
        ("cp1252", "Copyright © 2010, 25 °C, µm, 5 – 7 “q”"),
        ("cp1252", "Up to 25 °C"),
        ("cp1250", "Zażółć gęślą jaźń, proszę kliknąć przycisk źródło"),
        ("cp1251", "Привет, это обычный русский текст о картинках"),
        ("gbk", "这是一个关于图片的说明文档，请看下面的图"),
        ("big5", "這是一個關於圖片的說明文件，請看下面的圖"),
        ("cp932", "これは画像の説明です。次の図を見てください"),
        ("euc_kr", "이것은 그림에 대한 설명입니다 다음 그림을 보십시오"),
    ],
)
@pytest.mark.parametrize("around", [1, 300])
def test_a_wrong_declaration_is_seen_through_however_much_markup_is_around(charset, text, around):
    markup = "<p>A plain page with <img src='a.png'> and text.</p>" * around
    page = f"<meta charset=utf-8>{markup}<p>{text}</p>{markup}"
    assert decode(page.encode(charset)) == page
