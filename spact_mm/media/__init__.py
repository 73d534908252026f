"""Media files: their facts, colours and orientations, and whether they can be read at all.

Nothing here imports PyTorch or MMEngine, whose import takes seconds.
"""
