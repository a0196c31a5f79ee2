"use strict";
const root = document.documentElement, theme = document.getElementById("theme");
const dark = (on) => {
  root.dataset.theme = on ? "dark" : "light";
  theme.textContent = on ? "Light" : "Dark";
  theme.setAttribute("aria-pressed", String(on));
};
dark(matchMedia("(prefers-color-scheme: dark)").matches);
theme.addEventListener("click", () => dark(root.dataset.theme !== "dark"));

for (const bar of document.querySelectorAll(".bar")) {
  const run = bar.closest(".run");
  const slider = run.querySelector(".threshold"), own = Number(run.dataset.score);
  const faces = [...run.querySelectorAll("[data-score]")], who = run.querySelector(".who");
  const show = (least) => {
    let shown = 0, all = 0;
    for (const face of faces) {
      face.hidden = Boolean(who?.value) && face.dataset.who !== who.value;
      if (face.hidden) continue;
      const under = Number(face.dataset.score) < least;
      face.classList.toggle("under", under);
      if (face.classList.contains("face")) { all += 1; shown += under ? 0 : 1; }
    }
    for (const shot of run.querySelectorAll(".shot")) shot.hidden = !shot.querySelector(".face:not([hidden])");
    run.querySelector(".value").textContent = least.toFixed(2);
    run.querySelector(".count").textContent = `${shown} of ${all} on this page`;
    run.querySelector(".kept").textContent = String(least);
    run.querySelector(".keep").hidden = least === own;
  };
  run.querySelector(".bar").hidden = false;
  who?.addEventListener("change", () => show(Number(slider.value)));
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
