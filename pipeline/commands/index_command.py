"""The command `flowersim index`: changes the gallery that is served, without training."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import sys
from typing import Any

DEFAULT_WORKDIR = pathlib.Path("runs", "demo")


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    index = commands.add_parser(
        "index",
        help="add photos to the gallery, remove some, or rebuild it, without training",
        description="Changes what the served model can find. The last blessed model embeds what is "
        "new, and a new version is pushed once it has passed the check of serving. What was added "
        "and removed is written to WORKDIR/gallery/ledger.json, and every later run follows it.",
    )
    actions = index.add_subparsers(title="actions", metavar="ACTION", required=True)

    add = actions.add_parser("add", help="add photos to the gallery")
    add.add_argument(
        "photos",
        nargs="+",
        type=pathlib.Path,
        metavar="FOLDER",
        help="folder with a folder for each class, CLASS/photo.jpg; with --class also a folder of "
        "photos, or one photo. The id of a photo is CLASS/photo.jpg",
    )
    add.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="what all these photos show; any name, also one that the model was not trained on",
    )
    add.add_argument(
        "--prefix", default="", help="put this and a / before each id, to tell names apart"
    )
    add.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out photos that cannot be decoded; without it they are named and nothing is "
        "added",
    )
    _add_place(add, _add)

    remove = actions.add_parser(
        "remove", help="remove images from the gallery, for good, whatever is run later"
    )
    _add_ids(remove)
    remove.add_argument(
        "--purge",
        action="store_true",
        help="also delete earlier versions that still hold what was removed, as index purge does",
    )
    _add_place(remove, _remove)

    restore = actions.add_parser("restore", help="allow ids again that were removed")
    _add_ids(restore)
    _add_place(restore, _restore)

    rebuild = actions.add_parser(
        "rebuild",
        help="make the gallery as the settings say, embedded anew, with all that was added and "
        "removed",
    )
    rebuild.add_argument(
        "--preset",
        help="settings to start from (default: those of the run whose model is served, "
        "WORKDIR/settings.yaml)",
    )
    rebuild.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, for instance gallery.splits=[train]; may be given several times",
    )
    _add_place(rebuild, _rebuild)

    purge = actions.add_parser(
        "purge",
        help="delete earlier versions, and artifacts they were made of, that still hold images "
        "that were removed",
    )
    _add_place(purge, _purge)

    show = actions.add_parser("list", help="print id and class of every image that can be found")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--added", action="store_true", help="those that were added by hand")
    which.add_argument("--removed", action="store_true", help="ids that were removed, and when")
    _add_workdir(show)
    show.set_defaults(command=_list)


def _add_workdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="workdir of the run whose model is served (default: %(default)s)",
    )


def _add_place(parser: argparse.ArgumentParser, command: Any) -> None:
    _add_workdir(parser)
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=command)


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="id, as index list prints it")
    parser.add_argument(
        "--file", type=pathlib.Path, metavar="IDS.txt", help="file with one id in each line"
    )


def _ids(options: argparse.Namespace) -> list[str]:
    from components.gallery_edit.ledger import GalleryError

    ids = list(options.ids)
    if options.file:
        try:
            lines = options.file.read_text("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise GalleryError(f"{options.file} is no text in UTF-8: {error}") from error
        ids += [line for line in lines if line.strip()]
    if not ids:
        raise GalleryError("no id was given: name some, or a file with --file")
    return list(dict.fromkeys(ids))


def _add(options: argparse.Namespace) -> int:
    from components.gallery_edit.new_photos import find_photos
    from pipeline.index_runner import workplace

    photos = find_photos(options.photos, options.class_name, options.prefix)
    with workplace(options.workdir, verbose=options.verbose) as place:
        from pipeline.gallery_changes import add

        add(place, photos, skip_bad=options.skip_bad)
    return 0


def _remove(options: argparse.Namespace) -> int:
    from pipeline.index_runner import workplace

    ids = _ids(options)
    with workplace(options.workdir, verbose=options.verbose) as place:
        from pipeline.gallery_removal import purge, remove

        remove(place, ids, hint=not options.purge)
        if options.purge:
            purge(place)
    return 0


def _restore(options: argparse.Namespace) -> int:
    from pipeline.index_runner import workplace

    ids = _ids(options)
    with workplace(options.workdir, verbose=options.verbose) as place:
        from pipeline.gallery_changes import restore

        restore(place, ids)
    return 0


def _rebuild(options: argparse.Namespace) -> int:
    from pipeline.index_runner import workplace
    from pipeline.saved_settings import saved_settings

    settings = saved_settings(options.workdir, options.preset, options.overrides)
    with workplace(options.workdir, verbose=options.verbose) as place:
        from pipeline.gallery_changes import rebuild

        rebuild(place, settings)
    return 0


def _purge(options: argparse.Namespace) -> int:
    from pipeline.index_runner import workplace

    with workplace(options.workdir, verbose=options.verbose) as place:
        from pipeline.gallery_removal import purge

        purge(place)
    return 0


def _list(options: argparse.Namespace) -> int:
    from components.gallery_edit import ledger
    from pipeline.quiet import be_quiet
    from pipeline.terminal import one_line
    from pipeline.workdir_layout import ledger_folder, served_folder
    from serving.version_folders import find

    be_quiet()
    folder = served_folder(options.workdir)
    changes = ledger.read(ledger_folder(options.workdir))
    if options.added:
        rows = [(photo.identity, photo.class_name) for photo in changes.added]
    elif options.removed:
        rows = list(changes.removed.items())
    else:
        from components.similarity_indexer.gallery_ids import gallery_images

        versions = find(str(folder))
        if not versions:
            raise FileNotFoundError(f"{folder} has no version that can be served")
        rows = sorted(gallery_images(versions[max(versions)]).items())
    # A reader that has seen enough, such as head, is no error.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.writelines("\t".join(map(one_line, row)) + "\n" for row in rows)
        sys.stdout.flush()
        return 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
