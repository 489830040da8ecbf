"""A browser for a test case, and what tests ask of a page in it."""

import base64
import os
import unittest
from pathlib import Path

from playwright.sync_api import sync_playwright

PAGES = Path(os.environ["REPORT_PAGES"])
MORE_PAGES = [Path(page) for page in os.environ["REPORT_MORE_PAGES"].split(os.pathsep) if page]
SCREENSHOTS = Path(os.environ["REPORT_SCREENSHOTS"])

TIME_CHARTS = ["arrivals", "capacity", "backlog", "waits"]
CHARTS = ["frontier", *TIME_CHARTS]

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
PLACES = [(size, scheme) for size in (DESK, PHONE) for scheme in ("light", "dark")]

# Chromium asks for nothing of its own, and finds nobody if a page should ask.
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]


class BrowserCase(unittest.TestCase):
    """One browser for a class; each page in a fresh profile, watched for errors and requests."""

    @classmethod
    def setUpClass(cls):
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        cls.browser = playwright.chromium.launch(executable_path=os.environ["REPORT_CHROMIUM"], args=ARGUMENTS)
        cls.addClassCleanup(cls.browser.close)

    def open(self, page="week", size=DESK, scheme="light"):
        """A page that has drawn what it draws."""
        path = PAGES / f"{page}.html" if isinstance(page, str) else page
        context = self.browser.new_context(viewport=size, color_scheme=scheme)
        self.addCleanup(context.close)
        tab = context.new_page()
        tab.set_default_timeout(10_000)
        self.errors, self.requests = [], []
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", lambda said: said.type in ("error", "warning") and self.errors.append(said.text))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(path.as_uri())
        for chart in tab.locator(".chart").all():
            chart.locator("svg path").first.wait_for(state="attached")
        return tab

    def assert_quiet(self, tab):
        """No error was reported, and nothing was asked for but the page itself (its icon is empty)."""
        self.assertEqual(self.errors, [])
        others = [url for url in self.requests if url != tab.url and not url.startswith("data:")]
        self.assertEqual(others, [])

    def colours(self, locator):
        """The colours of an element as painted, each with how many pixels have it."""
        picture = base64.b64encode(locator.screenshot()).decode()
        context = self.browser.new_context()
        self.addCleanup(context.close)
        return context.new_page().evaluate(COUNT_COLOURS, f"data:image/png;base64,{picture}")


def drawn(tab, chart):
    """The shapes of a chart, as a text that differs when anything does."""
    return tab.locator(f"#{chart} svg").first.inner_html()


def variable(tab, name):
    """A colour of the style sheet, as `#rrggbb`."""
    return tab.evaluate("name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", f"--{name}")


COUNT_COLOURS = """async (source) => {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const counts = {};
  for (let i = 0; i < data.length; i += 4) {
    const hex = "#" + [data[i], data[i + 1], data[i + 2]].map((part) => part.toString(16).padStart(2, "0")).join("");
    counts[hex] = (counts[hex] ?? 0) + 1;
  }
  return counts;
}"""
