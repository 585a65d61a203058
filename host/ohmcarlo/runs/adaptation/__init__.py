"""The stages in which an array learns where its posterior is, before it samples it.

The array begins in coordinates that know the inputs of the data, but no label. After every stage,
the coordinates are chosen again from what the array has sampled and predicted: see ``learner``.
``schedule`` decides which stage comes next, ``choice`` picks the proposal of the sampling chain,
and ``stages`` runs the stages on a board. Everything is fixed before the first sample that counts,
so that the posterior stays exact.
"""
