"""The IP core for other designs: controller, registers, records, interrupt."""
