"""`toolwright images`: the sandbox images in the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus
from toolwright.cli.safe_text import literal
from toolwright.domain.shown import shown
from toolwright.images.catalog import ImageInfo


def build_image(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which image: python or science.")] = "python",
    force: Annotated[bool, typer.Option("--force", help="Build even if it is there.")] = False,
    relock: Annotated[
        bool, typer.Option("--relock", help="Accept the packages and wheels that come into the recipe's lock files.")
    ] = False,
) -> ExitStatus:
    """Build a sandbox image, unless the engine has it: from Debian packages; science from wheels by pip as well."""
    with session.environment.images(session.options) as images:
        image = images.build(name, progress=lambda line: session.screen.note(shown(line)), force=force, relock=relock)
    session.screen.document(image_document(image))
    if not session.screen.as_json:
        session.screen.say(image_table([image]))
    return ExitStatus.DONE


def list_images(session: Session) -> ExitStatus:
    """List the sandbox images in the engine."""
    with session.environment.images(session.options) as images:
        found = images.list()
    session.screen.document({"images": [image_document(image) for image in found]})
    if session.screen.as_json:
        return ExitStatus.DONE
    session.screen.say(image_table(found) if found else "No sandbox images yet. `toolwright images build` makes one.")
    return ExitStatus.DONE


def prune_images(session: Session) -> ExitStatus:
    """Remove the sandbox images of older recipes; the current ones stay, and those of which there are containers.

    Asks nothing. Says what it removed.
    """
    with session.environment.images(session.options) as images:
        pruned = images.prune()
    removed = [image_document(image) for image in pruned.removed]
    session.screen.document({"removed": removed, "in_use": [image_document(image) for image in pruned.in_use]})
    if session.screen.as_json:
        return ExitStatus.DONE
    if pruned.removed:
        session.screen.say(image_table(pruned.removed))
    session.screen.say(f"{len(pruned.removed)} removed, {len(pruned.in_use)} kept since containers use them.")
    return ExitStatus.DONE


def image_document(image: ImageInfo) -> dict[str, Any]:
    """Return an image as `images list --json` shows it."""
    return {**asdict(image), "packages": [asdict(package) for package in image.packages]}


def image_table(images: Sequence[ImageInfo]) -> Table:
    """Return one row per image."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("image", "id", "size", "packages"):
        table.add_column(heading, overflow="fold")
    for image in images:
        locked = "locked" if image.packages_locked else "not those of the lock"
        table.add_row(
            literal(image.reference),
            literal(image.image_id),
            f"{image.size_bytes / 1e6:.1f} MB",
            f"{len(image.packages)}, {locked}",
        )
    return table
