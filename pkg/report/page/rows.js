
// The rows of the table: only those that can be seen are in the page, each at its place.

const table = document.querySelector("#keys table");
const body = table.querySelector("tbody");

let shown = new Map(); // the rows that are in the page, by their place in the view
let current = 0; // the place of the row that the keyboard is on
let opened = -1; // the place of the one row that shows everything, or -1
let extra = 0; // by how many pixels that one is higher than the others

function showRows() {
  addEventListener("scroll", () => drawRows(), { passive: true });
  addEventListener("resize", () => drawRows());
  addEventListener("beforeprint", () => drawRows(true));
  addEventListener("afterprint", () => drawRows());
  body.addEventListener("click", click);
  body.addEventListener("keydown", press);
}

// startRows shows the first rows of a new view.
function startRows() {
  body.replaceChildren();
  shown = new Map();
  [current, opened] = [0, -1];
  table.setAttribute("aria-rowcount", view.length + 1);
  if (table.getBoundingClientRect().top < 0) document.getElementById("keys").scrollIntoView();
  drawRows();
}

// drawRows puts those rows into the page that can be seen and some more on both sides, or all. Where the keyboard is, and
// what is open, stays.
function drawRows(all = false) {
  const height = parseFloat(getComputedStyle(body).getPropertyValue("--row")), spare = 10;
  const top = body.getBoundingClientRect().top;
  const from = all ? 0 : Math.floor((-top - extra) / height) - spare;
  const to = all ? view.length : Math.ceil((innerHeight - top) / height) + spare;
  const wanted = new Set([current, opened]);
  for (let place = from; place < to; place++) wanted.add(place);

  for (const [place, row] of shown) {
    if (wanted.has(place)) continue;
    row.remove();
    shown.delete(place);
  }
  let next = null;
  for (const place of [...wanted].filter((place) => view[place]).sort((a, b) => b - a)) {
    if (!shown.has(place)) shown.set(place, body.insertBefore(rowOf(place), next));
    next = shown.get(place);
  }
  extra = opened < 0 ? 0 : shown.get(opened).offsetHeight - height;
  for (const [place, row] of shown) row.style.top = `${place * height + (opened >= 0 && place > opened ? extra : 0)}px`;
  body.style.height = `${view.length * height + extra}px`;
}

function rowOf(place) {
  const key = view[place];
  const button = element("button", {
    type: "button", "aria-expanded": "false", "aria-label": `Details of ${key.key}`, tabindex: place === current ? 0 : -1,
  });
  const row = element("tr", { role: "row", "aria-rowindex": place + 2 },
    cell("open", button),
    cell("user", line(key.user), line(key.userInactive && tag("cannot log in"), key.userId !== key.user && key.userId)),
    cell("key", line(element("code", {}, key.key)), line(key.legacy && tag("legacy"))),
    cell("state", ...state(key)),
    cell("created", ...created(key)),
    cell("due", ...due(key)));
  row.dataset.place = place;
  return row;
}

function state(key) {
  if (key.active) return [line(element("span", { class: "active" }, "Active"))];
  const since = key.inactiveSince ? `since ${date(key.inactiveSince)}, ${age(key.inactiveSince)}` : "since when is unknown";
  return [line(element("span", { class: "inactive" }, "Inactive")), line(since)];
}

function created(key) {
  return key.created ? [line(date(key.created)), line(age(key.created))] : [line("unknown")];
}

function due(key) {
  if (!key.step) return [];
  const what = element("span", { class: `step ${dueOf(key)}` }, words[dueOf(key)]);
  const refusal = key.rule && [`to ${words[key.step].toLowerCase()}:`, element("code", {}, key.rule)];
  return [
    line(what, ...(refusal || [key.due > 0 && `· deactivate from ${date(key.due)}`])),
    line(element("code", {}, key.policy), `· ${key.mode}`),
    ...[key.message, key.remedy].filter(Boolean).map((sentence) => line(sentence)),
  ];
}

function cell(name, ...lines) {
  return element("td", { role: "cell", class: name }, ...lines);
}

// line is a line of a cell, of those parts that there are.
function line(...parts) {
  return element("div", {}, ...parts.filter(Boolean).flatMap((part) => [part, " "]));
}

function tag(word) {
  return element("span", { class: "tag" }, word);
}

// click opens a row, and closes the one that was open. Whoever selects text in it means something else.
function click({ target }) {
  const row = target.closest("tr");
  if (!row || !getSelection().isCollapsed) return;
  const place = Number(row.dataset.place);
  expandRow(opened, false);
  opened = opened === place ? -1 : place;
  expandRow(opened, true);
  go(place);
}

function expandRow(place, open) {
  const row = shown.get(place);
  row?.classList.toggle("opened", open);
  row?.querySelector("button").setAttribute("aria-expanded", open);
}

function press(event) {
  const page = Math.floor(innerHeight / shown.get(current).offsetHeight / 2);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  go(Math.min(Math.max(current + steps[event.key], 0), view.length - 1));
}

// go moves the keyboard to the row at that place.
function go(place) {
  shown.get(current).querySelector("button").tabIndex = -1;
  current = place;
  drawRows();
  const row = shown.get(place);
  const button = row.querySelector("button");
  button.tabIndex = 0;
  button.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}
