"""What the dashboard knows: the cluster's state, what changed in it, and the state of the link."""
