// The tokens on their circle, globe or ball.
const FULL = .42;  // radius of the disc of the whole mass, as in `viz.sphere_masses`
let discs = [];    // what was drawn last: {x, y, z, s, n, m}

function place(p) { return flat ? [p[0], p[1], 1] : turned(p); }

function ball() {
  const [g, W, H] = fit($("ball")), cx = W / 2, cy = H / 2;
  const r = Math.min(W, H) / 2 / 1.27, big = $("mass").checked;
  const put = (p, m, count, pie) => { const q = place(p); return {x: cx + r * q[0], y: cy - r * q[1], z: q[2], s: r * FULL * Math.sqrt(m), n: count, m, pie}; };
  discs = big ? groups().map(c => put(c.p, c.m, c.n, parts(c)))
    : Array.from({length: n}, (_, i) => put([0, 1, 2].map(a => coord(f, i, a)), 1 / n, 1, [[shade(i), 1]]));
  const behind = discs.filter(o => o.z < 0).sort((a, b) => a.z - b.z), before = discs.filter(o => o.z >= 0);
  if (!flat) {
    draw(g, behind);
    g.globalAlpha = .5; g.fillStyle = ink.ball; circle(g, cx, cy, r); g.fill(); g.globalAlpha = 1;
  }
  g.strokeStyle = ink.line; g.lineWidth = 1.2; circle(g, cx, cy, r); g.stroke();
  if (globe) graticule(g, r, cx, cy);
  if (D > 3) arrows(g, r, cx, cy);
  if ($("tail").checked) tails(g, r, cx, cy);
  draw(g, before);
  if (big) scale(g, H, r);
}

// The heaviest first, so that the lighter lie on top; single tokens, which are the lightest where masses are
// equal, in one path for each colour and depth.
function draw(g, those) {
  const alone = new Map();
  for (const o of those) {
    if (o.n > 1 || M.w) { disc(g, o); continue; }
    const deep = o.z < 0 ? Math.round(3 * o.z) : 1, key = o.pie[0][0] + deep;
    if (!alone.has(key)) alone.set(key, {colour: o.pie[0][0], deep, size: o.s, path: new Path2D()});
    const path = alone.get(key).path;
    path.moveTo(o.x + o.s, o.y); path.arc(o.x, o.y, o.s, 0, 2 * Math.PI);
  }
  g.strokeStyle = ink.bg;
  for (const {colour, deep, size, path} of alone.values()) {
    g.globalAlpha = deep > 0 ? .9 : .45 * (1 + deep / 6); g.fillStyle = colour; g.fill(path);
    g.globalAlpha = deep > 0 ? 1 : .45; g.lineWidth = Math.min(1, size / 3); g.stroke(path);
  }
  g.globalAlpha = 1;
}

function disc(g, o) {
  const front = o.z >= 0;
  let from = -Math.PI / 2;
  g.globalAlpha = front ? .9 : .45 * (1 + .5 * o.z);
  for (const [colour, share] of o.pie) {
    g.fillStyle = colour; g.beginPath();
    if (o.pie.length > 1) g.moveTo(o.x, o.y);
    g.arc(o.x, o.y, o.s, from, from + 2 * Math.PI * share); g.fill();
    from += 2 * Math.PI * share;
  }
  g.globalAlpha = front ? 1 : .45;
  g.strokeStyle = ink.bg; g.lineWidth = Math.min(1, o.s / 3); circle(g, o.x, o.y, o.s); g.stroke();
  const text = String(o.n), size = Math.min(15, 2.1 * o.s / Math.max(text.length, 1.4));
  if (o.n > 1 && size > 7) {
    g.globalAlpha = front ? 1 : .7; g.fillStyle = front ? ink.bg : ink.ink;
    g.font = `600 ${size}px system-ui, sans-serif`; g.textAlign = "center"; g.textBaseline = "middle";
    g.fillText(text, o.x, o.y);
  }
  g.globalAlpha = 1;
}

const TURN = Array.from({length: 61}, (_, k) => k * Math.PI / 30);
function graticule(g, r, cx, cy) {
  g.lineWidth = .6;
  const curve = point => {
    let on = false;
    g.beginPath();
    for (const t of TURN) {
      const q = turned(point(t));
      if (q[2] >= 0) on ? g.lineTo(cx + r * q[0], cy - r * q[1]) : g.moveTo(cx + r * q[0], cy - r * q[1]);
      on = q[2] >= 0;
    }
    g.stroke();
  };
  for (const b of [-60, -30, 0, 30, 60].map(v => v * Math.PI / 180)) curve(t => [Math.cos(b) * Math.cos(t), Math.cos(b) * Math.sin(t), Math.sin(b)]);
  for (const a of [0, 45, 90, 135].map(v => v * Math.PI / 180)) curve(t => [Math.cos(t) * Math.cos(a), Math.cos(t) * Math.sin(a), Math.sin(t)]);
}

function tails(g, r, cx, cy) {
  g.lineWidth = .9; g.globalAlpha = .5;
  for (let i = 0; i < n; i++) {
    g.strokeStyle = shade(i); g.beginPath();
    let on = false;
    for (let t = Math.max(0, f - 14); t <= f; t++) {
      const q = place([0, 1, 2].map(a => coord(t, i, a)));
      if (q[2] >= 0) on ? g.lineTo(cx + r * q[0], cy - r * q[1]) : g.moveTo(cx + r * q[0], cy - r * q[1]);
      on = q[2] >= 0;
    }
    g.stroke();
  }
  g.globalAlpha = 1;
}

function arrows(g, r, cx, cy) {  // where the axes that are seen point
  g.font = "11px system-ui, sans-serif"; g.fillStyle = g.strokeStyle = ink.soft; g.lineWidth = 1;
  g.textAlign = "center"; g.textBaseline = "middle";
  [[1, 0, 0], [0, 1, 0], [0, 0, 1]].forEach((e, a) => {
    const q = turned(e);
    g.globalAlpha = q[2] < 0 ? .3 : .6;
    g.beginPath(); g.moveTo(cx, cy); g.lineTo(cx + r * q[0], cy - r * q[1]); g.stroke();
    g.fillText(shown[a] + 1, cx + 1.06 * r * q[0], cy - 1.06 * r * q[1]);
  });
  g.globalAlpha = 1;
}

function scale(g, H, r) {  // the legend of sizes: circles in circles, in the corner
  g.font = "11px system-ui, sans-serif"; g.textAlign = "left"; g.textBaseline = "middle";
  g.fillStyle = g.strokeStyle = ink.soft; g.lineWidth = 1;
  const counts = n < 8 ? [] : [...new Set([nice(n / 10), ...(n < 400 ? [1] : [nice(n / 40), 1])])];
  const size = k => r * FULL * Math.sqrt(k / n), widest = size(counts[0] || 0), x = 4 + widest;
  counts.forEach((k, j) => {
    const top = H - 4 - 2 * size(k), y = Math.min(top, H - 8 - 13 * (counts.length - 1 - j));
    circle(g, x, H - 4 - size(k), size(k)); g.stroke();
    g.globalAlpha = .5; g.beginPath(); g.moveTo(x, top); g.lineTo(x + widest + 4, y); g.stroke(); g.globalAlpha = 1;
    const text = M.w ? `${+(100 * k / n).toPrecision(2)} %` : k;
    g.fillText(j ? text : `${text} ${M.w ? "of the mass" : k > 1 ? "tokens" : "token"}`, x + widest + 7, y);
  });
}
function nice(v) {
  if (v < 1) return 1;
  const p = 10 ** Math.floor(Math.log10(v));
  return [5, 2, 1].find(k => k * p <= v) * p;
}
