// The page: reads the data, draws, and draws anew when a choice, the colours or the width change.

/** What fits between the margins of A4 and of Letter. */
const PAPER_PIXELS = 660;

(() => {
  for (const table of document.querySelectorAll("table.sortable")) sortable(table);

  const data = JSON.parse(document.getElementById("data").textContent);
  const time = timeCharts(data, choices("rows", () => time.draw()));
  const frontier = frontierChart(data, choices("frontier", () => frontier.draw()));
  const draw = () => {
    time.draw();
    frontier.draw();
  };
  const resize = (width) => {
    time.resize(width);
    frontier.resize(width);
  };
  draw();

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const page = document.documentElement.classList;
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width || page.contains("paper")) return;
    width = document.body.clientWidth;
    resize("auto");
  }).observe(document.body);

  // Paper is white and narrower than most screens.
  addEventListener("beforeprint", () => {
    page.add("paper");
    draw();
    resize(PAPER_PIXELS);
  });
  addEventListener("afterprint", () => {
    page.remove("paper");
    draw();
    resize("auto");
  });
})();

/** The places of the boxes that are ticked, kept up to date. */
function choices(name, changed) {
  const boxes = [...document.querySelectorAll(`[data-choices=${name}] input`)];
  const shown = new Set();
  boxes.forEach((box, i) => {
    const take = () => (box.checked ? shown.add(i) : shown.delete(i));
    box.addEventListener("change", () => {
      take();
      changed();
    });
    take();
  });
  return shown;
}
