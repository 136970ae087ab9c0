
// The view: which keys the table shows and in which order. It is in the address of the page, so that it can be linked.

const form = document.querySelector("form");
const heads = document.querySelectorAll("th[data-sort]");

let view = []; // the keys that are shown, in their order
let sort = { column: "due", down: false };

// What the columns are sorted by. A time that is not known comes before all others: the key may be of any age.
const orders = {
  user: (key) => key.user.toLowerCase(),
  key: (key) => key.key,
  state: (key) => (key.active ? -1 : key.inactiveSince),
  created: (key) => key.created,
  due: (key) => (dueOf(key) ? Object.keys(words).indexOf(dueOf(key)) : Infinity),
};

const filters = {
  q: (key, text) => `${key.user}\n${key.userId}\n${key.key}`.toLowerCase().includes(text.trim().toLowerCase()),
  state: (key, state) => key.active === (state === "active"),
  due: (key, due) => (due === "any" ? dueOf(key) !== "" : dueOf(key) === (due === "nothing" ? "" : due)),
  policy: (key, policy) => key.policy === policy,
};

function showView() {
  offer("state", "Any state", { active: "Active", inactive: "Inactive" });
  offer("due", "Due or not", { any: "Anything due", ...words, nothing: "Nothing due" });
  offer("policy", "Any policy", Object.fromEntries(sweep.policies.map(({ policy }) => [policy, policy])));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", remember);
  for (const head of heads) {
    head.firstChild.addEventListener("click", () => {
      sort = { column: head.dataset.sort, down: sort.column === head.dataset.sort && !sort.down };
      remember();
    });
  }
  addEventListener("hashchange", restore);
  restore();
}

function offer(name, all, choices) {
  form[name].append(...Object.entries({ "": all, ...choices }).map(([value, word]) => element("option", { value }, word)));
}

// restore takes the view from the address. What it does not know there counts as left out.
function restore() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(filters)) {
    form[name].value = wanted.get(name) ?? "";
    if (form[name].selectedIndex === -1) form[name].value = "";
  }
  const [, minus, column] = /^(-?)(.*)$/.exec(wanted.get("sort") ?? "");
  sort = Object.hasOwn(orders, column) ? { column, down: minus === "-" } : { column: "due", down: false };
  show();
  if (wanted.size) document.getElementById("keys").scrollIntoView();
}

// remember shows what was chosen, and puts it into the address.
function remember() {
  show();
  const chosen = new URLSearchParams();
  for (const name of Object.keys(filters)) {
    if (form[name].value) chosen.set(name, form[name].value);
  }
  const by = (sort.down ? "-" : "") + sort.column;
  if (by !== "due") chosen.set("sort", by);
  history.replaceState(null, "", `#${chosen}`);
}

function show() {
  const active = Object.entries(filters).filter(([name]) => form[name].value);
  view = sorted(keys.filter((key) => active.every(([name, fits]) => fits(key, form[name].value))));
  for (const head of heads) {
    head.setAttribute("aria-sort", head.dataset.sort !== sort.column ? "none" : sort.down ? "descending" : "ascending");
  }
  form.querySelector("output").textContent = `${number(view.length)} of ${counted(keys.length, "key")}`;
  const none = document.getElementById("none");
  none.replaceChildren(...(keys.length ? ["No key is like that. ", element("a", { href: "#" }, "Show all")] : ["No keys were read."]));
  none.hidden = view.length > 0;
  startRows();
}

// sorted sorts by the column that was chosen. Among equals the oldest come first, and those of one age as they were read.
function sorted(list) {
  const by = new Map(list.map((key) => [key, orders[sort.column](key)]));
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return list.sort((a, b) => (sort.down ? -1 : 1) * compare(by.get(a), by.get(b)) || compare(a.created, b.created));
}
