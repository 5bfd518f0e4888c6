// What the pages do besides: they are brought up to date when the portal says that something has changed, and say since
// when it says nothing; ages are counted here; what a person has chosen stays chosen, also on other pages of the table.
// Everything works without this file; then pages are as old as their last loading.
"use strict";

(function () {
  const POLL_MS = 10000;
  const SILENT_MS = 25000;
  const BUSY_MS = 5000;
  const AGAIN_MS = 60000;
  const SENT_MS = 10000;
  const CHOSEN = "chosen", ASKED = "asked";
  const STALE = 3, DEAD = 10;

  let chosen = new Set();
  let paused = false;
  let last = "";
  let source = null;
  let told = {};
  let heard = Date.now();
  let ended = false;
  // The portal's clock is what counts, which each beat tells; this one may be wrong.
  let ahead = 0;

  function part() { return document.querySelector("[data-live]"); }
  function boxes() { return Array.from(document.querySelectorAll("input[name=target][type=checkbox]")); }
  function now() { return (Date.now() - ahead) / 1000; }

  // ---- ages

  function ago(seconds) { return seconds < 60 ? document.body.dataset.justNow : away(seconds, -1); }

  function ends(seconds) {
    return seconds < 60 ? document.body.dataset.ending : document.body.dataset.ends.replace("{when}", away(seconds, 1));
  }

  function away(seconds, sign) {
    const units = [[86400 * 365, "year"], [86400 * 30, "month"], [86400 * 7, "week"], [86400, "day"], [3600, "hour"], [60, "minute"]];
    const [size, unit] = units.find(([length]) => seconds >= length * (length > 60 ? 1.2 : 1));
    const format = new Intl.RelativeTimeFormat(document.documentElement.lang === "cs" ? "cs" : "en-GB", { style: "short" });
    return format.format(sign * Math.round(seconds / size), unit);
  }

  function countAges() {
    for (const one of document.querySelectorAll("[data-at]")) {
      const text = ago(Math.max(0, now() - Number(one.dataset.at)));
      if (one.textContent !== text) { one.textContent = text; }
    }
    for (const one of document.querySelectorAll("[data-until]")) {
      const text = ends(Number(one.dataset.until) - now());
      if (one.textContent !== text) { one.textContent = text; }
    }
    const interval = Number(document.body.dataset.interval);
    for (const seen of document.querySelectorAll("td.report .age[data-at]")) {
      const row = seen.closest("tr");
      const age = now() - Number(seen.dataset.at);
      const old = age > DEAD * interval ? "dead" : age > STALE * interval ? "stale" : "";
      row.classList.toggle("stale", old === "stale");
      row.classList.toggle("dead", old === "dead");
    }
  }

  // ---- in touch or not

  function inTouch() {
    heard = Date.now();
    const banner = document.getElementById("touch");
    if (banner && !ended) { banner.hidden = true; }
  }

  function outOfTouch() {
    const banner = document.getElementById("touch");
    if (!banner) { return; }
    const when = new Date(heard - ahead).toLocaleTimeString(document.documentElement.lang);
    const text = (ended ? banner.dataset.ended : banner.dataset.out).replace("{when}", when);
    const said = banner.querySelector("span");
    if (said.textContent !== text) { said.textContent = text; }
    banner.hidden = false;
  }

  function sessionEnded() {
    ended = true;
    stopListening();
    outOfTouch();
  }

  // ---- news

  function listen() {
    if (source || ended || !part() || !window.EventSource || document.hidden) { return; }
    source = new EventSource("/live");
    source.addEventListener("beat", function (event) {
      ahead = Date.now() - 1000 * JSON.parse(event.data).now;
      inTouch();
    });
    source.addEventListener("ended", sessionEnded);
    source.addEventListener("news", function (event) {
      inTouch();
      const numbers = JSON.parse(event.data);
      const here = part();
      if (!here) { return; }
      const first = Object.keys(told).length === 0;
      const changed = here.dataset.live.split(" ").some((kind) => numbers[kind] !== told[kind]);
      told = numbers;
      if (changed || first) { window.htmx.trigger(here, "news"); }
    });
    source.addEventListener("error", function () {
      // The browser tries again by itself, but not after a refusal: then the page asks by itself.
      if (source && source.readyState === EventSource.CLOSED) { stopListening(); }
    });
  }

  function stopListening() {
    if (source) { source.close(); source = null; }
  }

  document.addEventListener("visibilitychange", function () {
    // A page that nobody sees holds no connection.
    if (document.hidden) { stopListening(); return; }
    heard = Math.max(heard, Date.now() - SILENT_MS / 2);
    listen();
    poll();
    if (Date.now() - asked > AGAIN_MS) { askHost(); }
  });

  function poll() {
    const here = part();
    if (here && here.hasAttribute("hx-get")) { window.htmx.trigger(here, "news"); }
  }

  // What its host alone can tell of a machine costs the host something, and a program here: it is asked for again when
  // something has been done to it, and when somebody comes back to the page, but not by the clock.
  let asked = Date.now();
  function askHost() {
    asked = Date.now();
    for (const one of document.querySelectorAll("[data-asks]")) { window.htmx.trigger(one, "done"); }
  }

  let done = null;
  function askAgain() {
    const here = document.querySelector("[data-done]");
    if (!here) { return; }
    if (done !== null && done !== here.dataset.done) { askHost(); }
    done = here.dataset.done;
  }

  // A host, or a portal, that has too much to do is asked again.
  document.addEventListener("htmx:responseError", function (event) {
    const asks = event.target;
    if (event.detail.xhr.status !== 503 || !asks.matches("[data-asks]")) { return; }
    window.setTimeout(function () { window.htmx.trigger(asks, "done"); }, BUSY_MS);
  });

  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.target.matches("[data-asks]") && (document.hidden || ended)) { event.preventDefault(); }
    if (event.target === part() && (paused || document.hidden || ended)) { event.preventDefault(); }
    // What listens needs no asking besides, as long as it hears something.
    const timed = event.detail.requestConfig.triggeringEvent === undefined || event.detail.requestConfig.triggeringEvent === null;
    if (event.target === part() && timed && source && Date.now() - heard < SILENT_MS) { event.preventDefault(); }
  });

  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.target !== part()) { return; }
    const status = event.detail.xhr.status;
    if (status === 401) { sessionEnded(); } else if (status > 0 && status < 500) { inTouch(); } else { outOfTouch(); }
  });

  document.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.target !== part()) { return; }
    const text = event.detail.xhr.responseText;
    if (event.detail.xhr.status !== 200 || text === last) { event.detail.shouldSwap = false; }
    last = text;
  });

  // At once: what is sent before the page has settled would lack what is chosen.
  document.addEventListener("htmx:afterSwap", tick);

  document.addEventListener("htmx:afterSettle", function () {
    tick();
    showChosen();
    countAges();
    askAgain();
    const said = document.getElementById("live");
    const summary = document.getElementById("summary");
    if (said && summary && said.textContent !== summary.textContent) { said.textContent = summary.textContent; }
  });

  // ---- what is chosen

  function keep() {
    try { window.sessionStorage.setItem(CHOSEN, JSON.stringify(Array.from(chosen))); } catch (error) { return; }
  }

  // A choice outlives paging, sorting, filtering and leaving a confirmation; not more, or it would be forgotten and done.
  function comesFromTheTable() {
    const how = window.performance.getEntriesByType("navigation")[0];
    if (how && (how.type === "reload" || how.type === "back_forward")) { return true; }
    if (!document.referrer) { return false; }
    const before = new URL(document.referrer);
    return before.origin === window.location.origin && (before.pathname === "/" || before.pathname === "/confirm");
  }

  function asks() { return document.getElementById("confirm") !== null; }

  function tick() {
    for (const box of boxes()) { box.checked = chosen.has(box.value); }
  }

  function showChosen() {
    const count = document.getElementById("chosen");
    if (count) { count.textContent = chosen.size ? count.dataset.text.replace("0", String(chosen.size)) : ""; }
    const none = document.getElementById("choose-none");
    if (none) { none.hidden = chosen.size === 0; }
    const all = document.getElementById("all");
    const here = boxes();
    if (all) {
      all.checked = here.length > 0 && here.every((box) => box.checked);
      all.indeterminate = !all.checked && here.some((box) => box.checked);
    }
  }

  function choose(box, on) {
    box.checked = on;
    if (on) { chosen.add(box.value); } else { chosen.delete(box.value); }
  }

  document.addEventListener("change", function (event) {
    const box = event.target;
    if (box.name === "target" && box.type === "checkbox") {
      choose(box, box.checked);
    } else if (box.id === "all") {
      for (const one of boxes()) { choose(one, box.checked); }
    } else if (box.id === "pause") {
      paused = box.checked;
      return;
    } else {
      return;
    }
    keep();
    showChosen();
  });

  document.addEventListener("click", function (event) {
    if (event.target.id !== "choose-none") { return; }
    chosen.clear();
    keep();
    tick();
    showChosen();
  });

  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.classList.contains("machines")) {
      tick();
      // Those on other pages of the table are meant as well.
      for (const one of form.querySelectorAll("input.elsewhere")) { one.remove(); }
      const here = new Set(boxes().map((box) => box.value));
      for (const value of chosen) {
        if (here.has(value)) { continue; }
        const hidden = document.createElement("input");
        hidden.type = "hidden";
        hidden.name = "target";
        hidden.value = value;
        hidden.className = "elsewhere";
        form.append(hidden);
      }
    }
    if (form.method === "post" && !(event.submitter && event.submitter.hasAttribute("formaction"))) {
      // Asked for once, however often it is clicked; who has stopped the page meanwhile may ask again.
      if (Date.now() - Number(form.dataset.sent || 0) < SENT_MS) { event.preventDefault(); return; }
      form.dataset.sent = String(Date.now());
    }
  });

  // A machine without a screen has no picture.
  document.addEventListener("error", function (event) {
    if (event.target.matches && event.target.matches("img.thumb")) { event.target.closest("p").hidden = true; }
  }, true);

  window.addEventListener("pageshow", function () {
    for (const form of document.querySelectorAll("form[data-sent]")) { delete form.dataset.sent; }
  });

  document.addEventListener("DOMContentLoaded", function () {
    document.documentElement.classList.add("script");
    // Who is asked back has not decided yet, whatever is shown in between: a mistake in a field, another language.
    if (!comesFromTheTable() && !asks() && !window.sessionStorage.getItem(ASKED)) { window.sessionStorage.removeItem(CHOSEN); }
    if (asks()) { window.sessionStorage.setItem(ASKED, "yes"); } else { window.sessionStorage.removeItem(ASKED); }
    try { chosen = new Set(JSON.parse(window.sessionStorage.getItem(CHOSEN) || "[]")); } catch (error) { chosen = new Set(); }
    for (const box of boxes()) { if (box.checked) { chosen.add(box.value); } }
    tick();
    showChosen();
    countAges();
    askAgain();
    listen();
    window.setInterval(function () {
      countAges();
      if (part() && !document.hidden && (ended || Date.now() - heard > SILENT_MS)) { outOfTouch(); }
      if (!source && !ended) { listen(); }
    }, 1000);
  });
})();
