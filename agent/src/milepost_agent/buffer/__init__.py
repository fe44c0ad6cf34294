"""The buffer: what was sampled stays on flash until the server has said that it is stored there."""
