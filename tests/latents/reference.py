"""Forward passes of llama, GPT-2 and BERT in plain numpy and double precision, one token at a time."""

import math

import numpy as np
from small_models import BASE, DEPTH, EPS, GROUPS, HEADS, P


def llama(tensors, ids):
    """States [depth + 1, n, d], middle states [depth, n, d], weights [depth, heads, n, n], logits."""
    t = {name: a.astype(float) for name, a in tensors.items()}
    x = np.array([t["token_embd.weight"][i] for i in ids])
    states, mids, weights = [x], [], []
    for k in range(DEPTH):
        m = lambda name, k=k: t[f"blk.{k}.{name}.weight"]
        u = rms(x, m("attn_norm"))
        q, key, v = ([m(f"attn_{name}") @ row for row in u] for name in "qkv")
        own = [[turned(q[i][h * P : (h + 1) * P], i) for h in range(HEADS)] for i in range(len(x))]
        share = HEADS // GROUPS
        theirs = [
            [turned(key[j][g * P : (g + 1) * P], j) for g in range(GROUPS)] for j in range(len(x))
        ]
        values = [[v[j][g * P : (g + 1) * P] for g in range(GROUPS)] for j in range(len(x))]
        out, w = attend(own, theirs, values, lambda h, s=share: h // s, causal=True)
        mid = x + out @ m("attn_output").T
        z = rms(mid, m("ffn_norm"))
        gate = z @ m("ffn_gate").T
        x = mid + (gate / (1 + np.exp(-gate)) * (z @ m("ffn_up").T)) @ m("ffn_down").T
        states.append(x), mids.append(mid), weights.append(w)
    logits = rms(x, t["output_norm.weight"]) @ t["output.weight"].T
    return np.array(states), np.array(mids), np.array(weights), logits


def gpt2(tensors, ids):
    """The same of GPT-2."""
    t = {name: a.astype(float) for name, a in tensors.items()}
    x = t["wte.weight"][ids] + t["wpe.weight"][: len(ids)]
    states, mids, weights = [x], [], []
    for k in range(DEPTH):
        m = lambda name, k=k: (t[f"h.{k}.{name}.weight"], t[f"h.{k}.{name}.bias"])
        matrix, bias = m("attn.c_attn")
        q, key, v = np.split(layer_norm(x, *m("ln_1")) @ matrix + bias, 3, axis=1)
        out, w = attend(*(cut(a) for a in (q, key, v)), lambda h: h, causal=True)
        matrix, bias = m("attn.c_proj")
        mid = x + out @ matrix + bias
        (up, b), (down, c) = m("mlp.c_fc"), m("mlp.c_proj")
        inner = layer_norm(mid, *m("ln_2")) @ up + b
        cubic = math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)
        x = mid + (0.5 * inner * (1 + np.tanh(cubic))) @ down + c
        states.append(x), mids.append(mid), weights.append(w)
    logits = layer_norm(x, t["ln_f.weight"], t["ln_f.bias"]) @ t["wte.weight"].T
    return np.array(states), np.array(mids), np.array(weights), logits


def bert(tensors, ids):
    """The same of BERT; its logits are products with embeddings."""
    t = {name: a.astype(float) for name, a in tensors.items()}
    norm = lambda x, name: layer_norm(x, t[f"{name}.weight"], t[f"{name}.bias"])
    linear = lambda x, name: x @ t[f"{name}.weight"].T + t[f"{name}.bias"]
    parts = [t[f"embeddings.{k}_embeddings.weight"] for k in ("word", "position", "token_type")]
    x = norm(parts[0][ids] + parts[1][: len(ids)] + parts[2][0], "embeddings.LayerNorm")
    states, mids, weights = [x], [], []
    for k in range(DEPTH):
        layer = f"encoder.layer.{k}."
        read = (linear(x, f"{layer}attention.self.{name}") for name in ("query", "key", "value"))
        out, w = attend(*(cut(a) for a in read), lambda h: h, causal=False)
        mid = norm(
            x + linear(out, f"{layer}attention.output.dense"), f"{layer}attention.output.LayerNorm"
        )
        inner = linear(mid, f"{layer}intermediate.dense")
        inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        x = norm(mid + linear(inner, f"{layer}output.dense"), f"{layer}output.LayerNorm")
        states.append(x), mids.append(mid), weights.append(w)
    return np.array(states), np.array(mids), np.array(weights), x @ parts[0].T


def attend(q, k, v, group, causal):
    """The heads side by side [n, heads * p], and their weights, in loops over pairs of tokens."""
    n = len(q)
    out, weights = np.zeros((n, HEADS * P)), np.zeros((HEADS, n, n))
    for h in range(HEADS):
        for i in range(n):
            seen = range(i + 1) if causal else range(n)
            scores = np.array([q[i][h] @ k[j][group(h)] / math.sqrt(P) for j in seen])
            share = np.exp(scores) / np.exp(scores).sum()
            weights[h, i, : len(share)] = share
            for j, s in zip(seen, share, strict=True):
                out[i, h * P : (h + 1) * P] += s * v[j][group(h)]
    return out, weights


def turned(pairs, place):
    """Pairs of coordinates (2k, 2k + 1) as complex numbers, turned by place BASE^{-2k/p}."""
    z = pairs[0::2] + 1j * pairs[1::2]
    z = z * np.exp(1j * place * BASE ** (-2 * np.arange(len(z)) / len(pairs)))
    return np.stack([z.real, z.imag], 1).ravel()


def cut(a):
    """Rows of all heads as lists of heads."""
    return a.reshape(len(a), HEADS, P)


def rms(x, gain):
    """RMS normalization."""
    return np.array([gain * row / math.sqrt((row**2).mean() + EPS) for row in x])


def layer_norm(x, gain, bias):
    """Layer normalization."""
    return np.array([gain * (row - row.mean()) / math.sqrt(row.var() + EPS) + bias for row in x])
