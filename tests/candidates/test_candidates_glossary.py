import csv
from importlib.resources import files

from small_corpus import best, chunk_of, small_corpus

from kg_pipeline.candidates.glossary import translated
from kg_pipeline.candidates.sparse import Rows
from kg_pipeline.candidates.tokens import Vocabulary, words
from kg_pipeline.evidence import select_candidates


def numbers(vocabulary: Vocabulary, *texts: str) -> Rows:
    return Rows.of([vocabulary.read(text) for text in texts])


def found(vocabulary: Vocabulary, rows: Rows) -> list[set[str]]:
    token = {number: word for word, number in vocabulary.ids.items()}
    cut = iter(rows.keys.tolist())
    return [{token[next(cut)] for _ in range(length)} for length in rows.lengths.tolist()]


def test_the_glossary_has_each_english_word_once_and_words_for_it():
    with (files("kg_pipeline.candidates") / "glossary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    english = [row["english"] for row in rows]
    assert english == sorted(set(english))
    assert all(words(row["zh"]) and words(row["fr"]) for row in rows)


def test_words_of_names_and_pictures_are_translated_text_by_text():
    vocabulary = Vocabulary()
    names, read = numbers(vocabulary, "firewall", "xyzzy", ""), numbers(vocabulary, "", "batteries", "")
    assert found(vocabulary, translated((names, read), vocabulary)) == [{"防火", "火墙"}, {"电池"}, set()]
    assert translated((Rows.of([]), Rows.of([])), Vocabulary()).count == 0


def test_french_is_looked_up_only_where_it_is_written():
    vocabulary = Vocabulary()
    asked = numbers(vocabulary, "network")
    assert found(vocabulary, translated((asked, asked), vocabulary)) == [{"网络"}]
    vocabulary.read("les câbles des réseaux dans une baie")
    assert found(vocabulary, translated((asked, asked), vocabulary)) == [{"网络", "reseau", "reseaus"}]


def test_an_english_name_finds_the_chinese_passage_that_says_so(make_collection):
    documents = {
        "a.md": ["# 网络\n防火墙拦截外部的请求。", "# 电源\n更换电池以前先断电。"],
        "b.md": ["# 语言\n选择界面的语言。", "# 打印\n添加打印机。"],
    }
    images = {"img/battery.png": [], "img/x1.png": ["Select your language"]}
    pairs = select_candidates(make_collection(), small_corpus(documents, images)).pairs
    assert best(pairs, "img/battery.png") == chunk_of("a.md", 1, documents)
    assert best(pairs, "img/x1.png") == chunk_of("b.md", 0, documents)
