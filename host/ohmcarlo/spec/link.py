"""The serial link between host and board: frames, messages, and the fields and windows they name.

``firmware/PROTOCOL.md`` describes it. All numbers on that page and in the firmware are defined
here. All integers are little-endian.

A frame on the wire is ``COBS(header, payload, crc32)`` between two zero bytes. The first one ends
noise that arrived on the idle line. The CRC-32 (IEEE 802.3) is of header and payload.
"""

from __future__ import annotations

from enum import IntEnum

PROTOCOL_VERSION = 1
HEADER_FORMAT = "<BBHHH"
"""Version, kind, session, sequence number, acknowledgement (the next frame that is expected)."""
CRC_FORMAT = "<I"
HEADER_BYTES, CRC_BYTES = 8, 4
MAX_PAYLOAD = 480
MAX_FRAME = HEADER_BYTES + MAX_PAYLOAD + CRC_BYTES
MAX_WIRE = MAX_FRAME + -(-MAX_FRAME // 254) + 2  # COBS adds a byte in 254; a zero on either side
WINDOW = 8  # data frames under way in each direction


class Kind(IntEnum):
    """Kind of a frame."""

    OPEN = 1  # host: begin a session; payload OPEN_FORMAT
    OPENED = 2  # board: the session has begun; payload IDENTIFICATION_FORMAT
    DATA = 3  # one message; the only kind that is numbered, kept in order and sent again
    ACK = 4  # acknowledgement without data
    NACK = 5  # send again, from the frame that is expected on
    POLL = 6  # host: answer at once with an ACK
    UNKNOWN = 7  # board: unknown session (the board was restarted, or another host opened one)


OPEN_FORMAT = "<I"
"""Clocks after which the board sends unacknowledged frames again; they count while nothing waits in
its ring of bytes to send."""
MIN_PATIENCE, MAX_PATIENCE = 1_000, 1 << 30  # … are clipped to this range
BAUD = 1_000_000  # of a physical board: 8 data bits, no parity, one stop bit

IDENTIFICATION_FORMAT = "<HBBBBIIIIIIQ14I"
IDENTIFICATION = (
    "protocol_version",
    "firmware_major",
    "firmware_minor",
    "firmware_patch",
    "simulated",
    "firmware_map_hash",  # of the controller that the firmware was built for …
    "firmware_board_hash",  # … and of the board
    "map_hash",  # of the controller that is there
    "board_hash",  # of the board that is there
    "design_hash",
    "clock_hz",
    "clocks",  # since power-up
    # the controller's group "id", in the order of its addresses
    "magic",
    "version",
    "id_map_hash",
    "features",
    "rows",
    "pairs",
    "entropy_pairs",
    "access_bits",
    "tile_pairs",
    "dot_bits",
    "dot_shift",
    "max_points",
    "max_group_rows",
    "max_regions",
)
CONTROLLER_MAGIC = 0x4F484D43  # "OHMC"

MESSAGE_FORMAT = "<BBH"
"""Type, status (of a response, else 0), request number (of a request and its response, else 0)."""
MESSAGE_BYTES = 4
MAX_BODY = MAX_PAYLOAD - MESSAGE_BYTES


class Message(IntEnum):
    """Type of a message; its body in brackets: request → response."""

    ECHO = 1  # [any bytes → the same]
    WRITE = 2  # [n × WRITE_FORMAT → nothing]
    READ = 3  # [n × u16 field → n × u32]
    LOAD = 4  # [WINDOW_FORMAT, words → nothing]
    UNLOAD = 5  # [WINDOW_FORMAT, u16 words → words]
    OPERATE = 6  # [n × OPERATION_FORMAT → a u16 for each READ]
    READ_ROW = 7  # [READ_ROW_FORMAT → u16 codes]
    COMMAND = 8  # [COMMAND_FORMAT → nothing]; see Command
    EPISODE = 9  # [EPISODE_FORMAT → EPISODE_RESULT_FORMAT, u16s]; see golden/cartpole.py
    POLICY = 10  # [POLICY_FORMAT → nothing]; the board finds log-likelihoods itself, by episodes
    ANSWERS = 11  # [ANSWERS_FORMAT → ANSWERS_RESULT_FORMAT, words]; results of the last TRIAGE
    RESPONSE = 64  # board: answer to a request
    RECORDS = 65  # board: RECORDS_FORMAT, words of the record stream
    FINISHED = 66  # board: FINISHED_FORMAT; a command that takes time has ended, records are out
    DOUBTFUL = 67  # board: n × DOUBTFUL_FORMAT; points that a TRIAGE found doubtful


class Status(IntEnum):
    """Status of a request.

    After anything but OK nothing was changed, with one exception: a FAULT in the course of OPERATE
    or READ_ROW, whose earlier operations were done.
    """

    OK = 0
    MALFORMED = 1  # the length or the type of the request is wrong
    UNKNOWN_NAME = 2  # no field, window, command or operation has this code and this use
    OUT_OF_RANGE = 3  # a value, row, device, DAC code or word is out of range
    BUSY = 4  # the controller runs a command, or the processor plays episodes
    NOT_STARTED = 5  # RUN, FLUSH, PREDICT or TRIAGE before START, or after an alarm
    FAULT = 6  # the sequencer has stopped (field status.state.fault)
    MISMATCH = 7  # the firmware was built for another register map; it executes ECHO only
    STARTED = 8  # a field of model but model.points, while a chain is started (RESET_STATE first)


class Command(IntEnum):
    """Command of a COMMAND message. Those up to PREDICT, and TRIAGE, take time and end with
    FINISHED."""

    START = 1  # test the coin, then program the first sample of every region
    RUN = 2  # argument: steps, all regions together
    FLUSH = 3  # stream the current samples
    PREDICT = 4  # stream the prediction sums of every data point
    HALT = 5  # end a RUN after its present step
    CLEAR_FAULT = 6  # clear status.state.bus_error; a fault stays until RESET_STATE
    OFF = 7  # emergency stop
    EMULATOR_RESTART = 8  # restart the generator of the emulated array
    RESET_STATE = 9  # forget the chain
    EXTERNAL = 10  # argument: log-likelihood that the controller waits for (model.options.external)
    TRIAGE = 11  # predict, answer, and send only doubtful points; argument: two thresholds


class Operation(IntEnum):
    """Operation of an OPERATE message."""

    FORM = 1  # one device, with a DAC code: once in its life
    RESET = 2  # a whole row
    SET = 3  # one device, with a DAC code
    READ = 4  # one device; its code is in the answer


class Reason(IntEnum):
    """Reason why the controller stopped: in FINISHED and in field status.state.reason."""

    RUNNING = 0
    EXHAUSTED = 1
    ENTROPY_ALARM = 2
    FAULT = 3
    DONE = 4
    NO_ROWS = 5


class FaultCause(IntEnum):
    """Reason why the sequencer stopped: in FINISHED and in field status.state.fault_cause.

    Of causes in the same clock the one listed first is kept.
    """

    NONE = 0
    OFF = 1
    """The command or the input ``off``."""
    UNKNOWN_OPERATION = 2
    """A command with an unknown operation."""
    REQUEST_TIMEOUT = 3
    """The array did not accept a request within the time of the watchdog."""
    RESPONSE_TIMEOUT = 4
    """An expected response did not arrive within the time of the watchdog."""
    SPURIOUS_RESPONSE = 5
    """The array sent a response without a request."""
    WRONG_POINTS = 6
    """A pass of the stream of data points had the wrong number of words."""


# Words are aligned to four bytes of a message, because the processor needs it.
WRITE_FORMAT = "<H2xI"  # field, value
WINDOW_FORMAT = "<H2xI"  # window, first word
OPERATION_FORMAT = "<BBHHH"  # operation, 0, row, device, DAC code
READ_ROW_FORMAT = "<HHH"  # row, first device, devices
COMMAND_FORMAT = "<H2xI"  # command, argument
EPISODE_FORMAT = "<5hHII"  # weights (WEIGHT_MAX of spec.cartpole), episodes, seed, first episode
EPISODE_RESULT_FORMAT = "<I"  # steps of all episodes; then, for each, a u16: its steps
POLICY_FORMAT = "<IIIH"  # seed, first episode, scale (SCALE_FRAC of spec.cartpole), episodes
RECORDS_FORMAT = "<I"  # number of the first word since power-up
ANSWERS_FORMAT = "<IH"  # first word of the answers, words
ANSWERS_RESULT_FORMAT = "<IIII"  # samples (multiplicities, summed), points, positive, doubtful
DOUBTFUL_FORMAT = "<IQQ"  # point, sum and sum of squares of its prediction
FINISHED_FORMAT = "<BBBBIQ"  # reason, alarm, fault, fault_cause, steps_done, clocks since power-up

DIE_FIELDS = (
    "sequencer.form.width",
    "sequencer.reset.width",
    "sequencer.set.width",
    "sequencer.read.width",
    "sequencer.dot.width",
    "rails.gate_reset.value",
    "rails.gate_read.value",
    "rails.bit_line_form.value",
    "rails.bit_line_set.value",
    "rails.source_line_reset.value",
    "rails.bit_line_read.value",
    "rails.virtual_ground.value",
)
"""Pulses and rails of a real array; a controller without one has no rails."""

FIELDS = (
    # fields that the host sets (register group.register.field of the register map) …
    "control.steps.value",
    "model.points.value",
    "model.features.value",
    "model.hidden.value",
    "model.regions.value",
    "model.region_groups.value",
    "model.rows_per_region.value",
    "model.min_free.value",
    "model.retries.value",
    "model.options.early_reject",
    "model.options.hastings",
    "model.options.stream",
    "model.options.record_steps",
    "model.options.trim_enable",
    "model.options.centre_enable",
    "model.options.external",
    "model.dots.digital",
    "model.dots.log_repeats",
    "proposal.rho.value",
    "proposal.wide_every.value",
    "proposal.mid.value",
    "proposal.lo.value",
    "proposal.hi.value",
    "proposal.valid_lo.value",
    "proposal.valid_hi.value",
    "proposal.logit.mantissa",
    "proposal.logit.shift",
    "proposal.weight.mantissa",
    "proposal.weight.shift",
    "proposal.common.mantissa",
    "proposal.common.shift",
    "entropy.rct_cutoff.value",
    "entropy.rct_symbol_cutoff.value",
    "entropy.apt_cutoff.value",
    "entropy.fold.value",
    "sequencer.watchdog.value",
    "emulator.key0.value",
    "emulator.key1.value",
    "emulator.d2d_rel.value",
    "emulator.stuck_level.value",
    "emulator.median_gain.value",
    "emulator.sigma_gain.value",
    "emulator.first_pulse_lo.value",
    "emulator.first_pulse_hi.value",
    "row.select.value",
    # … and fields that it can only read
    "status.state.busy",
    "status.state.started",
    "status.state.reason",
    "status.state.alarm",
    "status.state.fault",
    "status.state.fault_cause",
    "status.state.bus_error",
    "status.state.emulator_idle",
    "status.steps_done.value",
    "row.status.bad",
    "row.status.failures",
    "row.held.value",
    "row.wear.value",
    "entropy.alarms.value",
    "entropy.clean_windows.value",
    "emulator.pulses.lo.value",
    "emulator.pulses.hi.value",
    "counters.clocks.lo.value",
    "counters.clocks.hi.value",
    "counters.form.lo.value",
    "counters.form.hi.value",
    "counters.reset.lo.value",
    "counters.reset.hi.value",
    "counters.set.lo.value",
    "counters.set.hi.value",
    "counters.read.lo.value",
    "counters.read.hi.value",
    "counters.dot.lo.value",
    "counters.dot.hi.value",
    "counters.invalid.lo.value",
    "counters.invalid.hi.value",
    "counters.samples.lo.value",
    "counters.samples.hi.value",
    "counters.points.lo.value",
    "counters.points.hi.value",
    "status.state.waiting_external",
    *DIE_FIELDS,
)
"""Number of a field in WRITE and READ: its place in here. A 64-bit counter is read ``lo`` first."""

WINDOWS = (
    "dac",
    "inv_sigma",
    "log_sigma",
    "median",
    "sigma",
    "bad_rows",
    "order",
    "points",
    "calibration",
    "state_queues",
    "state_groups",
    "state_held",
    "state_wear",
    "state_regions",
    "state_samples",
    "state_coin",
    "state_counters",
    "state_step",
    "state_codes",
)
"""Number of a memory window in LOAD and UNLOAD: its place in here."""

# Argument of TRIAGE: thresholds of the margin in the lower half, of the variance in the upper one
THRESHOLD_BITS = 16

# Words of the record stream (register map, group records of the board)
RECORD_STEP, RECORD_SAMPLE, RECORD_PREDICTION = 1, 2, 3
RECORD_KIND_SHIFT = 28
STEP_POINTS_BITS = 17
STEP_REGION_SHIFT, STEP_REGION_BITS = 17, 6
STEP_ACCEPTED_SHIFT, STEP_VALID_SHIFT = 23, 24
SAMPLE_WORDS_BITS = 24
SAMPLE_REGION_BITS, SAMPLE_CURRENT_BIT, SAMPLE_PROPOSAL_BIT = 8, 8, 9
PAIR_MINUS_SHIFT = 16  # g⁻ of a pair; g⁺ is in the lowest bits
SAMPLE_HEADER_WORDS = 4
ACCEPTED_WORDS, PREDICTION_WORDS = 2, 4  # after the first word; of an accepted step

# Words of a region in the window state_regions
REGION_CURRENT_ROW, REGION_MULTIPLICITY, REGION_LOGLIK, REGION_PRIOR = 4, 5, 6, 7
