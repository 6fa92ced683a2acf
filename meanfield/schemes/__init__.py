"""Discrete time: schemes that advance a state by one step, for `rollout`."""

from ._base import AbstractScheme as AbstractScheme
from ._scharfetter_gummel import ScharfetterGummel as ScharfetterGummel
from ._transformer_layers import TransformerLayers as TransformerLayers
