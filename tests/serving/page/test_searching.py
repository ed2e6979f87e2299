"""The page in a browser: photos in by every way, and what it shows of the answers."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.serving.page.driving import (
    answered,
    choose,
    drag,
    drop,
    expected,
    sent_image,
    tiles,
    wait_until,
)
from tests.serving.page.gallery_model import K, colour, encoded, picture

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = sync_api.expect

PHONE = dict(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)


@pytest.fixture(scope="module")
def azure() -> bytes:
    return encoded(picture(colour(3, 1)), "jpeg", quality=95)


@pytest.fixture
def page(visit, server):
    opened = visit(server)
    wait_until(opened, "ready")
    return opened


class TestWaysIn:
    def test_a_chosen_file(self, page, server, azure):
        choose(page, ("azure.jpg", azure))
        assert answered(page, "azure.jpg") == expected(server, azure)[:12]
        expect(page.locator("#results-title")).to_have_text("Looks like azure")
        expect(page.locator("#version")).to_have_text("version 12")
        assert re.search(
            r"20 nearest images of version 12, answered in \d+ ms\.",
            page.locator("#results-text").text_content(),
        )

    def test_a_file_dragged_from_the_desktop(self, page, server, azure, tmp_path):
        (tmp_path / "dragged.jpg").write_bytes(azure)
        drag(page, tmp_path / "dragged.jpg")
        assert answered(page, "dragged.jpg") == expected(server, azure)[:12]
        expect(page.locator(".drop-cover")).to_be_hidden()

    def test_a_pasted_image(self, page, server):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        png = encoded(picture(colour(1, 0)), "png")
        page.evaluate(
            """async bytes => {
              const blob = new Blob([new Uint8Array(bytes)], {type: "image/png"});
              await navigator.clipboard.write([new ClipboardItem({"image/png": blob})]);
            }""",
            list(png),
        )
        page.keyboard.press("Control+V")
        assert answered(page, "image.png") == expected(server, png)[:12]

    def test_pasted_text_is_no_photo(self, page):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.evaluate("navigator.clipboard.writeText('https://photos.example/rose.jpg')")
        page.keyboard.press("Control+V")
        expect(page.locator("#problem")).to_contain_text("That was no photo")

    def test_of_several_files_the_first(self, page, server, azure):
        amber = encoded(picture(colour(1, 1)), "png")
        drop(page, ("a.jpg", "image/jpeg", azure), ("b.png", "image/png", amber))
        assert answered(page, "a.jpg") == expected(server, azure)[:12]
        expect(page.locator("#asking-note")).to_have_text("The first of 2 files.")

    def test_the_last_of_two_in_a_row_counts(self, page, server, azure):
        amber = encoded(picture(colour(1, 1)), "png")
        drop(page, ("a.jpg", "image/jpeg", azure))
        drop(page, ("b.png", "image/png", amber))
        assert answered(page, "b.png") == expected(server, amber)[:12]
        page.wait_for_timeout(300)
        assert tiles(page) == expected(server, amber)[:12]

    def test_a_phone_offers_its_camera(self, visit, server, azure):
        page = visit(server, **PHONE)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Take a photo").tap()
        assert chooser.value.element.get_attribute("capture") == "environment"
        chooser.value.set_files({"name": "1.jpg", "mimeType": "image/jpeg", "buffer": azure})
        assert answered(page, "1.jpg") == expected(server, azure)[:12]
        assert page.evaluate("document.documentElement.scrollWidth") == 390

    def test_a_desk_does_not(self, page):
        expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()


class TestFormats:
    @pytest.mark.parametrize("kind", ["png", "gif", "bmp"])
    def test_what_the_model_decodes_is_sent_as_it_is(self, page, server, kind):
        image = encoded(picture(colour(2, 2)), kind)
        with page.expect_request("**:predict") as asked:
            choose(page, (f"lime.{kind}", image))
        assert sent_image(asked.value) == image
        assert answered(page, f"lime.{kind}") == expected(server, image)[:12]
        expect(page.locator("#asking-note")).to_be_hidden()

    @pytest.mark.parametrize(
        ("kind", "options"), [("webp", {"lossless": True}), ("avif", {"quality": 95})]
    )
    def test_other_formats_are_converted(self, page, server, kind, options):
        source = picture(colour(4, 2))
        with page.expect_request("**:predict") as asked:
            choose(page, (f"photo.{kind}", encoded(source, kind, **options)))
        sent = sent_image(asked.value)
        image = Image.open(io.BytesIO(sent))
        assert (image.format, image.size) == ("PNG", source.size)
        pixels = np.asarray(image.convert("RGB")).astype(int)
        tolerance = 0 if kind == "webp" else 25
        np.testing.assert_allclose(pixels, np.asarray(source).astype(int), atol=tolerance)
        assert answered(page, f"photo.{kind}") == expected(server, sent)[:12]
        note = f"Converted from {kind}"
        expect(page.locator("#asking-note")).to_contain_text(note, ignore_case=True)

    def test_transparent_pixels_become_white(self, page):
        clear = Image.new("RGBA", (40, 30), (200, 0, 0, 0))
        with page.expect_request("**:predict") as asked:
            choose(page, ("clear.webp", encoded(clear, "webp", lossless=True, exact=True)))
        sent = np.asarray(Image.open(io.BytesIO(sent_image(asked.value))).convert("RGB"))
        assert (sent == 255).all()

    def test_a_large_photo_is_reduced_and_stands_upright(self, page, server):
        wide = np.asarray(picture(colour(3, 1), (2400, 1600)))
        wide = np.concatenate([wide[:, :1200], np.zeros_like(wide[:, :1200])], 1)
        exif = Image.Exif()
        exif[0x0112] = 6  # its left is the top
        photo = encoded(Image.fromarray(wide), "jpeg", quality=98, exif=exif)
        assert len(photo) > 1_000_000
        with page.expect_request("**:predict") as asked:
            choose(page, ("large.jpg", photo))
        sent = sent_image(asked.value)
        image = Image.open(io.BytesIO(sent))
        assert (image.size, image.getexif().get(0x0112, 1)) == ((1024, 1536), 1)
        assert len(sent) < len(photo) / 2
        pixels = np.asarray(image.convert("RGB")).astype(float)
        np.testing.assert_allclose(pixels[:700].mean((0, 1)), wide[:, :1100].mean((0, 1)), atol=2)
        assert pixels[800:].mean() < 2
        answered(page, "large.jpg")
        expect(page.locator("#asking-note")).to_contain_text("Reduced from")


class TestNoPhotos:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("notes.txt", b"roses are red", "“notes.txt” is no image that this browser can read."),
            ("empty.jpg", b"", "“empty.jpg” is empty."),
            ("half.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "looks like a PNG, but it is damaged"),
            ("apple.heic", b"\0\0\0\x18ftypheic" + bytes(50), "reads no HEIC. Save it as JPEG."),
        ],
    )
    def test_are_named_and_what_was_found_before_stays(
        self, page, server, azure, name, content, message
    ):
        choose(page, ("azure.jpg", azure))
        answered(page, "azure.jpg")
        with page.expect_file_chooser() as chooser:
            page.locator("#choose").click()
        chooser.value.set_files({"name": name, "mimeType": "image/jpeg", "buffer": content})
        expect(page.locator("#problem")).to_contain_text(message)
        assert answered(page, "azure.jpg") == expected(server, azure)[:12]
        choose(page, ("again.jpg", azure))
        answered(page, "again.jpg")
        expect(page.locator("#problem")).to_be_hidden()

    def test_what_only_the_model_cannot_read(self, page):
        # As far as it goes a browser shows it; TensorFlow does not.
        cut = encoded(picture(colour(3, 1), (300, 200)), "jpeg", quality=95)[:-15_000]
        choose(page, ("cut.jpg", cut))
        problem = page.locator("#problem")
        expect(problem).to_contain_text("“cut.jpg”")
        expect(problem).to_contain_text(re.compile("cannot read|damaged"))
        expect(page.locator("#results")).to_be_hidden()


class TestNeighbours:
    def test_every_one_has_its_thumbnail(self, page, azure):
        choose(page, ("azure.jpg", azure))
        answered(page, "azure.jpg")
        page.locator(".picture.waiting").first.wait_for(state="detached")
        sizes = page.locator(".tile img").evaluate_all(
            "images => images.map(i => [i.naturalWidth, i.naturalHeight])"
        )
        assert sizes == [[90, 60]] * 12

    def test_show_more_up_to_all(self, page, server, azure):
        choose(page, ("azure.jpg", azure))
        answered(page, "azure.jpg")
        more = page.get_by_role("button", name="Show 8 more")
        more.click()
        expect(page.locator(".tile")).to_have_count(K)
        assert tiles(page) == expected(server, azure)
        expect(page.locator("#more")).to_be_hidden()
        expect(page.locator(".tile").nth(12)).to_be_focused()

    def test_a_click_searches_from_the_thumbnail_and_back_returns(self, page, server, azure):
        choose(page, ("azure.jpg", azure))
        first = answered(page, "azure.jpg")
        chosen = page.locator(".tile", has_text="lime").first
        identity = chosen.get_attribute("title")
        chosen.locator("img").wait_for()
        with page.expect_request("**:predict") as asked:
            chosen.click()
        thumbnail = sent_image(asked.value)
        found = answered(page, "lime")
        wanted = expected(server, thumbnail)[:12]
        itself = [tile for tile in wanted if tile["id"] == identity]
        assert len(itself) == 1
        itself[0].update(match=False, badge="itself")
        assert found == wanted
        note = f"Searched from the thumbnail of {identity}."
        expect(page.locator("#asking-note")).to_have_text(note)
        expect(page.locator("#trail li")).to_have_count(2)
        page.go_back()
        assert answered(page, "azure.jpg") == first
        page.go_forward()
        assert answered(page, "lime") == found
        page.locator("#trail button").first.click()
        assert answered(page, "azure.jpg") == first
        page.go_back()
        expect(page.locator("#results")).to_be_hidden()

    def test_none_that_matches(self, page, server):
        white = encoded(Image.new("RGB", (50, 50), "white"), "png")
        assert not any(tile["match"] for tile in expected(server, white))
        choose(page, ("white.png", white))
        found = answered(page, "white.png")
        expect(page.locator("#results-title")).to_have_text(f"Nearest: {found[0]['name']}")
        expect(page.locator("#results-text")).to_contain_text("No match")


def test_the_keyboard_is_enough(page, server, azure):
    def go_to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").startswith(name):
                return
        pytest.fail(f"Tab does not lead to {name}")

    # Asked for well ahead of the key: the browser is told of it without waiting for its answer.
    with page.expect_file_chooser() as chooser:
        go_to("Choose a photo")
        page.keyboard.press("Enter")
    chooser.value.set_files({"name": "azure.jpg", "mimeType": "image/jpeg", "buffer": azure})
    answered(page, "azure.jpg")
    expect(page.locator("#results-title")).to_be_focused()
    page.locator(".picture.waiting").first.wait_for(state="detached")
    go_to("Show 8 more")
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(K)
    name = page.evaluate("document.activeElement.querySelector('.name').textContent")
    page.locator(".picture.waiting").first.wait_for(state="detached")
    page.keyboard.press("Space")
    answered(page, name)
    expect(page.locator("#results-title")).to_be_focused()
    go_to("1: azure.jpg")
    page.keyboard.press("Enter")
    answered(page, "azure.jpg")


@pytest.mark.parametrize(
    ("device", "scheme"),
    [
        pytest.param({}, "light", id="desk-light"),
        pytest.param(PHONE, "dark", id="phone-dark"),
        pytest.param({}, "dark", id="desk-dark", marks=pytest.mark.extended),
        pytest.param(PHONE, "light", id="phone-light", marks=pytest.mark.extended),
    ],
)
def test_no_barriers(visit, server, azure, scheme, device):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    page = visit(server, color_scheme=scheme, **device)
    wait_until(page, "ready")

    def check() -> None:
        results = axe.run(page)
        assert results.violations_count == 0, results.generate_report()

    check()
    choose(page, ("notes.txt", b"roses are red"))
    expect(page.locator("#problem")).to_be_visible()
    check()
    choose(page, ("azure.jpg", azure))
    answered(page, "azure.jpg")
    page.locator(".tile img").nth(11).wait_for()
    page.locator(".tile").nth(3).click()
    expect(page.locator("#trail li")).to_have_count(2)
    page.locator(".picture.waiting").first.wait_for(state="detached")
    check()


def test_light_and_dark_follow_the_system(visit, server):
    grounds = [
        visit(server, color_scheme=scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)"
        )
        for scheme in ("light", "dark")
    ]
    assert min(grounds[0]) > 200 and max(grounds[1]) < 60
