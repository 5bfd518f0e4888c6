// Lets what xterm.js makes into the page's policy: it draws by style elements of its own, which must bear the page's nonce.
"use strict";

(function () {
  const nonce = document.currentScript.dataset.nonce;
  const make = document.createElement;
  document.createElement = function (name, options) {
    const made = make.call(this, name, options);
    if (String(name).toLowerCase() === "style") { made.setAttribute("nonce", nonce); }
    return made;
  };
})();
