"""A small knowledge base and the command line to run it, as a user would."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw
from typer.testing import CliRunner, Result

from kg_pipeline.cli import app

RACK = """# Server room

## Alarm lamps

When the red alarm lamp on the rack lights, a fault is waiting. Call the operator and read the panel.

![red alarm lamp](img/alarm-lamp.png)

## Cooling

The cooling unit blows cold air below the floor. Replace its filter every month.

![filter](img/cooling-filter.png)
"""
ASSEMBLY = """# Assembly line

## Step 7: tighten the M6 bolt

Tighten the M6 bolt with the torque wrench to 9 Nm. Hear the click.

![](img/torque-wrench.png)

![gone](img/gone.png)
"""


def picture(path: Path, text: str, colour: str) -> None:
    image = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 60, 200, 220), fill=colour)
    draw.text((30, 250), text, fill="black", font_size=28)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@dataclass
class KnowledgeBase:
    """Documents and images on disk, a HOME, and the commands on them."""

    root: Path
    home: Path

    @classmethod
    def draw(cls, root: Path) -> "KnowledgeBase":
        """Write the documents and draw the pictures under `root`."""
        docs = root / "docs"
        docs.mkdir()
        (docs / "server-room.md").write_text(RACK, encoding="utf-8")
        (docs / "assembly.md").write_text(ASSEMBLY, encoding="utf-8")
        picture(docs / "img" / "alarm-lamp.png", "ALARM", "red")
        picture(docs / "img" / "cooling-filter.png", "FILTER", "lightblue")
        picture(docs / "img" / "torque-wrench.png", "M6", "grey")
        picture(docs / "img" / "torque-wrench-click.png", "CLICK", "darkgrey")
        return cls(root, root / "home")

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    def run(self, *options: str, home: Path | None = None) -> Result:
        command = ["run", "--documents", str(self.docs), "--collection", "kb", "--no-ocr"]
        return self.command(*command, *options, home=home)

    def command(self, *arguments: str, home: Path | None = None) -> Result:
        return CliRunner().invoke(app, [*arguments, "--home", str(home or self.home)])

    def table(self, name: str, home: Path | None = None) -> pl.DataFrame:
        result = self.command("tables", name, "--collection", "kb", "--format", "json", home=home)
        assert result.exit_code == 0, result.output
        return pl.DataFrame(json.loads(result.stdout), infer_schema_length=None)

    def last_run(self, home: Path | None = None) -> dict:
        return json.loads(((home or self.home) / "last_run.json").read_text(encoding="utf-8"))

    def table_files(self, home: Path | None = None) -> dict[str, bytes]:
        folder = (home or self.home) / "tables"
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}
