// A stream from and to a machine, for the pages of its console and its screen: one looks first and types on a second
// click, what ends is said in words, and what was lost is connected anew.
"use strict";

(function () {
  const BEAT_MS = 20000;
  const SILENT_MS = 45000;
  const AGAIN_MS = [500, 1000, 2000, 4000, 8000];
  const OK = 0, UNREACHABLE = 6;

  // `seen` is called with octets, `opened` when a new stream begins, `typing` with whether one may type.
  window.xmanViewer = function (handlers) {
    const here = document.getElementById("viewer");
    const state = document.getElementById("state");
    const said = document.getElementById("said");
    const type = document.getElementById("type");
    const again = document.getElementById("again");
    let socket = null, wanted = false, may = false, tries = 0, heard = 0, timer = 0;

    function tell(text) { if (state.textContent !== text) { state.textContent = text; } }

    function mayType(on) {
      if (may !== on) { window.htmx.trigger("#present", "changed"); }
      may = on;
      type.setAttribute("aria-pressed", String(on));
      handlers.typing(on);
    }

    function address() {
      const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
      const words = "?type=" + (wanted ? "1" : "0") + "&language=" + document.documentElement.lang;
      return scheme + "//" + window.location.host + here.dataset.path + words;
    }

    function connect() {
      window.clearTimeout(timer);
      leave();
      tell(here.dataset.connecting);
      again.hidden = true;
      said.hidden = true;
      heard = Date.now();
      const mine = socket = new WebSocket(address(), ["xman.1", "csrf." + here.dataset.token]);
      let over = false;
      mine.binaryType = "arraybuffer";
      mine.onmessage = function (event) {
        if (mine !== socket) { return; }
        heard = Date.now();
        if (typeof event.data !== "string") {
          handlers.seen(new Uint8Array(event.data));
          return;
        }
        const what = JSON.parse(event.data);
        if (what.open) {
          tries = 0;
          handlers.opened();
          type.disabled = false;
          if (!wanted) { tell(here.dataset.looking); }
        }
        if (what.typing) { mayType(true); tell(here.dataset.typing); }
        if (what.said) { said.textContent = what.said; said.hidden = false; }
        if (what.end) { over = ended(what); }
      };
      mine.onclose = function () {
        if (mine !== socket) { return; }
        socket = null;
        mayType(false);
        if (!over) { tell(here.dataset.lost); }
        if (over !== "for good") { later(); }
      };
    }

    // Returns "for good" where only a person can go on.
    function ended(what) {
      if (what.end === "restart") { return false; }
      const words = { full: here.dataset.full, many: here.dataset.many, session: here.dataset.session,
        ticket: here.dataset.ticket, silent: here.dataset.silent };
      tell(what.end === "host" ? (what.message || here.dataset.over) : words[what.end]);
      if (what.end === "host" && what.code === UNREACHABLE) { return "for now"; }
      again.hidden = false;
      type.disabled = true;
      wanted = wanted && what.code === OK;
      return "for good";
    }

    function later() {
      timer = window.setTimeout(connect, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
      tries += 1;
    }

    function leave() {
      if (!socket) { return; }
      const old = socket;
      socket = null;
      old.close();
      mayType(false);
    }

    type.addEventListener("click", function () {
      wanted = !wanted;
      connect();
    });
    again.addEventListener("click", connect);
    // As in rxm: whoever has only a keyboard gets away from the machine's.
    here.addEventListener("keydown", function (event) {
      if (!may || !event.ctrlKey || event.key !== "]") { return; }
      event.preventDefault();
      event.stopPropagation();
      wanted = false;
      connect();
      type.focus();
    }, true);
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", function (event) { if (event.persisted) { connect(); } });
    window.setInterval(function () {
      if (!socket || socket.readyState !== WebSocket.OPEN) { return; }
      // What says nothing for so long is no connection any more, whatever the browser believes.
      if (Date.now() - heard > SILENT_MS) { tell(here.dataset.lost); leave(); later(); return; }
      socket.send("beat");
    }, BEAT_MS);
    connect();

    function send(octets) {
      const step = 16384;
      if (!socket || socket.readyState !== WebSocket.OPEN) { return; }
      for (let at = 0; at < octets.length; at += step) { socket.send(octets.subarray(at, at + step)); }
    }

    // `raw` is for what is no typing: a screen is asked for what it shows.
    return { send: function (octets) { if (may) { send(octets); } }, raw: send };
  };
})();
