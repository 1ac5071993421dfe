// Says when stories have come in since the page was loaded. Without it the page is the same.
"use strict";
(() => {
  const note = document.getElementById("fresh");
  if (!note || !window.EventSource) return;
  const fresh = new Set();
  const source = new EventSource(note.dataset.events);
  source.addEventListener("new", (event) => {
    fresh.add(JSON.parse(event.data).id);
    const link = document.createElement("a");
    link.href = location.pathname + location.search;
    link.textContent = fresh.size === 1 ? "One new story" : `${fresh.size} new stories`;
    note.replaceChildren(link);
  });
  addEventListener("pagehide", () => source.close());
})();
