"""Documents with pictures inside: a module per format, each with `read(data, limits) -> ParsedDocument`.

A module is the only place that knows its library. It opens nothing but `data`: no link is followed, no macro run, no
entity of XML expanded. What it raises makes the document a row with status `unreadable`; what it takes too long or too
much memory for ends its process. Not here: text formats, whose pictures are files of their own.
"""
