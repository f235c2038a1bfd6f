"""Adversarial adaptation to a target that has only some of the source's classes."""
