"""The step controller.

``controller`` is the component. It composes, in one module:

- ``blocks``: the submodules (row groups, orders, programmer, arbiter, acceptance, recorder) and the
  streams between them;
- ``turn``, ``current``, ``progress``: registers (present region, current samples, progress of a
  run);
- ``read_backs``, ``raw``, ``jobs``, ``outcome``: logic beside the state machine (read-backs of a
  proposal, raw operations, jobs of the likelihood, end of a step with its record);
- ``sequence``: the state machine;
- ``windows``: the state windows of software.
"""
