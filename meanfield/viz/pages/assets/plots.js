// Curves and the merge tree over time, with a cursor.
const PAD = {l: 50, r: 10, t: 8, b: 20}, plots = [];
const t0 = M.ts[0], t1 = T > 1 ? M.ts[1] - t0 : 1, span = M.ts[T - 1] - t0;
$("log").checked = T > 2 && span > 20 * t1 && M.ts[T - 1] - M.ts[T - 2] > 3 * t1;
const along = t => $("log").checked ? Math.log1p((t - t0) / t1) / Math.log1p(span / t1 || 1) : (t - t0) / (span || 1);
const px = (t, W) => PAD.l + (W - PAD.l - PAD.r) * along(t);
const brief = v => Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(1) : String(+v.toPrecision(3));

function ticks() {
  if (!$("log").checked) {
    const step = nice(span / 4) === 1 && span < 4 ? 10 ** Math.floor(Math.log10(span / 2 || 1)) : nice(span / 4);
    return Array.from({length: Math.floor(M.ts[T - 1] / step) - Math.ceil(t0 / step) + 1}, (_, k) => +((Math.ceil(t0 / step) + k) * step).toPrecision(6)).slice(0, 12);
  }
  const first = Math.ceil(Math.log10(t1)), count = Math.floor(Math.log10(span)) - first + 1;
  return Array.from({length: Math.max(0, count)}, (_, k) => 10 ** (first + k));
}

function frame(g, W, H, limits) {
  g.font = "11px system-ui, sans-serif"; g.fillStyle = ink.soft; g.strokeStyle = ink.line; g.lineWidth = 1;
  g.beginPath(); g.moveTo(PAD.l, PAD.t); g.lineTo(PAD.l, H - PAD.b); g.lineTo(W - PAD.r, H - PAD.b); g.stroke();
  g.textAlign = "right"; g.textBaseline = "middle";
  for (const [v, y] of limits) g.fillText(brief(v), PAD.l - 4, y);
  g.textAlign = "center"; g.textBaseline = "top";
  let free = -1;
  for (const t of ticks()) {
    const x = px($("log").checked ? t + t0 : t, W), wide = g.measureText(brief(t)).width / 2 + 3;
    g.beginPath(); g.moveTo(x, H - PAD.b); g.lineTo(x, H - PAD.b + 3); g.stroke();
    if (x - wide > free) { g.fillText(brief(t), Math.min(x, W - wide), H - PAD.b + 5); free = x + wide; }
  }
}

function cursor(g, W, H) {
  const x = px(M.ts[f], W);
  g.strokeStyle = colours[1]; g.lineWidth = 1;
  g.beginPath(); g.moveTo(x, PAD.t); g.lineTo(x, H - PAD.b); g.stroke();
}

// What does not move is drawn once and copied under the cursor.
const copies = new Map();
function still(canvas, look, draw) {
  const [g, W, H] = fit(canvas), key = [canvas.width, canvas.height, look, $("log").checked, ink.bg].join();
  if (copies.get(canvas)?.key === key) g.drawImage(copies.get(canvas).image, 0, 0, W, H);
  else {
    draw(g, W, H);
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    copy.getContext("2d").drawImage(canvas, 0, 0);
    copies.set(canvas, {key, image: copy.transferToImageBitmap()});
  }
  cursor(g, W, H);
  return [g, W, H];
}

function curve(canvas, v) {
  const known = v.filter(y => y !== null);
  const lo = Math.min(...known), hi = Math.max(...known);
  const py = (y, H) => PAD.t + (H - PAD.t - PAD.b) * (hi > lo ? 1 - (y - lo) / (hi - lo) : .5);
  return () => {
    const [g, W, H] = still(canvas, "", (g, W, H) => {
      frame(g, W, H, known.length ? (hi > lo ? [lo, hi] : [lo]).map(y => [y, py(y, H)]) : []);
      g.strokeStyle = colours[0]; g.lineWidth = 1.6; g.beginPath();
      v.forEach((y, k) => {
        if (y === null) return;
        k && v[k - 1] !== null ? g.lineTo(px(M.ts[k], W), py(y, H)) : g.moveTo(px(M.ts[k], W), py(y, H));
      });
      g.stroke();
    });
    if (v[f] === null) return;
    g.fillStyle = colours[1]; circle(g, px(M.ts[f], W), py(v[f], H), 3.5); g.fill();
  };
}

const tree = canvas => () => still(canvas, by, branches);

function branches(g, W, H) {
  const b = M.tree, h = H - PAD.t - PAD.b, from = b.start.length - b.children.length;
  frame(g, W, H, []);
  const middle = k => PAD.t + h * (b.low[k] + b.high[k]) / 2;
  for (let k = 0; k < b.start.length; k++) {
    const thick = Math.max(.4, .5 * h * (b.high[k] - b.low[k])), x = px(b.start[k], W);
    g.fillStyle = by === "cluster" ? shade(b.name[k]) : ink.soft;
    g.fillRect(x, middle(k) - thick / 2, Math.max(px(b.end[k], W) - x, .5), thick);
    if (k >= from) {
      const [one, other] = b.children[k - from].map(middle);
      g.fillRect(x - .4, Math.min(one, other), .8, Math.abs(one - other));
    }
  }
}

function add(title, says, draw) {
  const head = document.createElement("h2"), canvas = document.createElement("canvas");
  head.textContent = title; canvas.className = "plot";
  canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", says);
  $("side").append(head, canvas);
  plots.push(draw(canvas));
  const move = e => {
    const box = canvas.getBoundingClientRect(), u = (e.clientX - box.left - PAD.l) / (box.width - PAD.l - PAD.r);
    let best = 0;
    M.ts.forEach((t, k) => { if (Math.abs(along(t) - u) < Math.abs(along(M.ts[best]) - u)) best = k; });
    go(best);
  };
  canvas.onpointerdown = e => { canvas.setPointerCapture(e.pointerId); move(e); canvas.onpointermove = move; };
  canvas.onpointerup = canvas.onpointercancel = () => canvas.onpointermove = null;
  return canvas;
}

for (const [name, v] of Object.entries(M.curves)) {
  const known = v.filter(y => y !== null);
  add(name, known.length ? `${name} over time, from ${brief(known[0])} to ${brief(known.at(-1))}` : `${name}: no values`, c => curve(c, v));
}
if (M.tree) add("who merged with whom (thickness: mass)", `merge tree of ${M.tree.children.length} merges`, tree).id = "tree";
if (!plots.length) document.querySelector(".grid").classList.add("alone");
