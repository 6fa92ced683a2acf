// Rotations, colours and canvases.
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = a => { const r = Math.hypot(...a); return a.map(v => v / r); };
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const turned = p => [0, 3, 6].map(k => R[k] * p[0] + R[k + 1] * p[1] + R[k + 2] * p[2]);
const times = (A, B) => [0, 3, 6].flatMap(r => [0, 1, 2].map(c => A[r] * B[c] + A[r + 1] * B[c + 3] + A[r + 2] * B[c + 6]));

function spin(dx, dy) {
  if (flat) return;
  const [c, s, C, S] = [Math.cos(dx), Math.sin(dx), Math.cos(dy), Math.sin(dy)];
  const next = times(times([1, 0, 0, 0, C, -S, 0, S, C], [c, 0, s, 0, 1, 0, -s, 0, c]), R);
  // Made orthonormal again: thousands of small turns would add up their rounding.
  const x = unit(next.slice(0, 3)), z = unit(cross(x, next.slice(3, 6)));
  R = [...x, ...cross(z, x), ...z];
  ball();
}

// As `viz.facing`: the direction from which most mass stands well in front.
function face() {
  if (flat) return;
  const found = groups().map(c => ({m: c.m, p: D > 3 ? unit(c.p.some(v => v) ? c.p : [0, 0, 1]) : c.p}));
  const many = 2000, step = found.length > 500 ? 5 : 1;
  let best = -Infinity, v = [0, 0, 1];
  for (let k = 0; k < many; k += step) {
    const z = 1 - 2 * (k + .5) / many, a = k * Math.PI * (3 - Math.sqrt(5)), r = Math.sqrt(1 - z * z);
    const u = [r * Math.cos(a), r * Math.sin(a), z];
    let s = 0;
    for (const c of found) {
      const d = dot(u, c.p), q = Math.max(0, Math.min(1, 2 * d));
      s += c.m * (q * q * (3 - 2 * q) + .1 * (d > 0 ? d : 2 * d));
    }
    if (s > best) { best = s; v = u; }
  }
  const x = unit(cross(Math.abs(v[2]) < .95 ? [0, 0, 1] : [0, 1, 0], v));
  R = [...x, ...cross(v, x), ...v];
  ball();
}

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let ink, colours;
function skin() {
  ink = {bg: css("--bg"), ink: css("--ink"), soft: css("--soft"), line: css("--line"), ball: css("--ball")};
  colours = [0, 1, 2, 3, 4, 5, 6].map(k => css("--k" + k));
}
skin();

const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
function viridis(t) {
  const s = Math.max(0, Math.min(1, t)) * 4, k = Math.min(3, s | 0);
  return `rgb(${VIRIDIS[k].map((a, j) => Math.round(a + (s - k) * (VIRIDIS[k + 1][j] - a)))})`;
}
const share = (name, v) => (v - M.colours[name].low) / (M.colours[name].high - M.colours[name].low || 1);
function shade(i) {
  if (by === "cluster") return colours[Math.min(rank[last[i]], 6)];
  if (by === "model") return colours[Math.min(M.models.of[i], 6)];
  return viridis(share(by, fields[by][f * n + i]));
}

// The parts of a disc, by colour: a pie where models share it; a value is that of the mean.
function parts(c) {
  if (by === "model") {
    const of = new Map();
    for (const i of c.who) of.set(M.models.of[i], (of.get(M.models.of[i]) || 0) + (c.m > 0 ? w[i] / c.m : 1 / c.n));
    return [...of].sort((a, b) => a[0] - b[0]).map(([k, s]) => [colours[Math.min(k, 6)], s]);
  }
  if (by === "cluster") return [[shade(c.id), 1]];
  let sum = 0;
  for (const i of c.who) sum += fields[by][f * n + i];
  return [[viridis(share(by, sum / c.n)), 1]];
}

function fit(canvas) {
  const d = devicePixelRatio || 1, W = canvas.clientWidth, H = canvas.clientHeight;
  if (canvas.width !== Math.round(W * d) || canvas.height !== Math.round(H * d)) {
    canvas.width = Math.round(W * d); canvas.height = Math.round(H * d);
  }
  const g = canvas.getContext("2d");
  g.setTransform(d, 0, 0, d, 0, 0);
  g.fillStyle = ink.bg; g.fillRect(0, 0, W, H);
  return [g, W, H];
}
const circle = (g, x, y, r) => { g.beginPath(); g.arc(x, y, r, 0, 2 * Math.PI); };
