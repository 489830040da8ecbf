// The page: reads the data, draws, and draws anew when a choice, the colours or the width change.

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
  let width = document.body.clientWidth;
  new ResizeObserver(() => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    resize("auto");
  }).observe(document.body);

  // Paper is white and narrower than most screens.
  const onPaper = (isPaper, width) => () => {
    document.documentElement.classList.toggle("paper", isPaper);
    draw();
    resize(width);
  };
  addEventListener("beforeprint", onPaper(true, 680));
  addEventListener("afterprint", onPaper(false, "auto"));
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
