"""What assets need from outside: tables, collections, the reranker, the graph. Thin: the work is in kg_pipeline."""
