// Cost against lateness of every setting tried.

function frontierChart(data, shown) {
  const place = document.getElementById("frontier");
  if (place === null) return { draw() {}, resize() {} };
  const chart = echarts.init(place, null, { renderer: "svg" });
  const draw = () => chart.setOption(frontierOption(data, shown, colours()), { notMerge: true });
  return { draw, resize: (width) => resized(chart, width) };
}

/** `shown` holds places in `data.scalers`. */
function frontierOption(data, shown, colour) {
  const frontiers = data.frontiers.filter((frontier) => shown.has(frontier.scaler));
  const rows = data.rows.filter((row) => row.late_share !== null && shown.has(row.scaler));
  rows.sort((a, b) => Number(a.is_policy) - Number(b.is_policy)); // the policy's on top
  const points = [...frontiers.flatMap((frontier) => frontier.points), ...rows].filter((point) => point.over_bound !== null);
  const scale = lateScale(data, points);
  return {
    ...common(colour),
    grid: { left: 60, right: 24, top: 26, bottom: 46 },
    xAxis: costAxis(points, colour),
    yAxis: lateAxis(colour, scale),
    tooltip: { ...common(colour).tooltip, trigger: "item", formatter: (item) => pointTip(item.data.of) },
    series: [
      limits(data, colour, scale),
      ...frontiers.map((frontier) => frontierLine(frontier, colour, scale)),
      ...rows.map((row) => rowPoint(row, colour, scale)),
    ],
  };
}

/** Decades of lateness, and under the smallest a place for nothing late at all. */
function lateScale(data, points) {
  const shares = [data.late_share_allowed, ...points.map((point) => point.late_share)];
  const late = shares.filter((share) => share > 0);
  const floor = Math.floor(Math.log10(Math.min(...late)) + 1e-9);
  const top = Math.min(Math.ceil(Math.log10(Math.max(...late, data.late_share_allowed * 1.01)) - 1e-9), 0);
  const height = (share) => (share > 0 ? 1 + Math.log10(share) - floor : 0);
  const label = (tick) => (tick === 0 ? "0" : words.share(10 ** (floor + tick - 1)));
  return { height, label, ticks: Math.max(top - floor, 1) + 1 };
}

function costAxis(points, colour) {
  const costs = points.map((point) => point.over_bound);
  const isWide = Math.max(...costs) > 4;
  const least = Math.min(1, ...costs);
  const more = isWide
    ? { type: "log", logBase: Math.SQRT2, min: 2 ** (Math.floor(2 * Math.log2(least) + 1e-9) / 2) }
    : { type: "value", min: Math.floor(least * 10 - 1e-9) / 10 };
  const label = { color: colour.faint, fontSize: 11, hideOverlap: true, formatter: (x) => Number(x.toPrecision(2)) + NBSP + "×" };
  return axis(colour, {
    ...more,
    name: "instance-hours over the bound",
    nameLocation: "middle",
    nameGap: 28,
    nameTextStyle: { color: colour.faint, fontSize: 11 },
    axisLine: { show: true, lineStyle: { color: colour.rule }, onZero: false },
    axisLabel: label,
  });
}

function lateAxis(colour, scale) {
  return axis(colour, {
    type: "value",
    min: 0,
    max: scale.ticks,
    interval: 1,
    axisLabel: { color: colour.faint, fontSize: 11, formatter: scale.label },
  });
}

/** What is allowed, as a ground, and what a clairvoyant pays, as a line. */
function limits(data, colour, scale) {
  const allowed = scale.height(data.late_share_allowed);
  const text = `keeps the objective: ${words.share(data.late_share_allowed)} late at most`;
  return {
    type: "line",
    data: [],
    silent: true,
    markArea: {
      silent: true,
      itemStyle: { color: colour.good },
      data: [[{ yAxis: 0 }, { yAxis: allowed }]],
    },
    markLine: {
      silent: true,
      symbol: "none",
      label: { color: colour.faint, fontSize: 11 },
      data: [
        {
          yAxis: allowed,
          lineStyle: { color: colour.objective, type: "dashed", width: 1.5 },
          label: { formatter: text, position: "insideEndTop", color: colour.objective },
        },
        {
          xAxis: 1,
          lineStyle: { color: colour.ink, type: "solid", width: 1.5 },
          label: { formatter: "bound", position: "end", color: colour.ink },
        },
      ],
    },
  };
}

function mark(look) {
  return { symbol: MARKS[look % 5], symbolRotate: look % 5 === 4 ? 180 : 0 };
}

function frontierLine(frontier, colour, scale) {
  const own = colour.of(frontier.look);
  return {
    type: "line",
    ...mark(frontier.look),
    symbolSize: 6,
    showAllSymbol: true,
    clip: false, // marks on the axis stay whole
    data: frontier.points.map((point) => ({
      value: [point.over_bound, scale.height(point.late_share)],
      of: { ...point, name: frontier.name },
    })),
    lineStyle: { color: own, width: 1.5 },
    itemStyle: { color: own },
  };
}

/** A row's own setting, larger than the settings tried. */
function rowPoint(row, colour, scale) {
  return {
    type: "scatter",
    ...mark(row.look),
    symbolSize: row.is_policy ? 18 : 12,
    clip: false,
    z: row.is_policy ? 6 : 5,
    data: [{ value: [row.over_bound, scale.height(row.late_share)], of: row }],
    itemStyle: { color: colour.of(row.look), borderColor: colour.paper, borderWidth: 2, opacity: 1 },
    label: {
      show: row.is_policy,
      formatter: "the policy",
      position: "top",
      color: colour.ink,
      fontWeight: 600,
      textBorderColor: colour.paper,
      textBorderWidth: 3,
    },
  };
}

function pointTip(point) {
  const lines = [
    ["over the bound", words.times(point.over_bound)],
    ["late", words.share(point.late_share)],
  ];
  if (point.parameters) lines.push([point.parameters, ""]);
  return tip(point.name, lines);
}
