"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // Show a row of a sheet of images.
  function show(strip, row) {
    const rows = Number(strip.dataset.rows);
    strip.style.setProperty("--y", rows > 1 ? `${(100 * row) / (rows - 1)}%` : "0%");
  }

  // Level slider: stages go from K to 0, the slider from the image (left) to K (right).
  for (const group of all("[data-levels]")) {
    const slider = group.querySelector("input");
    const processes = all(".process", group).map((element) => ({
      element, levels: JSON.parse(element.dataset.stages), output: element.querySelector("output"),
    }));
    const move = () => {
      const share = Number(slider.value) / Number(slider.max);
      const words = [];
      for (const { element, levels, output } of processes) {
        const stage = Math.round((1 - share) * (levels.length - 1));
        all(".strip", element).forEach((strip) => show(strip, stage));
        output.value = `level ${levels[stage]} of ${levels[0]}`;
        words.push(`${element.dataset.name}: ${output.value}`);
      }
      slider.setAttribute("aria-valuetext", words.join(", "));
    };
    slider.addEventListener("input", move);
    let timer = 0;
    group.querySelector(".play").addEventListener("click", () => {
      clearInterval(timer);
      slider.value = still.matches ? slider.min : slider.max;
      move();
      timer = setInterval(() => {
        slider.value = Number(slider.value) - 1;
        move();
        if (slider.value === slider.min) clearInterval(timer);
      }, 3500 / Math.max(1, Number(slider.max)));
    });
    move();
  }

  // Charts in the colors of the page.
  const views = new Map();
  function theme() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }
  function config(color) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const text = { labelColor: color("quiet"), titleColor: color("ink"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
    return {
      aria: false, mark: { aria: false }, background: "transparent", font: "system-ui, sans-serif", view: { stroke: null },
      axis: { ...text, gridColor: color("line"), domainColor: color("muted"), tickColor: color("muted") },
      legend: { ...text, labelColor: color("ink") },
      range: {
        category: dark
          ? ["#8ab8f5", "#f2a65a", "#82d6a3", "#e58fc0", "#c9b8ff", "#d8d4a0"]
          : ["#1f5fa8", "#b4560b", "#1d7a47", "#a3327a", "#5b46b0", "#6b6414"],
      },
    };
  }
  async function draw(element) {
    const color = theme();
    const text = document.querySelector(`script[data-spec="${element.dataset.chart}"]`).textContent;
    const spec = JSON.parse(text, (_, value) => (typeof value === "string" && /^@\w+$/.test(value) ? color(value.slice(1)) : value));
    const known = views.get(element.dataset.chart);
    const made = await window.vegaEmbed(element, spec, { mode: "vega-lite", actions: false, renderer: "svg", ast: true, config: config(color) });
    if (known?.ratio !== undefined) made.view.signal("ratio", known.ratio).run();
    views.set(element.dataset.chart, { view: made.view, ratio: known?.ratio });
  }
  const drawAll = () => Promise.all(all("[data-chart]").map(draw));
  if (window.vegaEmbed) {
    drawAll().then(() => { document.documentElement.dataset.drawn = "yes"; });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  }

  // Slider of δ.
  for (const explorer of all(".explorer")) {
    const slider = explorer.querySelector("input");
    const ratios = JSON.parse(explorer.dataset.ratios);
    const readouts = JSON.parse(explorer.dataset.readouts);
    const move = () => {
      const place = Number(slider.value);
      all(".strip", explorer).forEach((strip) => show(strip, place));
      explorer.querySelector(".value").value = String(ratios[place]);
      explorer.querySelector(".readout").textContent = readouts[place];
      slider.setAttribute("aria-valuetext", `δ/σ = ${ratios[place]}`);
      for (const { dataset } of all("[data-chart]", explorer)) {
        const known = views.get(dataset.chart) ?? {};
        views.set(dataset.chart, { ...known, ratio: ratios[place] });
        known.view?.signal("ratio", ratios[place]).run();
      }
    };
    slider.addEventListener("input", move);
    move();
  }

  // Tables that sort and filter; cells that begin with a number are sorted by it.
  const number = (text) => Number.parseFloat(text.replace("−", "-"));
  for (const grid of all("[data-grid]")) {
    const body = grid.querySelector("tbody");
    const rows = [...body.rows];
    const heads = all("th", grid);
    heads.forEach((head, column) => {
      const texts = rows.map((row) => row.cells[column].textContent).filter((text) => text && text !== "–");
      const numeric = texts.length > 0 && texts.every((text) => !Number.isNaN(number(text)));
      if (numeric) [head, ...rows.map((row) => row.cells[column])].forEach((cell) => cell.classList.add("number"));
      head.querySelector("button").addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const key = (row) => row.cells[column].textContent;
        const isMissing = (text) => text === "–" || text === "";
        rows.sort((a, b) => {
          const [one, other] = [key(a), key(b)];
          if (isMissing(one) || isMissing(other)) return isMissing(one) - isMissing(other);
          return sign * (numeric ? number(one) - number(other) : one.localeCompare(other));
        });
        body.append(...rows);
      });
    });
    const output = grid.querySelector("output");
    grid.querySelector("input").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      let kept = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        kept += !row.hidden;
      }
      output.value = words.length ? `${kept} of ${rows.length} rows` : `${rows.length} rows`;
    });
  }

  // Stop and play animations.
  for (const box of all(".moving")) {
    const image = box.querySelector("img");
    const [moving, last] = [image.src, image.dataset.still];
    const button = box.querySelector("button");
    button.addEventListener("click", () => {
      const stops = image.src === moving;
      image.src = stops ? last : moving;
      button.textContent = stops ? "Play" : "Stop";
    });
  }

  // Open the target of a link, and everything before printing.
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => all("details").forEach((details) => { details.open = true; }));
})();
