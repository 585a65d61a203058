"""The bare-metal driver of the IP core: its headers, and training jobs as C."""
