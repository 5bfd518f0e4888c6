// A machine's screen in the page.
import RFB from "./novnc/core/rfb.js";

const place = document.getElementById("picture");
const keys = document.getElementById("ctrl-alt-del");

// What noVNC takes for its connection. Each stream has one: only octets of the screen come through it.
class Channel {
  constructor(send) {
    this.binaryType = "arraybuffer";
    this.protocol = "";
    this.readyState = "open";
    this.onopen = this.onmessage = this.onerror = this.onclose = null;
    this._send = send;
  }

  send(octets) {
    if (this.readyState === "open") { this._send(new Uint8Array(octets)); }
  }

  close() {
    if (this.readyState === "closed") { return; }
    this.readyState = "closed";
    // Later, as a WebSocket does: noVNC would wait for it in vain if it came before it begins to.
    window.setTimeout(() => { if (this.onclose) { this.onclose({ code: 1000, reason: "", wasClean: true }); } }, 0);
  }

  take(octets) {
    if (this.onmessage) { this.onmessage({ data: octets.buffer }); }
  }
}

if (place) {
  let rfb = null, channel = null;

  function leave() {
    if (rfb) { rfb.disconnect(); }
    rfb = channel = null;
    keys.disabled = true;
  }

  const viewer = window.xmanViewer({
    opened: function () {
      leave();
      place.textContent = "";
      channel = new Channel((octets) => viewer.raw(octets));
      rfb = new RFB(place, channel, { shared: true });
      // Until one asks for the keyboard.
      rfb.viewOnly = true;
      rfb.scaleViewport = true;
      rfb.background = "#000";
      const picture = place.querySelector("canvas");
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", document.getElementById("viewer").dataset.label);
    },
    seen: function (octets) { if (channel) { channel.take(octets); } },
    typing: function (on) {
      place.classList.toggle("typing", on);
      keys.disabled = !on;
      if (rfb) {
        rfb.viewOnly = !on;
        if (on) { rfb.focus(); }
      }
    },
  });
  keys.addEventListener("click", function () { if (rfb) { rfb.sendCtrlAltDel(); } });
}
