
// The head: what was read, whether the sweep was stopped, and what is due by each policy.

function showHead() {
  document.title = `Key sweep of ${date(now)}`;
  document.querySelector("h1").append(" of ", element("time", {}, date(now)));
  document.getElementById("facts").append(
    `${counted(sweep.users, "user")} and ${counted(sweep.keys, "key")} read. Started `,
    element("time", {}, `${minute(now)} UTC`), ", id ", element("code", {}, sweep.id), ".",
  );
  showStop("stopped", "Stopped before anything was done: ", sweep.stopped);
  document.getElementById("summary").textContent = summary();
  showPolicies();
  if (!sweep.stopped) showStop("would-stop", "If every policy were enforced, the sweep would stop: ", sweep.wouldStop);
}

function showStop(id, headline, stop) {
  if (!stop) return;
  const box = document.getElementById(id);
  box.append(
    element("h2", {}, headline, element("code", {}, stop.brake)),
    element("p", {}, stop.message),
    element("p", {}, stop.remedy),
  );
  box.hidden = false;
}

function summary() {
  const enforced = toDo("enforce"), reported = toDo("report");
  const refused = sweep.policies.reduce((sum, tally) => sum + tally.refused, 0);
  const sentences = [];
  if (enforced) sentences.push(`${sweep.stopped ? "Held back" : "Enforced"}: ${enforced}.`);
  if (reported) sentences.push(`Only reported: ${reported}.`);
  if (refused) sentences.push(`Refused by the guard: ${number(refused)}.`);
  return sentences.join(" ") || "Nothing is to be done.";
}

// toDo says how much is to be done by the policies of that mode, or nothing.
function toDo(mode) {
  const parts = [];
  for (const [step, phrase] of [["deactivate", "to deactivate"], ["delete", "to delete"], ["warn", "to warn of"]]) {
    const n = sweep.policies.filter((tally) => tally.mode === mode).reduce((sum, tally) => sum + tally[step], 0);
    if (n) parts.push(`${number(n)} ${phrase}`);
  }
  return new Intl.ListFormat("en").format(parts);
}

function showPolicies() {
  const meanings = {
    max_age: "older than the limit, after two warnings",
    inactive_user: "of users who cannot log in",
    delete_after_grace: "whose grace period is over",
  };
  const heads = ["Policy", "Mode", ...Object.values(words)];
  const table = document.getElementById("policies");
  table.append(element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))));
  table.append(element("tbody", {}, ...sweep.policies.map((tally) => element("tr", {},
    element("th", { scope: "row" }, element("code", {}, tally.policy), " ", element("small", {}, meanings[tally.policy] ?? "")),
    element("td", {}, element("span", { class: `mode ${tally.mode}` }, tally.mode)),
    ...Object.entries(words).map(([due, word]) => element("td", { "data-word": word }, count(tally, due))),
  ))));
}

// count shows how many keys, and leads to them.
function count(tally, due) {
  if (!tally[due]) return element("span", { class: "zero" }, "0");
  return element("a", { href: `#${new URLSearchParams({ due, policy: tally.policy })}` }, number(tally[due]));
}
