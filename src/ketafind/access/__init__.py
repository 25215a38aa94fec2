"""Access to care: coverage, scores, catchments, sites."""
