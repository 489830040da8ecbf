// Tables that sort by a column: at a click on its head, the other way at the next.

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const isRising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", isRising ? "ascending" : "descending");
      sort(table.tBodies[0], column, isRising);
    });
  });
}

/** What is unknown stays last, whichever way. */
function sort(body, column, isRising) {
  const key = (row) => {
    const text = row.cells[column].dataset.key;
    return text === undefined ? Infinity : Number(text) * (isRising ? 1 : -1);
  };
  body.append(...[...body.rows].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)));
}
