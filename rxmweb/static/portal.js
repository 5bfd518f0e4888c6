// What the pages do besides: keep what a person has chosen while the table is brought up to date, and let them pause
// that. Everything works without this file; then pages are as old as their last loading.
"use strict";

(function () {
  const chosen = new Set();
  let paused = false;
  let last = "";

  function part() {
    return document.querySelector("[data-live]");
  }

  function boxes() {
    return Array.from(document.querySelectorAll("input[name=target]"));
  }

  function showChosen() {
    const count = document.getElementById("chosen");
    if (count) {
      count.textContent = chosen.size ? count.dataset.text.replace("0", String(chosen.size)) : "";
    }
    const all = document.getElementById("all");
    const here = boxes();
    if (all) {
      all.checked = here.length > 0 && here.every((box) => box.checked);
      all.indeterminate = !all.checked && here.some((box) => box.checked);
    }
  }

  document.addEventListener("change", function (event) {
    const box = event.target;
    if (box.name === "target") {
      if (box.checked) { chosen.add(box.value); } else { chosen.delete(box.value); }
      showChosen();
    } else if (box.id === "all") {
      for (const one of boxes()) {
        one.checked = box.checked;
        if (box.checked) { chosen.add(one.value); } else { chosen.delete(one.value); }
      }
      showChosen();
    } else if (box.id === "pause") {
      paused = box.checked;
    }
  });

  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.target === part() && (paused || document.hidden)) { event.preventDefault(); }
  });

  document.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.target !== part()) { return; }
    const text = event.detail.xhr.responseText;
    if (event.detail.xhr.status !== 200 || text === last) {
      event.detail.shouldSwap = false;
    }
    last = text;
  });

  document.addEventListener("htmx:afterSettle", function () {
    for (const box of boxes()) { box.checked = chosen.has(box.value); }
    showChosen();
    const said = document.getElementById("live");
    const summary = document.getElementById("summary");
    if (said && summary && said.textContent !== summary.textContent) { said.textContent = summary.textContent; }
  });

  document.addEventListener("DOMContentLoaded", function () {
    document.documentElement.classList.add("script");
    for (const box of boxes()) { if (box.checked) { chosen.add(box.value); } }
    showChosen();
  });
})();
