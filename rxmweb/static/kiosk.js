// A terminal's machine, and nothing beside it: keyboard and mouse are the machine's, what was lost is connected anew, and
// where the machine has ended the terminal asks for one again.
import RFB from "./novnc/core/rfb.js";

const here = document.getElementById("main");
const place = document.getElementById("picture");
const state = document.getElementById("state");
const BEAT_MS = 20000;
const SILENT_MS = 45000;
const AGAIN_MS = [500, 1000, 2000, 4000, 8000];
const UNREACHABLE = 6;

let socket = null, rfb = null, channel = null, tries = 0, heard = 0;

function tell(text) {
  state.textContent = text;
  state.hidden = !text;
}

// What noVNC takes for its connection.
class Channel {
  constructor(mine) {
    this.binaryType = "arraybuffer";
    this.protocol = "";
    this.readyState = "open";
    this.onopen = this.onmessage = this.onerror = this.onclose = null;
    this._socket = mine;
  }

  send(octets) {
    const step = 16384;
    const all = new Uint8Array(octets);
    if (this.readyState !== "open" || this._socket.readyState !== WebSocket.OPEN) { return; }
    for (let at = 0; at < all.length; at += step) { this._socket.send(all.subarray(at, at + step)); }
  }

  close() {
    if (this.readyState === "closed") { return; }
    this.readyState = "closed";
    if (this.onclose) { this.onclose({ code: 1000, reason: "", wasClean: true }); }
  }

  take(octets) {
    if (this.onmessage) { this.onmessage({ data: octets.buffer }); }
  }
}

function leave() {
  if (rfb) { rfb.disconnect(); }
  rfb = channel = null;
}

function opened(mine) {
  leave();
  tries = 0;
  place.textContent = "";
  channel = new Channel(mine);
  rfb = new RFB(place, channel, { shared: true });
  rfb.scaleViewport = true;
  rfb.background = "#000";
  const picture = place.querySelector("canvas");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", here.dataset.label);
  rfb.focus();
  tell("");
}

function later(then) {
  window.setTimeout(then, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)]);
  tries += 1;
}

// Asks for a machine: the same one where it still runs, or one anew where it has ended.
function ask(anew) { window.location.replace(anew ? "/terminal?again=1" : "/terminal"); }

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
  const mine = socket = new WebSocket(scheme + "//" + window.location.host + here.dataset.path,
    ["xman.1", "csrf." + here.dataset.token]);
  let answered = false, end = "";
  tell(here.dataset.connecting);
  heard = Date.now();
  mine.binaryType = "arraybuffer";
  mine.onopen = function () { answered = true; };
  mine.onmessage = function (event) {
    heard = Date.now();
    if (typeof event.data !== "string") {
      if (channel) { channel.take(new Uint8Array(event.data)); }
      return;
    }
    const what = JSON.parse(event.data);
    if (what.open) { opened(mine); }
    if (what.end) {
      end = what.end === "host" && what.code !== UNREACHABLE ? "machine" : what.end;
      if (end === "full" || end === "many") { tell(here.dataset.full); }
    }
  };
  mine.onclose = function () {
    if (mine !== socket) { return; }
    leave();
    if (end !== "full" && end !== "many") { tell(here.dataset.lost); }
    // A stream that is refused is of a seat that somebody else has by now.
    if (end === "machine" || end === "session" || !answered) { later(() => ask(end === "machine")); } else { later(connect); }
  };
}

window.setInterval(function () {
  if (!socket || socket.readyState !== WebSocket.OPEN) { return; }
  if (Date.now() - heard > SILENT_MS) { socket.close(); return; }
  socket.send("beat");
}, BEAT_MS);
connect();
