"""Spatial indexes: three implementations of one protocol, with identical answers."""
