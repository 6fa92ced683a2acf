// What Python packed: see _pack.py and _scene.py.
const $ = id => document.getElementById(id);
const M = JSON.parse($("data").textContent);

async function unpack(a) {
  const raw = Uint8Array.from(atob(a.z), c => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  const q = new Int16Array(await new Response(stream).arrayBuffer());
  const times = a.shape[0], m = q.length / times, out = new Float32Array(q.length), sum = new Int16Array(2);
  for (let i = 0; i < m; i++) {
    sum.fill(0);  // the value and its step, which wrap around
    for (let t = 0; t < times; t++) {
      sum[1] += q[i * times + t]; sum[0] += sum[1];
      out[t * m + i] = sum[0] / a.scale + a.offset;
    }
  }
  return out;
}

const [T, n, D] = M.x.shape;
const X = await unpack(M.x), names = await unpack(M.names);
const w = M.w || new Array(n).fill(1 / n);
const fields = {};
for (const [name, a] of Object.entries(M.colours)) fields[name] = await unpack(a);
const flat = D === 2, globe = D === 3;

let f = 0, playing = false, by = M.models ? "model" : "cluster", R = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const shown = [0, 1, 2];  // the principal axes that are seen
const coord = (t, i, a) => shown[a] < D ? X[(t * n + i) * D + shown[a]] : 0;
const label = i => names[f * n + i];

// Tokens that are drawn as one disc, heaviest first. `id` is the least token, which names the cluster.
let cache = {key: "", found: []};
function groups() {
  const key = f + "/" + shown;
  if (cache.key === key) return cache.found;
  const all = new Map();
  for (let i = 0; i < n; i++) {
    const k = label(i);
    let c = all.get(k);
    if (!c) all.set(k, c = {id: i, n: 0, m: 0, p: [0, 0, 0], who: []});
    c.n++; c.m += w[i]; c.who.push(i);
    for (let a = 0; a < 3; a++) c.p[a] += w[i] * coord(f, i, a);
  }
  for (const c of all.values()) {
    const r = D > 3 ? c.m : Math.hypot(...c.p);  // on the sphere, the direction of the mean
    c.p = r > 0 ? c.p.map(v => v / r) : [0, 1, 2].map(a => coord(f, c.id, a));
  }
  cache = {key, found: [...all.values()].sort((a, b) => b.m - a.m)};
  return cache.found;
}

// Final clusters by rank of mass: a token has the colour of the one in which it ends.
const last = names.subarray((T - 1) * n), ends = {};
last.forEach((k, i) => ends[k] = (ends[k] || 0) + w[i]);
const rank = {};
Object.keys(ends).sort((a, b) => ends[b] - ends[a]).forEach((k, r) => rank[k] = r);
