"""`kg-pipeline upgrade`: bring the tables of a HOME to the schema of this program."""

from kg_pipeline.commands.console import out
from kg_pipeline.commands.options import Home, home_folder
from kg_pipeline.storage import upgrade_home
from kg_pipeline.tables import SCHEMA_VERSION


def upgrade(home: Home = None) -> None:
    """Rewrite the tables of HOME that an older version wrote. Interrupted, it is run again; a second time does nothing.

    Runs read older tables as they are, so this may wait; programs that read the files themselves may not.
    """
    root, count = home_folder(home), 0
    for done in upgrade_home(root):
        count += 1
        after = "rewritten" if done.done == "rewritten" else "set aside: the next run makes it again"
        out.print(f"{done.table} of {done.collection}: schema {done.version}, {after}", highlight=False)
    out.print(f"{count} tables changed; all of {root} are of schema {SCHEMA_VERSION}", highlight=False)
