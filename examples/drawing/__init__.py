"""Draws the example pictures. Only Pillow and its bundled Latin font are needed; the same code draws the same bytes."""
