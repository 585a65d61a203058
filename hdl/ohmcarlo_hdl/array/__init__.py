"""Between the controller and the devices: sequencer, emulator, and what they say to each other."""
