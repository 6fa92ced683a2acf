"""Commands on hidden states: recorded from weights, looked at over layers."""
