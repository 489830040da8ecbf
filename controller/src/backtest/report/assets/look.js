// Colours, lines and marks of the charts. The colours are the style sheet's, so that a change
// between day and night is read anew from there.

const MARKS = ["circle", "rect", "triangle", "diamond", "triangle"]; // look % 5; charts.rs, `mark`

/** The colours in force now. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue("--" + name).trim();
  return {
    paper: named("paper"),
    raised: named("raised"),
    ink: named("ink"),
    faint: named("faint"),
    rule: named("rule"),
    need: named("need"),
    good: named("good"),
    objective: named("objective"),
    of: (look) => named("look-" + look),
  };
}

/** What all charts have in common. */
function common(colour) {
  return {
    animation: false,
    useUTC: true,
    backgroundColor: "transparent",
    textStyle: { fontFamily: "system-ui, sans-serif", color: colour.ink },
    tooltip: {
      confine: true,
      backgroundColor: colour.raised,
      borderColor: colour.rule,
      padding: [6, 10],
      textStyle: { color: colour.ink, fontSize: 12 },
    },
  };
}

/** A chart in another width, painted at once: a printer does not wait for the next frame. */
function resized(chart, width) {
  chart.resize({ width });
  chart.getZr().flush();
}

/** Lines, ticks and labels of an axis. */
function axis(colour, more) {
  return {
    axisLine: { show: false, lineStyle: { color: colour.rule }, onZero: false },
    axisTick: { show: false },
    axisLabel: { color: colour.faint, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: colour.rule, width: 1 } },
    ...more,
  };
}

/** A tooltip as elements: names come from files, and text stays text. */
function tip(title, lines) {
  const box = document.createElement("div");
  box.className = "tip";
  const head = document.createElement("strong");
  head.textContent = title;
  box.append(head);
  for (const [name, value, look] of lines) {
    const line = document.createElement("div");
    if (look !== undefined) {
      const swatch = document.createElement("i");
      swatch.className = `look-${look}`;
      line.append(swatch);
    }
    const key = document.createElement("span");
    key.textContent = name;
    const text = document.createElement("b");
    text.textContent = value;
    line.append(key, text);
    box.append(line);
  }
  return box;
}
