"""The settings of the run whose model is served, kept in the workdir as a preset file.

`flowersim index rebuild` makes the gallery as these say. Not for the presets that come with the
package: `settings_loader.py`.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable

from pipeline.settings import Settings
from pipeline.settings_help import preset_yaml
from pipeline.settings_loader import SettingsError, load_settings

FILE = "settings.yaml"


def save_settings(workdir: pathlib.Path, settings: Settings) -> None:
    """Writes them, whole or not at all; paths are made absolute, to mean the same anywhere."""
    data = settings.data
    absolute = {
        name: os.path.abspath(os.path.expanduser(value))
        for name, value in (("folder", data.folder), ("data_dir", data.data_dir))
        if value is not None and "://" not in value
    }
    kept = settings.model_copy(update={"data": data.model_copy(update=absolute)})
    path = workdir / FILE
    partial = path.with_suffix(".partial")
    partial.write_text(preset_yaml(kept), "utf-8")
    partial.replace(path)


def saved_settings(workdir: pathlib.Path, preset: str | None, overrides: Iterable[str]) -> Settings:
    """Loads them, with overrides.

    Args:
        workdir: Where a run has pushed.
        preset: Start from this preset instead; None for what was saved.
        overrides: Strings `section.key=value`.

    Raises:
        SettingsError: Nothing was saved, or a setting that cannot be used.
    """
    if preset is None and not (workdir / FILE).is_file():
        raise SettingsError(
            f"{workdir / FILE} is not there: flowersim run writes it when it pushes a model; "
            "or name the settings with --preset"
        )
    return load_settings(preset or str(workdir / FILE), overrides)


def saved_metadata(workdir: pathlib.Path) -> str | None:
    """Returns the `run.metadata` of the run that pushed; None if nothing was saved."""
    return saved_settings(workdir, None, ()).run.metadata if (workdir / FILE).is_file() else None
