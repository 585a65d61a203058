"""Published values that several tests compare with."""

# akashlevy/RRAM-RADAR-Tuning, open-loop SET sweep of 50 cells, 20 repeats: word line (V), then the
# medians over cells of mean conductance, cycle-to-cycle σ and device-to-device σ (µS)
SET_SWEEP = (
    (2.30, 45.0, 15.5, 13.0),
    (2.35, 73.0, 15.1, 12.3),
    (2.40, 97.5, 13.8, 11.7),
    (2.45, 119.8, 11.1, 12.7),
    (2.50, 139.2, 9.2, 13.1),
    (2.55, 152.6, 8.0, 11.1),
    (2.60, 164.6, 7.0, 11.2),
)
