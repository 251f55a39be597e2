"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => Array.from(from.querySelectorAll(selector));
  const state = {};

  // Views: a part is shown where every switch that it depends on stands at its value.
  const axes = ["k", "direction", "dataset", "occluder", "model", "corruption", "noise"];
  const show = () => {
    for (const part of all("[data-view]")) {
      const wanted = axes.every((axis) => !(axis in part.dataset) || part.dataset[axis] === (state[axis] ?? "0"));
      part.toggleAttribute("data-on", wanted);
    }
    const chosen = all(".controls :is(input:checked + span, option:checked)").map((one) => one.textContent.trim());
    for (const told of all(".on-paper")) told.textContent = `Shown here: Recall@${chosen.join(", ")}`;
    for (const told of all(".absent")) {
      told.hidden = all("figure[data-view][data-on]", told.parentElement).length > 0;
    }
  };
  const isAxis = (control) => axes.includes(control.name);
  for (const control of all("input[type=radio], select").filter(isAxis)) {
    if (control.type !== "radio" || control.checked) state[control.name] = control.value;
    control.addEventListener("change", () => {
      state[control.name] = control.value;
      // Several parts may have a switch for the same thing.
      for (const twin of all(`select[name="${control.name}"]`)) twin.value = control.value;
      show();
    });
  }
  for (const form of all("form")) form.addEventListener("submit", (event) => event.preventDefault());

  for (const control of all("input[name=theme]")) {
    const paint = () => { if (control.checked) root.dataset.theme = control.value; };
    control.addEventListener("change", paint);
    paint(); // a browser may have kept a choice from before
  }
  for (const box of all("input[name=bands]")) {
    const draw = () => root.classList.toggle("no-bands", !box.checked);
    box.addEventListener("change", draw);
    draw();
  }
  for (const button of all("button[data-toggle]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      const own = `figure [data-series="${button.dataset.toggle}"]`;
      for (const line of all(own, button.closest("section"))) line.classList.toggle("off", !shown);
    });
  }

  // Tables sort by their headings: first the greatest number or the first word, then the other way round.
  const valueOf = (row, place, kind) => {
    const cell = row.cells[place];
    const text = cell.dataset.order ?? cell.textContent.trim();
    if (kind === "text") return text;
    const number = Number.parseFloat(text.replace(/[,−]/g, (sign) => (sign === "−" ? "-" : "")));
    return Number.isNaN(number) ? null : number;
  };
  const compare = (a, b, way) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return way * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  };
  for (const button of all("button[data-sort]")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const body = button.closest("table").tBodies[0];
      const first = button.dataset.sort === "number" ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      for (const one of head.parentElement.cells) if (one.hasAttribute("aria-sort")) one.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      const keyed = Array.from(body.rows, (row) => [valueOf(row, head.cellIndex, button.dataset.sort), row]);
      keyed.sort((a, b) => compare(a[0], b[0], order === "ascending" ? 1 : -1));
      body.append(...keyed.map((pair) => pair[1]));
    });
  }

  // Downloads are made here; nothing is asked for. A text that a spreadsheet would run as a formula is quoted.
  const tables = JSON.parse(document.getElementById("data").textContent);
  const field = (value) => {
    if (value === null) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (table) => [table.columns, ...table.rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
  for (const button of all("button[data-csv]")) {
    button.addEventListener("click", () => {
      const url = URL.createObjectURL(new Blob([csv(tables[button.dataset.csv])], { type: "text/csv;charset=utf-8" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = `${button.dataset.csv}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    });
  }

  // Under the pointer, the values of every line at the nearest level.
  const readout = document.createElement("div");
  readout.className = "readout";
  readout.setAttribute("aria-hidden", "true");
  readout.hidden = true;
  document.body.append(readout);
  const nearest = (places, x) => places.reduce((best, place, at) => (Math.abs(place - x) < Math.abs(places[best] - x) ? at : best), 0);
  const point = (plot, event) => {
    const box = plot.getBoundingClientRect();
    const places = plot.dataset.x.split(",").map(Number);
    const at = nearest(places, ((event.clientX - box.left) * plot.viewBox.baseVal.width) / box.width);
    const section = plot.closest("section");
    const lines = all(".trace:not(.off)", plot)
      .map((trace) => [trace, trace.dataset.values.split(",")[at]])
      .filter((pair) => pair[1])
      .sort((a, b) => b[1] - a[1]);
    readout.replaceChildren();
    const head = document.createElement("b");
    const share = plot.dataset.levels.split(",")[at];
    const level = plot.dataset.scale === "fraction" ? share : `${Math.round(1000 * share) / 10} %`;
    head.textContent = plot.dataset.unit === "hidden" ? `${level} hidden` : `${plot.dataset.unit} ${level}`;
    readout.append(head);
    for (const [trace, value] of lines) {
      const row = document.createElement("div");
      const entry = section.querySelector(`.legend [data-line="${trace.dataset.series}"]`);
      row.append(entry.querySelector(".swatch").cloneNode(true));
      const name = document.createElement("bdi");
      name.textContent = entry.querySelector("bdi").textContent;
      const number = document.createElement("span");
      number.textContent = Number(value).toFixed(1);
      row.append(name, number);
      readout.append(row);
    }
    readout.hidden = lines.length === 0;
    const left = event.clientX + 16 + readout.offsetWidth > innerWidth ? event.clientX - readout.offsetWidth - 16 : event.clientX + 16;
    readout.style.left = `${Math.max(8, left)}px`;
    readout.style.top = `${Math.min(event.clientY + 16, innerHeight - readout.offsetHeight - 8)}px`;
  };
  for (const plot of all(".curves .plot, #occluders .plot")) {
    plot.addEventListener("pointermove", (event) => point(plot, event));
    plot.addEventListener("pointerleave", () => { readout.hidden = true; });
  }

  // A link to a folded part opens it.
  const unfold = () => {
    const part = document.getElementById(location.hash.slice(1));
    if (part?.tagName === "DETAILS") part.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  // On paper everything is open, and closed again afterwards.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
  show();
})();
