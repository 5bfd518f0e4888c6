"""Machines from images: what a guest finds at its first start, whose they are and how many, and their end."""
