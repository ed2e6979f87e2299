"""Copies of the page that ask a server of another origin, and what no page may do."""

from __future__ import annotations

import pytest

from tests.serving.page.conftest import FILES
from tests.serving.page.driving import answered, choose, expected, wait_until
from tests.serving.page.gallery_model import colour, encoded, picture

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = sync_api.expect

AMBER = encoded(picture(colour(1, 1)), "jpeg")


@pytest.fixture(params=["http", "file"])
def copy(request, copy_url) -> str:
    """A copy on another web server, or in a folder."""
    return copy_url if request.param == "http" else FILES.as_uri() + "/"


@pytest.mark.parametrize("model", ["&model=flowers", ""], ids=["named", "found"])
def test_asks_the_server_that_its_address_names(visit, copy, open_server, model):
    page = visit(f"{copy}index.html?server={open_server}{model}", [open_server])
    wait_until(page, "ready")
    choose(page, ("amber.jpg", AMBER))
    assert answered(page, "amber.jpg") == expected(open_server, AMBER)[:12]
    page.locator(".picture.waiting").first.wait_for(state="detached")
    page.locator(".tile").nth(4).click()
    expect(page.locator("#trail li")).to_have_count(2)


def test_asks_for_a_server_where_it_knows_none(visit, copy, open_server):
    page = visit(f"{copy}index.html", [open_server])
    page.get_by_label("Address of its REST API").fill(open_server)
    page.get_by_label("Name of the model").fill("flowers")
    page.get_by_role("button", name="Connect").click()
    wait_until(page, "ready")
    page.get_by_role("button", name="Ask another server").click()
    expect(page.get_by_label("Name of the model")).to_have_value("flowers")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "flowers", "ftp://127.0.0.1/"])
def test_an_address_that_is_none(visit, copy_url, address):
    page = visit(f"{copy_url}?server={address}&model=flowers")
    expect(page.locator("#problem")).to_contain_text(f"“{address}” is not the address of a server")
    expect(page.get_by_label("Address of its REST API")).to_have_value(address)


def test_a_server_that_lets_no_other_pages_ask(visit, copy, server):
    page = visit(f"{copy}index.html?server={server}&model=flowers", [server])
    wait_until(page, "closed")
    expect(page.locator("#notice")).to_contain_text("--rest_api_enable_cors_support")


def test_a_server_that_is_none(visit, copy_url):
    # The copy's own server has files only.
    page = visit(f"{copy_url}index.html?model=flowers")
    wait_until(page, "strange")
    expect(page.locator("#notice")).to_contain_text("does not answer like a model server")


_TRY = """async url => {
  const refused = [];
  document.addEventListener("securitypolicyviolation",
    event => refused.push(event.effectiveDirective));
  await fetch(url, {mode: "no-cors"}).catch(() => {});
  const image = new Image();
  image.src = url + "a.png";
  await new Promise(resolve => { image.onload = image.onerror = resolve; });
  const script = document.createElement("script");
  try { script.textContent = "window.ran = true"; document.head.append(script); }
  catch (error) { refused.push(error.name); }
  await new Promise(resolve => setTimeout(resolve, 100));
  return [refused.sort(), window.ran === true];
}"""


def refused(page, url: str) -> tuple[set[str], bool]:
    """Directives against which the page tried to ask `url`, and whether a script of its own ran."""
    found, ran = page.evaluate(_TRY, url)
    return {name.removesuffix("-elem") for name in found}, ran


ALL = {"connect-src", "img-src", "require-trusted-types-for", "TypeError"}


def test_the_browser_refuses_other_servers_to_the_embedded_page(visit, server, copy_url):
    page = visit(server, refused=[copy_url])
    wait_until(page, "ready")
    assert refused(page, copy_url) == (ALL, False)


def test_and_to_a_copy_all_but_the_one_it_asks(visit, copy, open_server, server):
    address = f"{copy}index.html?server={open_server}&model=flowers"
    page = visit(address, [open_server], refused=[server])
    wait_until(page, "ready")
    assert refused(page, f"{server}/") == (ALL, False)


def test_a_link_cannot_send_photos_elsewhere(visit, server, open_server):
    page = visit(f"{server}/?server={open_server}&model=flowers")
    wait_until(page, "ready")
    expect(page.locator("#problem")).to_contain_text("only asks the server that it comes from")
    with page.expect_request("**:predict") as asked:
        choose(page, ("amber.jpg", AMBER))
    assert asked.value.url.startswith(server)
    answered(page, "amber.jpg")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_has_no_barriers(visit, copy_url, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe").Axe()
    page = visit(copy_url, color_scheme=scheme)
    page.get_by_role("button", name="Connect").wait_for()
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
