"""The board: controller, array emulator, processor, serial link."""
