"use strict";
const root = document.documentElement, theme = document.getElementById("theme");
const dark = (on) => {
  root.dataset.theme = on ? "dark" : "light";
  theme.textContent = on ? "Light" : "Dark";
  theme.setAttribute("aria-pressed", String(on));
};
dark(matchMedia("(prefers-color-scheme: dark)").matches);
theme.addEventListener("click", () => dark(root.dataset.theme !== "dark"));

for (const run of document.querySelectorAll(".run")) {
  const slider = run.querySelector(".threshold"), own = Number(run.dataset.score);
  const faces = [...run.querySelectorAll("[data-score]")];
  const show = (least) => {
    let shown = 0, all = 0;
    for (const face of faces) {
      const under = Number(face.dataset.score) < least;
      face.classList.toggle("under", under);
      if (face.classList.contains("face")) { all += 1; shown += under ? 0 : 1; }
    }
    run.querySelector(".value").textContent = least.toFixed(2);
    run.querySelector(".count").textContent = `${shown} of ${all} on this page`;
    run.querySelector(".kept").textContent = String(least);
    run.querySelector(".keep").hidden = least === own;
  };
  run.querySelector(".bar").hidden = false;
  slider.addEventListener("input", () => show(Number(slider.value)));
  show(own);
}

document.getElementById("run")?.addEventListener("change", (event) => {
  document.querySelectorAll(".run").forEach((run, place) => { run.hidden = String(place) !== event.target.value; });
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (!opener) return;
  const run = opener.closest(".run");
  [...run.querySelectorAll("dialog")].find((each) => each.dataset.name === opener.dataset.open).showModal();
});
