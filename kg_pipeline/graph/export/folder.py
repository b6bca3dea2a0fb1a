"""The folder of an export: only ever an empty one or one of ours, and marked as incomplete until all is written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kg_pipeline.graph.errors import GraphError
from kg_pipeline.storage.atomic import replacing

MANIFEST = "kg-pipeline-export.json"


class ExportFolder:
    """A folder to write files to; `files` are their names, in the order they were written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[str] = []

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A place to write the file `name` to (with / for folders), which appears whole when the block ends."""
        with replacing(self.path / name) as beside:
            yield beside
        self.files.append(name)


@contextmanager
def exporting(path: Path, collection: str, form: str) -> Iterator[ExportFolder]:
    """A folder to export to. The manifest names the files and says, at the end, that they are complete.

    Raises GraphError for a folder that holds what no export wrote, and when it cannot be written.
    """
    before = _files_of(path)
    about = {"collection": collection, "format": form}
    folder = ExportFolder(path)
    try:
        for left in path.rglob(".*.tmp"):
            left.unlink(missing_ok=True)
        _write_manifest(path, {**about, "complete": False, "files": before})
        yield folder
        for name in set(before) - set(folder.files):
            (path / name).unlink(missing_ok=True)
        for parent in sorted({(path / name).parent for name in before} - {path}):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        _write_manifest(path, {**about, "complete": True, "files": folder.files})
    except OSError as error:
        raise GraphError(
            f"cannot export to {path} ({error.strerror or error}): free space or correct the rights, and export again"
        ) from error


def _files_of(path: Path) -> list[str]:
    """Names of the files of the export that is there already. Raises GraphError when the folder is not one of ours."""
    if not path.exists():
        return []
    if not path.is_dir():
        raise GraphError(f"cannot export to {path}: it is a file; name a folder")
    if not any(path.iterdir()):
        return []
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        names = [str(name) for name in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GraphError(
            f"cannot export to {path}: it is not empty and no export of ours (no {MANIFEST} that can be read); "
            "name a new folder"
        ) from error
    # Edited by hand it could name anything; what it names is deleted.
    return [name for name in names if (path / name).resolve().is_relative_to(path.resolve())]


def _write_manifest(path: Path, content: dict[str, object]) -> None:
    with replacing(path / MANIFEST) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
