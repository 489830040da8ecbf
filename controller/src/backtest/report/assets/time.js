// The charts through time: one cursor, one zoom.

/** The four charts; `draw` draws them anew, `zoom` moves what they show. */
function timeCharts(data, shown) {
  const places = ["arrivals", "capacity", "backlog", "waits"].map((id) => document.getElementById(id));
  if (places.includes(null)) return { draw() {}, resize() {} };
  const charts = places.map((place) => echarts.init(place, null, { renderer: "svg" }));
  const view = { start: 0, end: 100 };

  const draw = () => {
    const colour = colours();
    const options = [arrivals, capacity, backlog, waits].map((option) => option(data, shown, colour));
    charts.forEach((chart, i) => {
      const option = options[i];
      option.dataZoom = zooms(colour, view, i === 0, data);
      chart.setOption(option, { notMerge: true });
      // A drag over a chart picks a window. The library has that as a tool with an icon, which is
      // switched on for good here and shown nowhere.
      chart.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
    });
    tellWindow(data, view);
  };
  const zoom = (start, end) => {
    if (start === view.start && end === view.end) return; // an echo of this very change
    Object.assign(view, { start, end });
    for (const chart of charts) chart.dispatchAction({ type: "dataZoom", dataZoomIndex: 0, start, end });
    tellWindow(data, view);
  };

  for (const chart of charts) {
    chart.group = "time"; // has one cursor
    chart.on("datazoom", () => {
      const { start, end } = chart.getOption().dataZoom[0];
      zoom(start, end);
    });
  }
  echarts.connect("time");
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(...moved(view, button.dataset.zoom)));
  }
  charts.forEach((chart, i) => cursorByKeys(places[i], chart, data, view, zoom));
  return { draw, resize: (width) => charts.forEach((chart) => resized(chart, width)) };
}

/** When a step begins, in milliseconds. */
function stepAt(data, step) {
  return (data.starts_at + step * data.step_seconds) * 1000;
}

/** Values that hold for a step each, as points; a gap stays a gap, a lone step is still seen. */
function points(data, values) {
  const list = [];
  values.forEach((value, i) => {
    list.push([stepAt(data, i), value]);
    const next = values[i + 1];
    if (value !== null && (next === null || next === undefined)) list.push([stepAt(data, i + 1), value]);
  });
  return list;
}

function line(data, values, style) {
  return {
    type: "line",
    sampling: "max", // what a chart has no pixels for: spikes are what people look for
    data: points(data, values),
    step: "end",
    symbol: "none",
    silent: true,
    lineStyle: { width: 1.5, ...style },
    itemStyle: { color: style.color },
  };
}

/** A series for each row that is shown; the policy's last, on top of the others, and stronger. */
function rowLines(data, shown, colour, values) {
  const rows = data.rows.filter((_, i) => shown.has(i));
  rows.sort((a, b) => Number(a.is_policy) - Number(b.is_policy));
  return rows.map((row) =>
    line(data, values(row), {
      color: colour.of(row.look),
      type: row.line,
      width: row.is_policy ? 2 : 1.25,
    }),
  );
}

function base(data, colour, word, tipLines) {
  return {
    ...common(colour),
    grid: { left: 52, right: 14, top: 12, bottom: 24 },
    toolbox: {
      itemSize: 0,
      left: -99,
      feature: { dataZoom: { yAxisIndex: "none", brushStyle: { color: colour.need, borderWidth: 0 } } },
    },
    xAxis: axis(colour, {
      type: "time",
      min: stepAt(data, 0),
      max: stepAt(data, data.arrivals.length),
      splitLine: { show: false },
      axisLine: { show: true, lineStyle: { color: colour.rule }, onZero: false },
      axisLabel: { color: colour.faint, fontSize: 11, hideOverlap: true, formatter: timeLabel(data) },
      axisPointer: { show: true, snap: false, label: { show: false }, lineStyle: { color: colour.faint, type: "solid" } },
    }),
    yAxis: axis(colour, {
      type: "value",
      min: 0,
      splitNumber: 3,
      axisLabel: { color: colour.faint, fontSize: 11, formatter: word },
    }),
    tooltip: {
      ...common(colour).tooltip,
      trigger: "axis",
      position: besideCursor,
      formatter: ([first]) => {
        const step = Math.floor((first.axisValue / 1000 - data.starts_at) / data.step_seconds);
        const last = data.arrivals.length - 1;
        const at = Math.min(Math.max(step, 0), last);
        return tip(words.moment(stepAt(data, at), data.is_dated), tipLines(at));
      },
    },
  };
}

/** Away from the cursor, so that what it points at stays seen. */
function besideCursor([x], _params, _element, _rect, size) {
  const [width] = size.contentSize;
  const room = size.viewSize[0];
  return [x > room / 2 ? Math.max(x - width - 16, 4) : Math.min(x + 16, room - width - 4), 4];
}

function timeLabel(data) {
  if (data.is_dated) {
    return { year: "{yyyy}", month: "{MMM} {yyyy}", day: "{d} {MMM}", hour: "{HH}:{mm}", minute: "{HH}:{mm}", second: "{HH}:{mm}:{ss}" };
  }
  return (at) => {
    const [day, time] = words.moment(at, false).split(", ");
    return time === "00:00" ? day : time;
  };
}

function arrivals(data, _shown, colour) {
  const option = base(data, colour, words.short, (at) => [["arrivals", `${words.number(data.arrivals[at])}${NBSP}a second`]]);
  option.series = [{ ...line(data, data.arrivals, { color: colour.ink, width: 1 }), areaStyle: { color: colour.need } }];
  option.grid.bottom = 64; // the zoom's slider
  return option;
}

function capacity(data, shown, colour) {
  const lines = (at) => [
    ["needed", words.number(data.needed[at])],
    ...rowsAt(data, shown, (row) => words.number(row.instances[at])),
  ];
  const option = base(data, colour, words.short, lines);
  const needed = line(data, data.needed, { color: colour.faint, width: 0.5 });
  option.series = [
    { ...needed, areaStyle: { color: colour.need } },
    ...rowLines(data, shown, colour, (row) => row.instances),
  ];
  return option;
}

function backlog(data, shown, colour) {
  const option = base(data, colour, words.short, (at) => rowsAt(data, shown, (row) => words.number(row.backlog[at])));
  option.series = rowLines(data, shown, colour, (row) => row.backlog);
  return option;
}

function waits(data, shown, colour) {
  const objective = data.start_within_seconds;
  const drawn = data.rows.filter((_, i) => shown.has(i)).flatMap((row) => row.waits);
  const unit = unitOf(drawn.reduce((longest, wait) => Math.max(longest, wait ?? 0), objective));
  const inUnit = (row) => row.waits.map((wait) => (wait === null ? null : wait / unit));
  const worded = (wait) => (wait === null || wait === undefined ? "–" : words.duration(wait));
  const option = base(data, colour, (x) => words.duration(x * unit), (at) => rowsAt(data, shown, (row) => worded(row.waits[at])));
  option.series = [...rowLines(data, shown, colour, inUnit), objectiveLine(objective, unit, colour)];
  option.yAxis.max = (extent) => Math.max(extent.max, objective / unit) * 1.12;
  option.yAxis.axisLabel.showMaxLabel = false;
  return option;
}

/** Seconds in the unit that a wait is told in, so that ticks are round numbers of it. */
function unitOf(seconds) {
  if (seconds < 99.5) return 1;
  if (seconds < 5400) return 60;
  return seconds < 172800 ? 3600 : 86400;
}

function objectiveLine(objective, unit, colour) {
  return {
    type: "line",
    data: [],
    markLine: {
      silent: true,
      symbol: "none",
      data: [{ yAxis: objective / unit }],
      lineStyle: { color: colour.objective, type: "dashed", width: 1.5 },
      label: {
        formatter: `objective ${words.duration(objective)}`,
        position: "insideStartTop",
        color: colour.objective,
        fontSize: 11,
      },
    },
  };
}

/** The shown rows' lines of a tooltip, the policy's first. */
function rowsAt(data, shown, value) {
  const rows = data.rows.filter((_, i) => shown.has(i));
  return rows.map((row) => [row.name, value(row), row.look]);
}

function zooms(colour, view, hasSlider, data) {
  const slider = {
    type: "slider",
    show: hasSlider,
    height: 22,
    bottom: 8,
    left: 52,
    right: 14,
    brushSelect: true,
    borderColor: colour.rule,
    fillerColor: colour.need,
    backgroundColor: "transparent",
    dataBackground: { lineStyle: { color: colour.faint, width: 0.5 }, areaStyle: { color: colour.need } },
    selectedDataBackground: { lineStyle: { color: colour.faint, width: 0.5 }, areaStyle: { color: colour.need } },
    handleStyle: { color: colour.raised, borderColor: colour.faint },
    moveHandleStyle: { color: colour.rule },
    moveHandleSize: 5,
    showDetail: false,
    labelFormatter: (at) => words.moment(at, data.is_dated),
    ...view,
  };
  // The wheel scrolls the page, and zooms with Ctrl held.
  const inside = { type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, moveOnMouseWheel: false, ...view };
  return [inside, slider];
}

/** The window after a button was pressed, in parts of a hundred. */
function moved({ start, end }, how) {
  const width = end - start;
  const within = (from, wide) => {
    const size = Math.min(Math.max(wide, 0.2), 100);
    const begin = Math.min(Math.max(from, 0), 100 - size);
    return [begin, begin + size];
  };
  switch (how) {
    case "in": return within(start + width / 4, width / 2);
    case "out": return within(start - width / 2, width * 2);
    case "earlier": return within(start - width / 2, width);
    case "later": return within(start + width / 2, width);
    default: return [0, 100];
  }
}

function tellWindow(data, { start, end }) {
  const at = (part) => stepAt(data, (data.arrivals.length * part) / 100);
  const [from, until] = [at(start), at(end)].map((moment) => words.moment(moment, data.is_dated));
  document.getElementById("window").textContent = `${from} – ${until}`;
}

/** A focused chart: arrows move the cursor, plus and minus zoom, Escape shows the whole trace. */
function cursorByKeys(place, chart, data, view, zoom) {
  let part = 50; // of the window
  place.addEventListener("keydown", (event) => {
    const keys = { "+": "in", "=": "in", "-": "out", PageUp: "earlier", PageDown: "later", Escape: "all" };
    if (keys[event.key]) {
      zoom(...moved(view, keys[event.key]));
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const by = event.shiftKey ? 10 : 1;
      part = Math.min(Math.max(part + (event.key === "ArrowLeft" ? -by : by), 0), 100);
      const at = stepAt(data, (data.arrivals.length * (view.start + ((view.end - view.start) * part) / 100)) / 100);
      const x = chart.convertToPixel({ xAxisIndex: 0 }, at);
      // As if the mouse had moved there: the action `showTip` does not reach connected charts.
      chart.getZr().handler.dispatch("mousemove", { zrX: x, zrY: 30 });
    } else {
      return;
    }
    event.preventDefault();
  });
  place.addEventListener("blur", () => chart.dispatchAction({ type: "hideTip" }));
}
