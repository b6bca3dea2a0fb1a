"""What each field of words and paths weighs in blocking, and as a feature of the evidence model."""

from collections.abc import Mapping

# Fixed weights measured on three corpora (no reference visible: recall@50 0.99, Top-1 document 0.91). Folder words
# stand only against titles and paths: on the body they cost 30 points of Top-1 in one of the corpora. What each field
# is worth is measured by benchmarks/ablation.py. `translated_…` were weighed on four sites in Chinese and French, where
# they bring 10 points of recall@50; they are 0 on the three.
PASSAGE_WEIGHTS: Mapping[str, float] = {
    "name_body": 1.0,
    "ocr_body": 0.5,
    "name_in_document": 0.5,
    "name_heading": 0.5,
    "ocr_heading": 0.25,
    "translated_body": 1.0,
    "translated_heading": 1.0,
    "name_trigrams": 0.75,
    "ocr_bigrams": 0.5,
    "phrase": 0.4,
    "ui_labels": 0.5,
    "cue_words": 0.08,
    "passage_length": -0.1,
}
DOCUMENT_WEIGHTS: Mapping[str, float] = {
    "name_title": 1.0,
    "folder_overlap": 0.75,
    "folder_name": 1.5,
    "title_trigrams": 0.5,
    "path_distance": -0.5,
    "name_document": 0.5,
    "ocr_document": 0.5,
    "same_language": 0.3,
    "document_length": -0.2,
}
WORDLESS = frozenset({"cue_words", "passage_length", "path_distance", "same_language", "document_length"})
"""Fields that hold for any picture: alone they propose nothing."""
