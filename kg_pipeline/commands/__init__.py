"""The commands of `kg-pipeline`, a module each: options in, one call of the pipeline, something to read out."""
