"""The command `flowersim settings`: what can be set, and what is."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.options import add_settings


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "settings", help="list every setting with its value, range, default and meaning"
    )
    add_settings(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--yaml", action="store_true", help="as a preset file, to change and give to --preset"
    )
    form.add_argument("--markdown", action="store_true", help="defaults as a Markdown table")
    parser.set_defaults(command=_settings)


def _settings(options: argparse.Namespace) -> int:
    from pipeline.settings_help import markdown, preset_yaml, print_settings
    from pipeline.settings_loader import load_settings
    from pipeline.terminal import terminal

    settings = load_settings(options.preset, options.overrides)
    if options.yaml:
        print(preset_yaml(settings), end="")
    elif options.markdown:
        print(markdown())
    else:
        print_settings(settings, terminal())
    return 0
