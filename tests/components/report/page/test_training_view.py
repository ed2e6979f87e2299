"""The section on training: which curves there are."""

from __future__ import annotations

from components.report.page import charts
from components.report.page.training_view import training_view


def _header(epochs: list[dict[str, float]], monkeypatch) -> list[str]:
    monkeypatch.setattr(charts, "draw", lambda paint, **about: "<svg/>")
    view = training_view({"frozen": {}, "best_epoch": None, "epochs": epochs})
    assert view
    (losses,) = (figure for figure in view["figures"] if figure["title"] == "Losses")
    return losses["header"]


def test_losses_are_drawn_whatever_they_are_called(monkeypatch):
    epoch = {"loss": 3.0, "classification_loss": 2.0, "accuracy": 0.5, "proxy_anchor_loss": 1.0}
    expected = ["epoch", "total", "classification", "proxy anchor"]
    assert _header([epoch, epoch], monkeypatch) == expected


def test_values_that_are_no_losses_are_not_among_them(monkeypatch):
    assert _header([{"loss": 3.0, "val_map_at_r": 0.5}], monkeypatch) == ["epoch", "total"]
