// Keys for lists and pages; everything works without them. No state, no requests.
"use strict";
(() => {
  const typing = (at) => at instanceof HTMLElement && at.matches("input, textarea, select, [contenteditable]");
  const links = () => [...document.querySelectorAll("table[data-keys] tbody th a")];
  const step = (by) => {
    const all = links();
    if (!all.length) return false;
    const at = all.indexOf(document.activeElement);
    const to = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
    to.focus();
    to.closest("tr").scrollIntoView({ block: "nearest" });
    return true;
  };
  const to = (id) => {
    const at = document.getElementById(id);
    if (!at) return false;
    at.scrollIntoView({ block: "start" });
    (at.querySelector("input:not([type=hidden]), textarea, select") || at).focus({ preventScroll: true });
    return true;
  };
  const field = () => {
    const at = document.getElementById("find");
    if (at) at.select();
    return Boolean(at);
  };
  const help = () => {
    const at = document.querySelector('nav a[accesskey="h"]');
    if (at) location.assign(at.href);
    return Boolean(at);
  };
  const does = { j: () => step(1), k: () => step(-1), "/": field, d: () => to("decide"), "?": help };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    if (does[event.key]?.()) event.preventDefault();
  });
  // A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
})();
