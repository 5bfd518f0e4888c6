// A machine's console in the page.
"use strict";

(function () {
  const place = document.getElementById("terminal");
  if (!place) { return; }
  const terminal = new window.Terminal({
    cols: 80, rows: 25, scrollback: 5000, convertEol: false, disableStdin: true, cursorBlink: false,
    // What a guest prints opens nothing.
    linkHandler: { activate: function () { return; }, allowNonHttpProtocols: false },
  });
  terminal.open(place);
  const entry = place.querySelector("textarea");
  if (entry) { entry.setAttribute("aria-label", document.getElementById("viewer").dataset.label); }
  // Who only looks gets on by Tab, as everywhere; who types has it sent, and gets away by Ctrl+].
  let types = false;
  terminal.attachCustomKeyEventHandler(function (event) { return types || event.key !== "Tab"; });
  const coder = new TextEncoder();
  const viewer = window.xmanViewer({
    opened: function () { terminal.reset(); },
    seen: function (octets) { terminal.write(octets); },
    typing: function (on) {
      types = on;
      terminal.options.disableStdin = !on;
      terminal.options.cursorBlink = on;
      place.classList.toggle("typing", on);
      if (on) { terminal.focus(); }
    },
  });
  terminal.onData(function (text) { viewer.send(coder.encode(text)); });
  terminal.onBinary(function (text) { viewer.send(Uint8Array.from(text, (one) => one.charCodeAt(0))); });
})();
