"""What a reader is promised of the report page, in a real browser."""

from browser import CHARTS, DESK, MORE_PAGES, PHONE, PLACES, SCREENSHOTS, TIME_CHARTS, BrowserCase, drawn, variable

OVERFLOWING = """() => {
  const wide = (element) => element.getBoundingClientRect().right > innerWidth + 0.5;
  const elements = [...document.querySelectorAll("body *")];
  return elements.filter((element) => !element.closest(".scroll table, .chart") && wide(element)).map((element) => element.outerHTML.slice(0, 80));
}"""


# Where each chart's lines and labels end at the moment a printer takes the page: no frame later.
PRINT = """() => {
  dispatchEvent(new Event("beforeprint"));
  const shapes = (chart) => [...chart.querySelectorAll("svg path, svg text")].filter((shape) => !shape.closest("defs"));
  const ends = (chart) => shapes(chart).map((shape) => shape.getBoundingClientRect().right);
  const right = (chart) => Math.max(...ends(chart)) - chart.getBoundingClientRect().left;
  return Object.fromEntries([...document.querySelectorAll(".chart")].map((chart) => [chart.id, right(chart)]));
}"""


class EveryPlace(BrowserCase):
    """On a desk and on a phone, by day and by night; screenshots are left for a person."""

    def each(self, page):
        name = page if isinstance(page, str) else page.stem
        for size, scheme in PLACES:
            with self.subTest(page=name, width=size["width"], scheme=scheme):
                tab = self.open(page, size, scheme)
                yield tab
                tab.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}-{scheme}.png", full_page=True)
                self.assert_quiet(tab)
                width = tab.evaluate("document.documentElement.scrollWidth")
                self.assertLessEqual(width, size["width"], "the page scrolls sideways")
                self.assertEqual(tab.evaluate(OVERFLOWING), [])

    def test_every_chart_is_painted_with_the_policys_colour(self):
        for page in ["week", *MORE_PAGES]:
            for tab in self.each(page):
                policy = variable(tab, "look-0")
                for chart in CHARTS:
                    colours = self.colours(tab.locator(f"#{chart}"))
                    self.assertGreater(len(colours), 8, f"{chart} is blank")
                    if chart != "arrivals":
                        self.assertGreater(colours.get(policy, 0), 20, f"{chart} lacks the policy")

    def test_hostile_texts_are_shown_as_they_are(self):
        for tab in self.each("hostile"):
            self.assertNotEqual(tab.title(), "owned")
            self.assertEqual(tab.locator("img").count(), 0)
            self.assertIn("</script><script>", tab.locator("h1").inner_text())

    def test_a_trace_without_messages_has_flat_charts(self):
        for tab in self.each("quiet"):
            self.assertIn("No message arrived", tab.locator(".verdict").inner_text())
            self.assertEqual(tab.locator(".chart").count(), len(TIME_CHARTS))
            self.assertRegex(tab.locator("#window").inner_text(), r"^day 1, 00:00 – day 8, 00:00$")

    def test_a_trace_without_steps_says_so(self):
        for tab in self.each("empty"):
            self.assertEqual(tab.locator(".chart").count(), 0)
            self.assertEqual(tab.locator(".empty").count(), 2)


class Reading(BrowserCase):
    """What a reader does."""

    def test_one_cursor_goes_through_all_charts(self):
        tab = self.open()
        box = tab.locator("#capacity").bounding_box()
        tab.locator("#capacity").hover(position={"x": box["width"] * 0.4, "y": 60})
        tips = self.tips(tab)
        self.assertEqual(len({tip.splitlines()[0] for tip in tips}), 1, tips)
        self.assertIn("needed", tips[1])
        self.assertRegex(tips[1], r"weir – the policy\n\d+")
        self.assertRegex(tips[3], r"weir – the policy\n[\d.]+.(s|min|h)")
        self.assertRegex(tips[3], r"actual – as it was\n–")

    def test_the_keyboard_moves_the_cursor(self):
        tab = self.open()
        tab.locator("#backlog").focus()
        tab.keyboard.press("ArrowRight")
        before = self.tips(tab)
        tab.keyboard.press("Shift+ArrowRight")
        tab.wait_for_function("before => document.querySelector('#backlog .tip').innerText !== before", arg=before[2])
        self.assertGreater(self.tips(tab)[0], before[0])  # dates sort as texts do

    def tips(self, tab):
        for chart in TIME_CHARTS:
            tab.locator(f"#{chart} .tip").wait_for()
        return [tab.locator(f"#{chart} .tip").inner_text() for chart in TIME_CHARTS]

    def test_buttons_keys_and_the_slider_zoom_all_charts(self):
        tab = self.open()
        window = tab.locator("#window")
        whole = window.inner_text()
        self.assert_all_change(tab, lambda: tab.get_by_role("button", name="Zoom in").click())
        self.assert_all_change(tab, lambda: tab.get_by_role("button", name="Later").click())
        zoomed = window.inner_text()
        self.assertNotEqual(zoomed, whole)
        tab.locator("#waits").focus()
        self.assert_all_change(tab, lambda: tab.keyboard.press("+"))
        self.assert_all_change(tab, lambda: tab.keyboard.press("Escape"))
        self.assertEqual(window.inner_text(), whole)
        self.assert_all_change(tab, lambda: self.drag(tab, "#backlog", (0.5, 0.8), 80))
        picked = window.inner_text()
        self.assertNotEqual(picked, whole)
        slider = tab.locator("#arrivals").bounding_box()["height"] - 18
        self.assert_all_change(tab, lambda: self.drag(tab, "#arrivals", (0.65, 0.4), slider))
        self.assertNotEqual(window.inner_text(), picked)

    def drag(self, tab, chart, parts, y):
        """From one part of a chart's width to another, at a height."""
        tab.locator(chart).scroll_into_view_if_needed()
        box = tab.locator(chart).bounding_box()
        first, last = (box["x"] + box["width"] * part for part in parts)
        tab.mouse.move(first, box["y"] + y)
        tab.mouse.down()
        tab.mouse.move(last, box["y"] + y, steps=8)
        tab.mouse.up()

    def assert_all_change(self, tab, act):
        before = [drawn(tab, chart) for chart in TIME_CHARTS]
        act()
        tab.wait_for_timeout(200)
        for chart, shapes in zip(TIME_CHARTS, before):
            self.assertTrue(drawn(tab, chart) != shapes, f"{chart} did not follow")

    def test_a_box_puts_a_scaler_into_the_charts_and_takes_it_out(self):
        tab = self.open()
        lines = lambda: tab.locator("#capacity svg path[stroke-dasharray]").count()
        box = tab.get_by_label("step scaling – as documented")
        self.assertFalse(box.is_checked())
        before = lines()
        box.check()
        self.assertGreater(lines(), before)
        box.uncheck()
        self.assertEqual(lines(), before)

    def test_the_frontier_takes_the_room_that_its_scalers_need(self):
        tab = self.open()
        boxes = tab.locator("[data-choices=frontier]")
        labels = lambda: tab.locator("#frontier svg text").all_text_contents()
        self.assertIn("8\u00a0×", labels())
        boxes.get_by_label("static peak").uncheck()
        self.assertNotIn("8\u00a0×", labels())
        self.assertIn("3\u00a0×", labels())
        for box in boxes.get_by_role("checkbox").all():
            box.uncheck()
        self.assert_quiet(tab)

    def test_a_point_of_the_frontier_tells_its_parameters(self):
        tab = self.open()
        for name in ["weir", "KEDA", "step scaling", "Nomad target-value", "agent scaler", "static peak"]:
            tab.locator("[data-choices=frontier]").get_by_label(name, exact=True).uncheck()
        marks = tab.locator(f"#frontier svg path[fill='{variable(tab, 'look-1')}']")
        marks.last.hover()
        tip = tab.locator("#frontier .tip")
        tip.wait_for()
        self.assertRegex(tip.inner_text(), r"target tracking[\s\S]+over the bound\n[\d.]+.×\nlate\n[\d.]+.%\n[\s\S]*target.[\d.]+")

    def test_heads_sort_and_what_is_unknown_stays_last(self):
        tab = self.open()
        cells = lambda column: tab.locator(f"#scalers tbody td:nth-child({column})").evaluate_all("cells => cells.map(cell => cell.dataset.key)")
        head = tab.get_by_role("columnheader", name="instance- hours").or_(tab.get_by_role("columnheader", name="instance-hours")).first
        head.get_by_role("button").click()
        self.assertEqual(head.get_attribute("aria-sort"), "ascending")
        hours = [float(key) for key in cells(2)]
        self.assertEqual(hours, sorted(hours))
        head.get_by_role("button").click()
        self.assertEqual([float(key) for key in cells(2)], sorted(hours, reverse=True))
        late = tab.get_by_role("columnheader", name="late").first.get_by_role("button")
        for _ in range(2):
            late.click()
            self.assertIsNone(cells(5)[-1])

    def test_colours_follow_the_system_without_a_reload(self):
        tab = self.open(scheme="light")
        day = variable(tab, "look-0")
        tab.emulate_media(color_scheme="dark")
        night = variable(tab, "look-0")
        self.assertNotEqual(day, night)
        for chart in ["frontier", "capacity"]:
            tab.locator(f"#{chart} svg [stroke='{night}']").first.wait_for(state="attached")
            self.assertEqual(tab.locator(f"#{chart} svg [stroke='{day}']").count(), 0)

    def test_charts_follow_the_width(self):
        tab = self.open(size=DESK)
        tab.set_viewport_size(PHONE)
        tab.wait_for_function("document.querySelector('#capacity svg').getBoundingClientRect().width < 360")
        self.assertLessEqual(tab.evaluate("document.documentElement.scrollWidth"), PHONE["width"])

    def test_paper_is_white_and_holds_the_charts(self):
        tab = self.open(scheme="dark")
        pdf = tab.pdf(path=SCREENSHOTS / "week.pdf", format="A4", margin=dict.fromkeys(["top", "bottom", "left", "right"], "12mm"))
        self.assertGreater(len(pdf), 50_000)
        tab.wait_for_function("document.querySelector('#capacity svg').getBoundingClientRect().width > 1000")
        for chart, right in tab.evaluate(PRINT).items():
            self.assertLess(right, 703, f"{chart} is wider than A4 between its margins")
            self.assertGreater(right, 600, chart)
        self.assertEqual(variable(tab, "look-0"), "#0062a3")  # the policy's colour by day
        tab.evaluate("dispatchEvent(new Event('afterprint'))")

class Promises(BrowserCase):
    """What holds whatever a reader does."""

    def test_nothing_can_be_loaded_or_run_from_elsewhere(self):
        tab = self.open()
        refused = "url => fetch(url).then(() => 'loaded', () => 'refused')"
        self.assertEqual(tab.evaluate(refused, "http://127.0.0.1:9/"), "refused")
        self.assertIn("Content Security Policy", " ".join(self.errors))
        add = "text => { const script = document.createElement('script'); script.textContent = text; document.body.append(script); }"
        tab.evaluate(add, "document.title = 'owned'")
        self.assertNotEqual(tab.title(), "owned")

    def test_texts_and_lines_stand_out_from_the_ground(self):
        for scheme in ("light", "dark"):
            tab = self.open(scheme=scheme)
            paper = variable(tab, "paper")
            for name, least in [("ink", 7), ("faint", 4.5), ("objective", 4.5), ("kept", 4.5), ("link", 4.5)]:
                self.assertGreaterEqual(contrast(variable(tab, name), paper), least, f"{name}, {scheme}")
            for look in range(9):  # graphics: WCAG 2.1, 1.4.11
                ratio = contrast(variable(tab, f"look-{look}"), paper)
                self.assertGreaterEqual(ratio, 2.9, f"look-{look}, {scheme}")

    def test_a_reader_who_does_not_see_has_the_same(self):
        tab = self.open()
        tree = tab.locator("body").aria_snapshot()
        for text in ['heading "Every scaler" [level=2]', 'img "Longest wait"', "On average", "checkbox", "columnheader"]:
            self.assertIn(text, tree)
        levels = tab.locator("h1, h2, h3").evaluate_all("heads => heads.map(head => Number(head.tagName[1]))")
        steps = [after - before for before, after in zip(levels, levels[1:])]
        self.assertEqual(levels[0], 1)
        self.assertLessEqual(max(steps), 1, levels)


def contrast(one, other):
    """The ratio of WCAG 2.1, 1.4.3, of two colours as `#rrggbb`."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
