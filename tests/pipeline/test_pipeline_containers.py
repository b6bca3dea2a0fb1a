"""Documents with pictures inside, through a whole run: where a picture lies is where its edge goes."""

import polars as pl
from knowledge_base import KnowledgeBase
from small_office import docx, pptx
from small_pdfs import manual


def test_pictures_inside_documents_are_evidence_of_the_passage_at_which_they_lie(tmp_path):
    base = KnowledgeBase.draw(tmp_path)
    for name, data in {"pump.pdf": manual(), "pump.docx": docx(), "slides.pptx": pptx()}.items():
        (base.docs / name).write_bytes(data)
    result = base.run("--no-graph")
    assert result.exit_code == 0, result.output
    assert "words cannot judge" not in result.output
    evidence = base.table("visual_evidence").filter(text_kind="chunk")
    inside = base.table("references").filter(kind="embedded", status="ok")
    content = base.table("images").filter(role="content")
    lying = inside.join(content, on="image_id", how="semi").select("image_id", "document_path", text_id="chunk_id")
    found = lying.join(evidence, on=["image_id", "text_id"])
    assert set(found["document_path"]) == {"pump.pdf", "pump.docx", "slides.pptx"}
    assert found["confidence"].min() > 0.8
    assert found.group_by("image_id").agg(pl.col("kept").any())["kept"].all()
    logos = inside.join(content, on="image_id", how="anti").join(evidence, on="image_id")
    assert logos.height
    assert not logos["kept"].any()
