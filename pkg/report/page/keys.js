"use strict";

// The report, and the words in which all parts of the page speak of it.

const report = JSON.parse(document.getElementById("report").textContent);
const sweep = report.sweep;
const now = Date.parse(sweep.startedAt) / 1000; // Ages are those of the day of the sweep, whenever the page is read.
const keys = expand(report);

// expand makes an object of each row. A null, and what is missing at the end, is as in the row above.
function expand({ columns, rows }) {
  let above = [];
  return rows.map((row) => {
    above = columns.map((_, i) => row[i] ?? above[i]);
    return Object.fromEntries(columns.map((column, i) => [column, above[i]]));
  });
}

// What can be due about a key, what weighs most first.
const words = { delete: "Delete", deactivate: "Deactivate", refused: "Refused", warn: "Warn", wait: "Wait" };

function dueOf(key) {
  return key.rule ? "refused" : key.step;
}

function number(n) {
  return n.toLocaleString("en");
}

function counted(n, thing) {
  return `${number(n)} ${thing}${n === 1 ? "" : "s"}`;
}

// Times are seconds since 1970, and 0 where they are not known.
function date(seconds) {
  return minute(seconds).slice(0, 10);
}

function minute(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}

function daysSince(seconds) {
  return Math.floor((now - seconds) / 86400);
}

function age(seconds) {
  return `${number(daysSince(seconds))} d`;
}

// element makes an element of HTML. What is text stays text.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}
