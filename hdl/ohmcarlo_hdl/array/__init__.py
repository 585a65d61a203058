"""The array side of the controller: sequencer, emulator, and the interface between them."""
