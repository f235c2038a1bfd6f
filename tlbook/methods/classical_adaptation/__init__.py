"""Adaptation in closed form: a linear map or a kernel, found by an eigenproblem, with any classifier on top."""
