// Time, words, controls.
function say() {
  const found = groups(), many = found.length, t = M.ts[f].toPrecision(4);
  const text = `t = ${t}: ${many} cluster${many > 1 ? "s" : ""}; the largest holds ${(100 * found[0].m).toFixed(1)} % of the mass`;
  $("now").value = `t = ${t}`;
  $("time").setAttribute("aria-valuetext", text);
  $("ball").setAttribute("aria-label", `${n} tokens, ${text}`);
  document.body.dataset.frame = f;
  if (playing) return;
  $("say").textContent = text + ".";
  table(found);
}
function table(found) {
  if (!document.querySelector("details").open) return;
  const row = (kind, cells) => { const r = document.createElement("tr"); for (const c of cells) { const d = document.createElement(kind); d.textContent = c; r.append(d); } return r; };
  const axes = [0, 1, 2].slice(0, Math.min(D, 3));
  $("table").replaceChildren(row("th", ["tokens", "mass", ...axes.map(a => D > 3 ? `axis ${shown[a] + 1}` : "xyz"[a])]),
    ...found.slice(0, 12).map(c => row("td", [c.n, c.m.toFixed(3), ...axes.map(a => c.p[a].toFixed(3))])));
}
function all() { ball(); for (const draw of plots) draw(); say(); }
function go(k) { f = Math.max(0, Math.min(T - 1, k)); $("time").value = f; all(); }

let then = 0, carry = 0;
function tick(now) {
  if (!playing) return;
  carry += (now - then) * T / 9000; then = now;
  if (carry >= 1) {
    const k = Math.floor(carry);
    carry -= k;
    if (f + k >= T - 1) { stop(); return go(T - 1); }
    go(f + k);
  }
  requestAnimationFrame(tick);
}
function mark() { $("play").textContent = playing ? "Pause" : "Play"; $("play").setAttribute("aria-pressed", playing); }
function stop() { playing = false; mark(); say(); }
function start() { if (f >= T - 1) go(0); playing = true; then = performance.now(); carry = 0; mark(); requestAnimationFrame(tick); }

function key() {  // what colours mean
  const dot = (colour, text) => { const s = document.createElement("span"), d = document.createElement("span"); d.className = "dot"; d.style.background = colour; s.append(d, text); return s; };
  if (by === "model") return $("key").replaceChildren(...M.models.names.map((name, k) => dot(colours[Math.min(k, 6)], name)));
  if (by === "cluster") {
    const sizes = Object.keys(rank).slice().sort((a, b) => rank[a] - rank[b]);
    const shares = sizes.slice(0, 6).map((k, r) => dot(colours[r], `${(100 * ends[k]).toFixed(0)} %`));
    return $("key").replaceChildren("ends in the cluster of", ...shares, ...(sizes.length > 6 ? [dot(colours[6], "others")] : []));
  }
  const ramp = document.createElement("span");
  ramp.className = "ramp"; ramp.style.background = `linear-gradient(90deg, ${[0, .25, .5, .75, 1].map(viridis)})`;
  $("key").replaceChildren(`${by}: ${brief(M.colours[by].low)}`, ramp, brief(M.colours[by].high));
}

$("play").onclick = () => playing ? stop() : start();
$("time").max = T - 1; $("time").oninput = e => go(+e.target.value);
$("face").onclick = face;
document.querySelector("details").ontoggle = say;
$("play").disabled = $("time").disabled = T === 1;
for (const id of ["mass", "tail", "log"]) $(id).onchange = all;
$("log").parentElement.hidden = !plots.length || T < 3;
const choices = ["cluster", ...(M.models ? ["model"] : []), ...Object.keys(M.colours)];
$("by").append(...choices.map(k => new Option(k, k, k === by, k === by)));
$("by").onchange = e => { by = e.target.value; key(); all(); };
if (M.axes) shown.forEach((_, a) => {
  const s = document.createElement("select");
  s.setAttribute("aria-label", `axis drawn along ${"xyz"[a]}`);
  s.append(...M.axes.map((text, k) => new Option(text, k, k === a, k === a)));
  s.onchange = e => { shown[a] = +e.target.value; all(); };
  $("axes").append(s);
});
$("png").onclick = () => { const a = document.createElement("a"); a.download = `t=${M.ts[f].toPrecision(4)}.png`; a.href = $("ball").toDataURL(); a.click(); };

const b = $("ball");
if (flat) { b.classList.add("flat"); $("face").hidden = true; $("help").textContent = "Space plays; comma and full stop step."; }
b.onpointerdown = e => {
  b.setPointerCapture(e.pointerId);
  let [x, y] = [e.clientX, e.clientY];
  b.onpointermove = m => { spin((m.clientX - x) / b.clientWidth * 4, (m.clientY - y) / b.clientWidth * 4); [x, y] = [m.clientX, m.clientY]; };
};
b.onpointerup = b.onpointercancel = () => b.onpointermove = null;
b.onkeydown = e => {
  const k = {ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, -.1], ArrowDown: [0, .1]}[e.key];
  if (k && !flat) { spin(...k); e.preventDefault(); }
};
document.onkeydown = e => {
  const own = ["BUTTON", "SELECT", "SUMMARY"].includes(e.target.tagName) || e.target.type === "checkbox";
  if (e.key === " " && !own && T > 1) { $("play").click(); e.preventDefault(); }
  if (e.key === "," || e.key === ".") go(f + (e.key === "." ? 1 : -1));
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { skin(); key(); all(); });

$("facts").textContent = M.facts;
if (M.n > n) $("some").textContent = `${n.toLocaleString("en")} of ${M.n.toLocaleString("en")} tokens are drawn, chosen at random; masses and clusters are theirs.`;
f = T - 1; face(); go(0); key();
new ResizeObserver(all).observe(document.querySelector("main"));
document.body.dataset.ready = "yes";
window.meanfield = {
  go, face, rotation: () => R.slice(), clusters: () => groups().map(c => c.n), discs: () => discs.map(({pie, ...o}) => o),
  x: () => Array.from(X), colours: () => colours.slice(),
  bench(k) { const t = performance.now(); for (let i = 0; i < k; i++) go(i % T); return (performance.now() - t) / k; },
};
