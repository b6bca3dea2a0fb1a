"""`python -m kg_pipeline` is `kg-pipeline`."""

from kg_pipeline.cli import main

if __name__ == "__main__":
    main()
