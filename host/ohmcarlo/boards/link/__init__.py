"""The serial link to a board: ports, frames, ordered transport, messages."""
