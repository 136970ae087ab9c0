
// The plots: bars beside their labels and numbers, so that no color has to be told from another.

function showPlots() {
  document.getElementById("plots").hidden = keys.length === 0;
  plotOn(document.getElementById("ages"), ages());
  plotOn(document.getElementById("work"), work());
}

// ages counts the keys by age, those that are active and those that are not.
function ages() {
  const spans = [[30, "under 30 d"], [90, "30–89 d"], [180, "90–179 d"], [365, "180–364 d"], [730, "1–2 years"], [Infinity, "over 2 years"]];
  const rows = [...spans.map(([, label]) => label), "unknown"].map((label) => ({ label, numbers: [0, 0], kinds: ["active", "inactive"] }));
  for (const key of keys) {
    const span = key.created ? spans.findIndex(([end]) => daysSince(key.created) < end) : spans.length;
    rows[span].numbers[key.active ? 0 : 1]++;
  }
  return { columns: ["active", "inactive"], rows };
}

// work counts what is due, by policy and step.
function work() {
  const rows = [];
  for (const { policy } of sweep.policies) {
    const due = keys.filter((key) => key.policy === policy).map(dueOf);
    rows.push({ label: policy, numbers: [], kinds: [] });
    for (const step of Object.keys(words)) {
      const n = due.filter((other) => other === step).length;
      if (n) rows.push({ label: words[step], numbers: [n], kinds: [step] });
    }
    if (rows.at(-1).label === policy) rows.push({ label: "nothing", numbers: [0], kinds: [""] });
  }
  return { columns: ["keys"], rows };
}

// plotOn draws the plot as wide as its figure is, again and again.
function plotOn(figure, plot) {
  let drawn;
  new ResizeObserver(() => {
    if (drawn?.getAttribute("width") === `${figure.clientWidth}`) return;
    drawn?.remove();
    drawn = drawPlot(plot, figure.querySelector("figcaption").textContent, figure.clientWidth);
    figure.append(drawn);
  }).observe(figure);
}

function drawPlot({ columns, rows }, title, width) {
  const line = 26, bar = 14, left = 108, column = 84; // in pixels
  const height = line * (rows.length + 1);
  const longest = Math.max(1, ...rows.map((row) => row.numbers.reduce((a, b) => a + b, 0)));
  const scale = Math.max(0, width - left - column * columns.length) / longest;
  const right = (i) => width - column * (columns.length - 1 - i);
  const named = (row) => row.numbers.map((n, i) => counted(n, columns.length > 1 ? `${columns[i]} key` : "key")).join(", ");

  const plot = shape("svg", { role: "img", width, height, viewBox: `0 0 ${width} ${height}` },
    shape("title", {}, title),
    shape("desc", {}, rows.map((row) => (row.numbers.length ? `${row.label}: ${named(row)}.` : `By ${row.label}:`)).join(" ")),
    hatch());
  columns.forEach((name, i) => {
    const legend = columns.length > 1;
    plot.append(shape("text", { class: "quiet", "text-anchor": "end", x: right(i) - (legend ? 16 : 0), y: 14 }, name));
    if (legend) plot.append(shape("rect", { class: name, x: right(i) - 10, y: 4, width: 10, height: 10 }));
  });
  rows.forEach((row, i) => {
    const y = line * (i + 1);
    plot.append(shape("text", { class: row.numbers.length ? "" : "group", x: 0, y: y + (row.numbers.length ? 17 : 21) }, row.label));
    let x = left;
    row.numbers.forEach((n, j) => {
      plot.append(shape("text", { class: n ? "number" : "number quiet", "text-anchor": "end", x: right(j), y: y + 17 }, number(n)));
      if (!n) return;
      const length = Math.max(2, n * scale);
      plot.append(shape("rect", { class: row.kinds[j], x, y: y + (line - bar) / 2, width: length, height: bar },
        shape("title", {}, `${row.label}: ${named(row)}`)));
      x += length;
    });
    if (row.numbers.length) plot.append(shape("line", { x1: left, x2: left, y1: y, y2: y + line }));
  });
  return plot;
}

// hatch is what fills the bars of inactive keys.
function hatch() {
  return shape("defs", {}, shape("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    shape("rect", { class: "ground", width: 5, height: 5 }), shape("rect", { class: "stripe", width: 2, height: 5 })));
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}
