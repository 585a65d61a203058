"""The complete core for other people's designs: controller, registers, records, interrupt."""
