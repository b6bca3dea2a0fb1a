"""The assets: one per table and the knowledge graph. Thin: each calls one function of kg_pipeline."""
