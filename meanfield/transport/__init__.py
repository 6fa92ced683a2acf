"""Optimal transport between clouds and between densities; all Sinkhorn iterations are ott's."""
