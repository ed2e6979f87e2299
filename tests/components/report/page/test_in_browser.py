"""The page in a real browser: accessible, as wide as the window, and with a map that answers."""

from __future__ import annotations

import pytest

from tests.components.report.page import sample

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = sync_api.expect

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MAP = sample.content()["map"]
CLASSES = sample.content()["classes"]


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desktop-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param(DESKTOP, "dark", id="desktop-dark", marks=pytest.mark.extended),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.extended),
    ],
)
def test_axe_finds_nothing_and_nothing_sticks_out(opened, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(viewport=size, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator("#map-stage").focus()
    page.keyboard.press("ArrowRight")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_all_pictures_can_be_decoded(opened):
    page = opened(viewport=DESKTOP)
    broken = page.evaluate(
        """() => Promise.all([...document.images].map(
          image => image.decode().then(() => null, () => image.alt)
        )).then(found => found.filter(alt => alt !== null))"""
    )
    assert broken == []


def _at(page, number: int) -> tuple[float, float]:
    """Where an image of the map is, in the window."""
    box = page.locator("#map-picture").bounding_box()
    return (
        box["x"] + (MAP["x"][number] + 20) * box["width"] / 1040,
        box["y"] + (MAP["y"][number] + 20) * box["height"] / 1040,
    )


def _lonely() -> int:
    """An image of the map with no other near it."""

    def distance(one: int, other: int) -> float:
        if one == other:
            return float("inf")
        return (MAP["x"][one] - MAP["x"][other]) ** 2 + (MAP["y"][one] - MAP["y"][other]) ** 2

    images = range(MAP["images"])
    return max(images, key=lambda one: min(distance(one, other) for other in images))


_MIDDLE = """tile => {
  const copy = new OffscreenCanvas(tile.width, tile.height).getContext("2d");
  copy.drawImage(tile, 0, 0);
  return [...copy.getImageData(tile.width / 2, tile.height / 4, 1, 1).data];
}"""


def _expect_shown(page, number: int) -> None:
    card = page.locator("#map-card")
    expect(card).to_be_visible()
    expect(card.locator("p").nth(0)).to_have_text(CLASSES[MAP["classes"][number]])
    expect(card.locator("p").nth(2)).to_have_text(MAP["ids"][number])
    state = {1: "is right", 0: "is wrong", -1: "no query"}[MAP["right"][number]]
    expect(card.locator("p").nth(1)).to_contain_text(state)
    page.locator(f"#map-tile[data-drawn='{number}']").wait_for()
    middle = page.locator("#map-tile").evaluate(_MIDDLE)
    assert middle[:3] == pytest.approx(sample.tile_colour(number), abs=12)


def test_pointing_shows_the_image(opened):
    page = opened(viewport=DESKTOP)
    number = _lonely()
    page.locator("#map-stage").scroll_into_view_if_needed()
    page.mouse.move(*_at(page, number))
    _expect_shown(page, number)
    page.mouse.move(1, 1)
    expect(page.locator("#map-card")).to_be_hidden()


def test_touching_shows_the_image(opened):
    page = opened(viewport=PHONE, has_touch=True)
    number = _lonely()
    page.locator("#map-stage").scroll_into_view_if_needed()
    page.touchscreen.tap(*_at(page, number))
    _expect_shown(page, number)


def test_the_keyboard_reaches_the_map_and_walks_on_it(opened):
    page = opened(viewport=DESKTOP)
    page.locator("#map-class").focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "map-stage":
            break
    assert reached[:3] == ["map-in", "map-out", "map-all"] and reached[-1] == "map-stage"
    page.keyboard.press("ArrowRight")
    first = int(page.locator("#map-tile").get_attribute("data-image"))
    _expect_shown(page, first)
    page.keyboard.press("ArrowRight")
    second = int(page.locator("#map-tile").get_attribute("data-image"))
    assert MAP["x"][second] > MAP["x"][first]
    _expect_shown(page, second)
    expect(page.locator("#map-status")).to_contain_text(MAP["ids"][second])
    page.keyboard.press("Escape")
    expect(page.locator("#map-card")).to_be_hidden()


def test_choosing_a_class_shows_it_alone(opened):
    page = opened(viewport=DESKTOP)
    label = 3
    page.locator("#map-class").select_option(label=CLASSES[label])
    members = [n for n in range(MAP["images"]) if MAP["classes"][n] == label]
    wrong = sum(MAP["right"][n] == 0 for n in members)
    expect(page.locator("#map-status")).to_have_text(
        f"{CLASSES[label]}: {len(members)} images on the map, {wrong} of 10 queries wrong"
    )
    drawn = page.locator(".map-chosen path[id]").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d')).join('')"
    )
    for number in members:
        assert f"M{MAP['x'][number]} {MAP['y'][number]}h0" in drawn
    assert drawn.count("h0") == len(members)
    x, y = MAP["centers"][label]
    assert f"M{x} {y - 22}v44" in drawn
    # Others are not pointed at any more.
    page.locator("#map-stage").focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
        assert int(page.locator("#map-tile").get_attribute("data-image")) in members


def test_layers_can_be_hidden_and_are_not_pointed_at_then(opened):
    page = opened(viewport=DESKTOP)
    for kind in ("right", "other"):
        page.locator(f"[data-layer={kind}]").uncheck()
    expect(page.locator(".map-all .map-right")).to_be_hidden()
    page.locator("#map-stage").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
        assert MAP["right"][int(page.locator("#map-tile").get_attribute("data-image"))] == 0


def test_zooming_keeps_what_is_pointed_at(opened):
    page = opened(viewport=DESKTOP)
    page.locator("#map-in").click()
    page.locator("#map-in").click()
    view = page.locator("#map-picture").get_attribute("viewBox")
    assert view == "370.0 370.0 260.0 260.0"
    page.locator("#map-stage").focus()
    page.keyboard.press("ArrowLeft")
    number = int(page.locator("#map-tile").get_attribute("data-image"))
    x, y, side, _ = map(float, page.locator("#map-picture").get_attribute("viewBox").split())
    assert x <= MAP["x"][number] <= x + side and y <= MAP["y"][number] <= y + side
    page.locator("#map-all").click()
    assert page.locator("#map-picture").get_attribute("viewBox") == "-20.0 -20.0 1040.0 1040.0"


def test_without_scripts_the_map_is_a_picture(opened):
    page = opened(viewport=DESKTOP, java_script_enabled=False)
    expect(page.locator("#map-picture .map-right").first).to_be_visible()
    expect(page.locator("#map-controls")).to_be_hidden()
    page.locator("[data-layer=right]").uncheck()
    expect(page.locator(".map-all .map-right")).to_be_hidden()


def test_tables_are_sorted_by_a_column(opened):
    page = opened(viewport=DESKTOP)
    table = page.locator("#classes table.sortable").first
    page.locator("summary", has_text="Table: All classes").click()
    table.get_by_role("button", name="recall@1").click()
    values = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values)
    table.get_by_role("button", name="recall@1").click()
    values = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    expect(table.locator("th[aria-sort=descending]")).to_have_text("recall@1")


def test_paper_shows_everything_in_light(opened):
    page = opened(viewport=DESKTOP, color_scheme="dark")
    closed = page.locator("details:not([open])").count()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("details:not([open])").count() == 0 < closed
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(35, 31, 26)"
    expect(page.locator("nav")).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == closed


def test_the_skip_link_comes_first(opened):
    page = opened(viewport=DESKTOP)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
