"""Looks at the pages as a browser shows them: in each language, light and dark, on a phone.

`cargo xtask test` runs this on a deployed stack: on the public pages, with a request in each state,
and, without a network, on those that are kept as files: a day's attestation, an account's archive.
It fails when axe-core finds anything, when the browser complains (of its content policy, too), when
a page is wider than a phone, sets a cookie or links to nothing, or when the form cannot be used by
keyboard alone. It leaves screenshots to look at.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

LOCALES = {"en": "en-US", "es": "es-GT"}
SCHEMES = ("light", "dark")
PHONE = {"width": 320, "height": 640}
DESKTOP = {"width": 1280, "height": 800}
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"],
    # Off unless asked for, although it is WCAG 2.2.
    "rules": {"target-size": {"enabled": True}},
    "resultTypes": ["violations", "incomplete"],
}
UNKNOWN = "/data-deletion/zzzzzzzzzzzzzzzzzzzzzzzzzz"

IS_DARK = """() => {
  const shades = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3);
  return shades.every(shade => shade < 64);
}"""
FOCUSED = """() => {
  const {tagName, name, href} = document.activeElement;
  return [tagName, name || href].join(" ");
}"""
SHOWS_FOCUS = """() => {
  const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
  const {left, right, top, width} = document.activeElement.getBoundingClientRect();
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2
    && left >= 0 && top >= 0 && width > 0 && right <= innerWidth;
}"""


@dataclass
class Checks:
    """What was looked at so far, and what is wrong with it."""

    url: str
    screenshots: Path
    views: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, where: str, otherwise: str) -> None:
        """Notes a problem unless it holds."""
        if not holds:
            self.problems.append(f"{where}: {otherwise}")


def view(checks: Checks, page: Page, look: tuple[str, str, str], path: str) -> None:
    """Opens a page and checks what holds for all of them."""
    name, language, scheme = look
    where = " ".join(look)
    said: list[ConsoleMessage] = []
    page.on("console", lambda message: said.append(message))
    page.on("pageerror", lambda error: checks.expect(False, where, str(error)))
    answer = page.goto(checks.url + path)
    status = answer.status if answer else 0
    wanted = 404 if path == UNKNOWN else 200
    checks.views += 1
    checks.expect(status == wanted, where, f"answered {status}")
    for message in said:
        # The browser complains of a page that is a 404. One page is meant to be a 404.
        if not (wanted == 404 and message.location["url"] == page.url and "404" in message.text):
            checks.expect(False, where, f"the browser says: {message.text}")
    shown = page.evaluate("document.documentElement.lang")
    checks.expect(shown == language, where, f"is in {shown}")
    checks.expect(page.evaluate(IS_DARK) == (scheme == "dark"), where, "is not in its scheme")
    checks.expect(page.locator("script").count() == 0, where, "has a script")
    checks.expect(not page.context.cookies(), where, "sets a cookie")
    for finding in findings(page):
        checks.expect(False, where, finding)
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        checks.expect(width <= size["width"], where, f"is {width} wide on {size['width']}")
        file = f"{name}-{language}-{scheme}-{size['width']}.png"
        page.screenshot(path=checks.screenshots / file, full_page=True)


def findings(page: Page) -> Iterator[str]:
    """What axe-core finds, and what it cannot decide."""
    results = Axe().run(page, options=AXE).response
    for kind in ("violations", "incomplete"):
        for rule in results[kind]:
            nodes = ", ".join(node["html"] for node in rule["nodes"])
            yield f"axe {rule['id']} ({kind}): {rule['help']}: {nodes}"


def links(checks: Checks, hrefs: set[str]) -> None:
    """Follows every link that a page had, past the browser: it does not show a download."""
    for href in sorted(hrefs):
        checks.expect(href.startswith(checks.url), href, "leads elsewhere")
        to = urlsplit(href)
        connection = HTTPConnection("127.0.0.1", to.port, timeout=30)
        connection.request("GET", f"{to.path}?{to.query}", headers={"Host": to.netloc})
        status = connection.getresponse().status
        checks.expect(status == (404 if to.path == UNKNOWN else 200), href, f"answered {status}")
        connection.close()


def keyboard(checks: Checks, page: Page, language: str, code: str) -> None:
    """Finds a request by its code without a mouse, after mistyping it."""
    where = f"form {language}"
    page.goto(f"{checks.url}/{language}/data-deletion")
    tab_through(checks, page, where)
    page.focus("#code")
    page.keyboard.type("mistaken")
    page.keyboard.press("Enter")
    page.wait_for_url("**/data-deletion/*")
    tab_through(checks, page, where)
    checks.expect(page.input_value("#code") == "m1staken", where, "loses what was typed")
    checks.expect(page.locator("#code[aria-invalid]").count() == 1, where, "says not what is wrong")
    for name in (page.get_attribute("#code", "aria-describedby") or "").split():
        checks.expect(page.is_visible(f"#{name}"), where, f"is described by no #{name}")
    page.focus("#code")
    page.keyboard.press("Control+A")
    page.keyboard.type(f" {code[:13].upper()} - {code[13:].upper()} ")
    page.keyboard.press("Tab")
    checks.expect(page.evaluate(FOCUSED).startswith("BUTTON"), where, "has its button elsewhere")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/data-deletion/{code}?lang={language}")
    with page.expect_download() as download:
        page.click("a[href$='/receipt']")
    name = download.value.suggested_filename
    checks.expect(name == "receipt.jws", where, f"the receipt is saved as {name}")


def tab_through(checks: Checks, page: Page, where: str) -> None:
    """Tabs through a page: every stop shows that it is one, and the first skips to the content."""
    count = page.locator("a, input:not([type=hidden]), button").count()
    stops = []
    for _ in range(count):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUSED))
        checks.expect(page.evaluate(SHOWS_FOCUS), where, f"does not show the focus on {stops[-1]}")
    checks.expect(len(set(stops)) == count, where, f"Tab reaches {stops}, not {count} of them")
    page.focus(".skip")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    checks.expect(page.locator("main :focus").count() == 1, where, "does not skip to its content")


def offline(checks: Checks, browser: Browser, files: dict[str, Path]) -> None:
    """Pages that are files, each for both languages, and all that they link to."""
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme, offline=True, viewport=PHONE)
        left = dict(files)
        seen: set[Path] = set()
        while left:
            name, file = left.popitem()
            seen.add(file)
            page = context.new_page()
            links = sheet(checks, page, (name, scheme), file)
            folder = file.parent
            for href in links:
                to = (folder / href.split("#")[0]).resolve()
                checks.expect(to.is_file(), f"{name} {scheme}", f"links to {href}, which is not")
                if to.suffix == ".html" and to.is_file() and to not in seen:
                    left[f"{name}-{to.parent.name}-{to.stem}"] = to
            page.close()
        context.close()


def sheet(checks: Checks, page: Page, look: tuple[str, str], file: Path) -> list[str]:
    """Opens a page that is a file, and checks it; returns where it links to."""
    name, scheme = look
    where = " ".join(look)
    page.on("console", lambda message: checks.expect(False, where, message.text))
    page.on("pageerror", lambda error: checks.expect(False, where, str(error)))
    page.on("request", lambda request: checks.expect(
        request.url == file.as_uri(), where, f"asks for {request.url}"))
    page.goto(file.as_uri())
    checks.views += 1
    languages = page.evaluate("[...document.querySelectorAll('[lang]')].map(one => one.lang)")
    for language in LOCALES:
        checks.expect(language in languages, where, f"has nothing in {language}")
    checks.expect(page.evaluate(IS_DARK) == (scheme == "dark"), where, "is not in its scheme")
    checks.expect(page.locator("script").count() == 0, where, "has a script")
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        for finding in findings(page):
            checks.expect(False, f"{where} {size['width']}", finding)
        width = page.evaluate("document.documentElement.scrollWidth")
        checks.expect(width <= size["width"], where, f"is {width} wide on {size['width']}")
        shot = checks.screenshots / f"{name}-{scheme}-{size['width']}.png"
        page.screenshot(path=shot, full_page=True)
    return page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")


def one_sheet(checks: Checks, browser: Browser, file: Path) -> None:
    """An attestation is filed on paper, too: with its chart, on one sheet."""
    page = browser.new_page()
    page.goto(file.as_uri())
    checks.expect(page.locator("svg").count() >= 1, file.name, "has no chart")
    pdf = page.pdf(format="A4")
    sheets = pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ")
    checks.expect(sheets == 1, file.name, f"prints on {sheets} sheets")
    page.close()


def everything(checks: Checks, browser: Browser, states: dict[str, str]) -> None:
    """Every page in every way, then its links and the form."""
    for language, locale in LOCALES.items():
        paths = {name: f"/data-deletion/{code}" for name, code in states.items()}
        paths |= {"unknown": UNKNOWN, "instructions": f"/{language}/data-deletion"}
        hrefs: set[str] = set()
        for scheme in SCHEMES:
            context = browser.new_context(color_scheme=scheme, locale=locale, viewport=PHONE)
            for name, path in paths.items():
                page = context.new_page()
                view(checks, page, (name, language, scheme), path)
                hrefs |= set(page.eval_on_selector_all("a", "all => all.map(one => one.href)"))
                page.close()
            context.close()
        links(checks, hrefs)
        page = browser.new_page(locale=locale, viewport=PHONE)
        keyboard(checks, page, language, states["completed"])
        page.close()


def main() -> int:
    """Runs the checks; says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", required=True, help="the browser")
    parser.add_argument("--url", required=True, help="where the pages are")
    parser.add_argument("--states", required=True, help="JSON: a request's code by its name")
    parser.add_argument("--attestation", required=True, type=Path, help="a day's page")
    parser.add_argument("--archive", required=True, type=Path, help="an archive's first page")
    parser.add_argument("--screenshots", required=True, type=Path, help="folder")
    given = parser.parse_args()
    given.screenshots.mkdir(parents=True, exist_ok=True)
    checks = Checks(given.url, given.screenshots)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which(given.chromium))
        everything(checks, browser, json.loads(given.states))
        attestation, archive = given.attestation.resolve(), given.archive.resolve()
        offline(checks, browser, {"attestation": attestation, "archive": archive})
        one_sheet(checks, browser, attestation)
        browser.close()
    for problem in checks.problems:
        print(f"  ✗ {problem}")
    print(f"{checks.views} views, {len(checks.problems)} problems; shown in {checks.screenshots}")
    return 1 if checks.problems else 0


if __name__ == "__main__":
    sys.exit(main())
