"""The live page: one start, several inverse temperatures, each run precomputed."""

from pathlib import Path

from sources import write

BETAS = (1.0, 2.0, 4.0, 6.0, 9.0, 12.0)

SCRIPTED = """# Live

Two hundred tokens on S^2 from one uniform start under softmax attention; drag to turn, press play. The
slider chooses the inverse temperature beta.

```{{raw}} html
<p><label for="beta">beta = <output id="shown">{shown}</output></label>
<input id="beta" type="range" min="0" max="{last}" step="1" value="{chosen}"></p>
<iframe class="live" id="page" title="Tokens on the sphere" src="live/{chosen}.html"></iframe>
<script>
const betas = {betas};
document.getElementById("beta").addEventListener("input", event => {{
  const k = event.target.value;
  document.getElementById("shown").textContent = betas[k];
  document.getElementById("page").src = `live/${{k}}.html`;
}});
</script>
```

The same page is made of any run by `mf.viz.page`:

```python
{code}```
"""
CODE = """import jax, jax.numpy as jnp
import meanfield as mf

sphere = mf.geometry.Sphere(3)
flow = mf.dynamics.AttentionFlow(sphere, mf.attention.Softmax(beta=9.0))
x0 = sphere.sample(jax.random.key(0), 200)
ts = jnp.concatenate([jnp.zeros(1), jnp.geomspace(0.05, 200.0, 119)])
run = mf.simulate(flow, x0, ts, observe={"x": mf.observables.state})
mf.viz.page(run, "tokens.html")
"""


def write_live(source: Path, extra: Path) -> None:
    """The page of the site, and for each beta a page of its own, which it shows in a frame."""
    names: dict = {}
    for k, beta in enumerate(BETAS):
        path = extra / "live" / f"{k}.html"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            code = CODE.replace("beta=9.0", f"beta={beta}").replace("tokens.html", str(path))
            exec(code, names)
    text = SCRIPTED.format(shown=BETAS[4], last=len(BETAS) - 1, chosen=4, betas=[*BETAS], code=CODE)
    write(source / "live.md", text)
