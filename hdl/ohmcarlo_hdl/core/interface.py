"""Interfaces between the blocks of the controller: payloads of streams, and sets of ports.

Widths in an ``Attributes`` section are bits; names are properties of ``CoreConfig`` or constants.
Directions of a signature are those of the block that has it as its signature, or as an ``Out``
member.
"""

from __future__ import annotations

from typing import Any

from amaranth import signed, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ohmcarlo.spec import CODE_BITS, COEF_BITS, DAC_BITS, RHO_FRAC, SEGMENTS, WIDE_EVERY_MAX
from ohmcarlo.spec.link import Reason

from ..array.interface import array_request, array_response
from ..config import CoreConfig
from ..entropy.interface import T_BITS
from ..lib.window import Access, Window
from .point_stream import data_point

TERM_BITS = 28
"""Signed width of one point's log-likelihood: -z²/2 ≥ -512, LSB 2**-LOGLIK_FRAC."""
ACC_BITS = 32
"""Signed width of a saturating accumulator (``spec.ACC_MAX``)."""
MULTIPLICITY_BITS = 32
PREDICTION_BITS = 64
SHIFT_BITS = 6
"""Width of a coefficient's right shift, 0 to 47."""
REPEAT_BITS = 3
"""Width of the logarithm of the number of READs or accesses that are averaged."""
MAX_LOG_REPEATS = 4
RETRY_BITS = 3
"""Width of the count of failures in a row of a row group."""
WEAR_BITS = 32
"""Width of the count of proposals concluded in a row group."""
REGION_WORDS = 8
"""Words of a region in the window ``state_regions``; the last two are the step controller's."""
SEGMENT_ADDRESS_BITS = 1 + (SEGMENTS - 1).bit_length()
"""Address width of the window of a ``SegmentTable`` of the DAC range."""


def segment_window(config: CoreConfig) -> Window | Access:
    """Window of a ``SegmentTable`` of the DAC range; a bit-serial controller only loads it."""
    return (Window if config.bit_serial else Access)(SEGMENT_ADDRESS_BITS)


# -- payloads --------------------------------------------------------------------------------
class Kind(enum.Enum, shape=unsigned(3)):  # type: ignore[call-arg]
    """Effect of an order on a device or on a row."""

    WALK = 0
    """Program a device of the sample around its present code."""
    COLD = 1
    """Program a device of the sample to its centre (first sample of a chain)."""
    COIN = 2
    """Program an entropy device to the middle."""
    RESET = 3
    """RESET the row; the device is ignored."""
    SELECT = 4
    """Hint: the row is used next; the device is ignored."""


class Activity(enum.Enum, shape=unsigned(4)):  # type: ignore[call-arg]
    """Activity of the controller (``activity_e`` of the register map)."""

    IDLE = 0
    """No command is executed."""
    BETWEEN = 1
    """Between two proposals."""
    COIN = 2
    """The coin is programmed and read."""
    SAMPLE = 3
    """The proposal is programmed and read."""
    DECISION = 4
    """The proposal is evaluated."""
    EXTERNAL = 5
    """A proposal waits for its log-likelihood from software."""
    RECORDS = 6
    """Records of the current samples are streamed."""
    PREDICTION = 7
    """Data points are predicted."""
    RAW = 8
    """A raw operation is executed."""


def device_order(config: CoreConfig) -> data.StructLayout:
    """Step controller → proposal: one device to be programmed, or one row to be reset.

    ``code`` is the device's code in the current sample (WALK); ``last`` marks the last device of
    the sample (or of the coin).
    """
    return data.StructLayout(
        {
            "kind": Kind,
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "code": unsigned(CODE_BITS),
            "last": unsigned(1),
        }
    )


def device_target(config: CoreConfig) -> data.StructLayout:
    """Proposal → programmer: the order, with the DAC code and the device's centre."""
    order = {name: field.shape for name, field in device_order(config)}
    return data.StructLayout(order | {"dac": unsigned(DAC_BITS), "centre": unsigned(DAC_BITS)})


PROGRAMMED = data.StructLayout(
    {
        "old": unsigned(CODE_BITS),
        "new": unsigned(CODE_BITS),
        "centre": unsigned(DAC_BITS),
        "odd": unsigned(1),
        "last": unsigned(1),
    }
)
"""Programmer → pricing: a device of the sample, before and after; ``odd``: the g⁻ of its pair."""


def kept_code(config: CoreConfig) -> data.StructLayout:
    """Step controller → digital dot products: a device of the sample, read back."""
    return data.StructLayout(
        {
            "row": unsigned(config.row_bits),
            "device": unsigned(config.device_bits),
            "code": unsigned(CODE_BITS),
        }
    )


PRICE = data.StructLayout(
    {"prior": signed(ACC_BITS), "hastings": signed(ACC_BITS), "stuck": unsigned(1)}
)
"""Pricing → acceptance: log-prior and Hastings term of a proposal, LSB 2**-LOGLIK_FRAC.

``stuck`` as ``golden.proposal.is_stuck``: some invalid read-back missed its target by far.
"""


def likelihood_job(config: CoreConfig) -> data.StructLayout:
    """Step controller → likelihood.

    ``predict`` = 0: every point, in the order of the table, under the sample whose group starts at
    ``row``. ``predict`` = 1: the one data point ``point`` under that sample, with weight
    ``multiplicity``; ``last`` closes the sums of that point.
    """
    return data.StructLayout(
        {
            "predict": unsigned(1),
            "row": unsigned(config.row_bits),
            "point": unsigned(config.point_bits),
            "multiplicity": unsigned(MULTIPLICITY_BITS),
            "last": unsigned(1),
        }
    )


TERM = data.StructLayout({"term": signed(TERM_BITS), "last": unsigned(1)})
"""Likelihood → acceptance: one point's log-likelihood, never positive; ``last`` of the data."""

PREDICTION = data.StructLayout(
    {"sum": unsigned(PREDICTION_BITS), "square": unsigned(PREDICTION_BITS)}
)
"""Likelihood → host: Σ multiplicity · p and Σ multiplicity · p² of one point (PROB_FRAC bits)."""


class Mode(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Basis of a decision."""

    STEP = 0
    """A proposal: the sum of the terms against the threshold."""
    FIRST = 1
    """First sample of a chain: always accepted; the sum is needed."""
    INVALID = 2
    """A read-back left the valid window: rejected when the price shows if a device is stuck."""


def decision(config: CoreConfig) -> data.StructLayout:
    """Acceptance → step controller. ``loglik`` and ``prior`` are those of an accepted proposal."""
    return data.StructLayout(
        {
            "accepted": unsigned(1),
            "stuck": unsigned(1),
            "loglik": signed(ACC_BITS),
            "prior": signed(ACC_BITS),
            "points": unsigned(config.position_bits + 1),
        }
    )


def step_record(config: CoreConfig) -> data.StructLayout:
    """Step controller → host: result of one step.

    ``loglik`` and ``prior`` are those of the current sample after the step.
    """
    return data.StructLayout(
        {
            "accepted": unsigned(1),
            "valid": unsigned(1),
            "region": unsigned(config.region_bits),
            "points": unsigned(config.position_bits + 1),
            "loglik": signed(ACC_BITS),
            "prior": signed(ACC_BITS),
        }
    )


RECORD_WORD = data.StructLayout({"word": unsigned(32), "last": unsigned(1)})
"""Step controller → host: a 32-bit word of a sample record; ``last`` closes the record."""


def raw_operation(config: CoreConfig) -> data.StructLayout:
    """One array operation that software requests while no chain runs (not a DOT)."""
    full = array_request(config)
    return data.StructLayout({name: full[name].shape for name in ("op", "row", "device", "dac")})


def region_access(config: CoreConfig) -> Access:
    """Window ``state_regions``: word ``REGION_WORDS`` × region + n is word n of a region."""
    return Access(bits_for(config.max_regions * REGION_WORDS - 1))


# -- sets of ports ---------------------------------------------------------------------------
class RowsSettings(wiring.Signature):
    """Registers of the layout and the life of row groups, from the register bank.

    Attributes
    ----------
    regions : Out(range(max_regions + 1))
        Chains that share the array.
    region_groups : Out(range(rows + 1))
        Row groups of a region.
    rows_per_region : Out(range(rows + 1))
        Distance between the first rows of two regions.
    min_free : Out(4)
        Number of free groups below which the rows of the oldest retired sample are recycled.
    stream : Out(1)
        Retired samples may be recycled, because the host has their records.
    retries : Out(RETRY_BITS)
        Failures in a row after which a group leaves service.
    """

    def __init__(self, config: CoreConfig) -> None:
        count = range(config.geometry.rows + 1)
        super().__init__(
            {
                "regions": Out(range(config.max_regions + 1)),
                "region_groups": Out(count),
                "rows_per_region": Out(count),
                "min_free": Out(4),
                "stream": Out(1),
                "retries": Out(RETRY_BITS),
            }
        )


class RowsState(wiring.Signature):
    """State windows of the row groups; words as in the register map.

    Attributes
    ----------
    state_queues, state_groups, state_held, state_wear : Out(Access)
        Free queues and rings; groups out of service; multiplicities; wear: one word per row.
    state_regions : Out(region_access)
        Registers of every region.
    """

    def __init__(self, config: CoreConfig) -> None:
        row = Access(bits_for(config.geometry.rows - 1))
        super().__init__(
            {
                "state_queues": Out(row),
                "state_groups": Out(row),
                "state_held": Out(row),
                "state_wear": Out(row),
                "state_regions": Out(region_access(config)),
            }
        )


class StepState(wiring.Signature):
    """Windows of the whole state that the step controller keeps between runs.

    Attributes
    ----------
    state_queues, state_groups, state_held, state_wear, state_regions : Out(Access)
        As in ``RowsState``.
    state_samples : Out(Access)
        Codes of the current samples, one word per pair.
    state_step : Out(Access)
        Region of the next step, and the flags ``initialised`` and ``started``.
    """

    def __init__(self, config: CoreConfig) -> None:
        samples = config.max_regions * config.max_group_rows << config.device_bits - 1
        super().__init__(
            {
                **dict(RowsState(config).members.items()),
                "state_samples": Out(Access(bits_for(samples - 1))),
                "state_step": Out(Access(bits_for(0))),
            }
        )


class StepSettings(wiring.Signature):
    """Registers of a chain, from the register bank to the step controller.

    Attributes
    ----------
    steps : Out(32)
        Steps of a run, over all regions.
    features : Out(range(max_features + 1))
        Inputs of a point, the bias among them.
    hidden : Out(range(max_group_rows))
        Hidden units; 0: logistic regression.
    points : Out(position_bits + 1)
        Data points in use.
    valid_lo, valid_hi : Out(CODE_BITS)
        Lowest and highest code of a valid read-back.
    early_reject : Out(1)
        Stop an evaluation once its sum is below the threshold.
    record_steps : Out(1)
        Stream a record of every step.
    external : Out(1)
        Software supplies the log-likelihood.
    external_loglik : Out(signed(ACC_BITS))
        Log-likelihood that software supplied.
    wide_every : Out(range(WIDE_EVERY_MAX + 1))
        Every so many rounds over the regions, one is wide; 0: none.
    folds : Out(1)
        A symbol of the coin takes more than one raw symbol.
    log_repeats : Out(REPEAT_BITS)
        Every READ of a proposal is made 2**log_repeats times and averaged; without effect unless
        the configuration has ``repeats``.
    points_streamed : Out(1)
        ``points`` exceeds the data memory; only with ``max_streamed_points`` of the configuration.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "steps": Out(32),
                "features": Out(range(config.max_features + 1)),
                "hidden": Out(range(config.max_group_rows)),
                "points": Out(config.position_bits + 1),
                "valid_lo": Out(CODE_BITS),
                "valid_hi": Out(CODE_BITS),
                "early_reject": Out(1),
                "record_steps": Out(1),
                "external": Out(1),
                "external_loglik": Out(signed(ACC_BITS)),
                "wide_every": Out(range(WIDE_EVERY_MAX + 1)),
                "folds": Out(1),
                "log_repeats": Out(REPEAT_BITS),
            }
            | ({"points_streamed": Out(1)} if config.max_streamed_points else {})
        )


class StepCommands(wiring.Signature):
    """Commands to the step controller. All are strobes, except ``closed`` and ``raw_operation``.

    Attributes
    ----------
    start : Out(1)
        Begin a chain: start-up test of the coin, then the first samples.
    run : Out(1)
        Run ``steps`` steps.
    halt : Out(1)
        End the run after its step.
    flush : Out(1)
        Stream a record of every current sample.
    predict : Out(1)
        Predict every data point under all samples in the array.
    external_given : Out(1)
        ``external_loglik`` is valid.
    raw_start : Out(1)
        Execute ``raw_operation``.
    raw_operation : Out(raw_operation(config))
        The operation; stable until it is done.
    closed : Out(1)
        A fault was latched: no new operation reaches the array until the core is reset.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "start": Out(1),
                "run": Out(1),
                "halt": Out(1),
                "flush": Out(1),
                "predict": Out(1),
                "external_given": Out(1),
                "raw_start": Out(1),
                "raw_operation": Out(raw_operation(config)),
                "closed": Out(1),
            }
        )


class StepStatus(wiring.Signature):
    """Status of the step controller, for the register bank.

    Attributes
    ----------
    busy : Out(1)
        A command is executed; high from its strobe on.
    started : Out(1)
        Every region has a sample.
    activity : Out(Activity)
        Current activity.
    reason : Out(Reason)
        Why the last run ended.
    waiting_external : Out(1)
        A proposal waits for ``external_given``.
    raw_valid : Out(1)
        The raw operation is done; ``raw_result`` is valid after a READ.
    raw_result : Out(signed(32))
        Reading of the raw operation.
    steps_done : Out(32)
        Steps of this run that ended.
    turn : Out(region_bits)
        Region of the next step.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "busy": Out(1),
                "started": Out(1),
                "activity": Out(Activity),
                "reason": Out(Reason),
                "waiting_external": Out(1),
                "raw_valid": Out(1),
                "raw_result": Out(signed(32)),
                "steps_done": Out(32),
                "turn": Out(config.region_bits),
            }
        )


class RowQuery(wiring.Signature):
    """Query of one row group between operations; the answer follows a clock later.

    Attributes
    ----------
    row : Out(row_bits)
        First row of the group.
    bad : In(1)
        The group is out of service.
    failures : In(RETRY_BITS)
        Failures in a row.
    held : In(MULTIPLICITY_BITS)
        Multiplicity of the retired sample that the group holds.
    wear : In(WEAR_BITS)
        Proposals concluded in the group, for the life of the array.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "row": Out(config.row_bits),
                "bad": In(1),
                "failures": In(RETRY_BITS),
                "held": In(MULTIPLICITY_BITS),
                "wear": In(WEAR_BITS),
            }
        )


class AcceptancePorts(wiring.Signature):
    """Ports of an acceptance block.

    Attributes
    ----------
    start : In(1)
        Begin a decision.
    mode : In(Mode)
        Basis of the decision; sampled at ``start``.
    empty : In(1)
        There are no data points; sampled at ``start``.
    external : In(1)
        ``external_loglik`` is the sum; sampled at ``start``.
    external_loglik : In(signed(ACC_BITS))
        Log-likelihood from software.
    early_reject : In(1)
        Decide as soon as the sum is below the threshold.
    loglik, prior : In(signed(ACC_BITS))
        Log-likelihood and log-prior of the current sample.
    t : In(T_BITS)
        -log u of the coin.
    t_valid : In(1)
        ``t`` is valid.
    price : In(stream of PRICE)
        Log-prior and Hastings term of the proposal.
    terms : In(stream of TERM)
        Log-likelihood of each data point.
    decision : Out(stream of decision)
        One item for each ``start``.
    stop : Out(1)
        A decision is offered: the rest of the terms may be dropped.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "start": In(1),
                "mode": In(Mode),
                "empty": In(1),
                "external": In(1),
                "external_loglik": In(signed(ACC_BITS)),
                "early_reject": In(1),
                "loglik": In(signed(ACC_BITS)),
                "prior": In(signed(ACC_BITS)),
                "t": In(T_BITS),
                "t_valid": In(1),
                "price": In(stream.Signature(PRICE)),
                "terms": In(stream.Signature(TERM)),
                "decision": Out(stream.Signature(decision(config))),
                "stop": Out(1),
            }
        )


class ProposalPorts(wiring.Signature):
    """Ports of a proposal block.

    Attributes
    ----------
    orders : In(stream of device_order)
        Orders to program, in sequence.
    targets : Out(stream of device_target)
        The same orders, with DAC code and centre.
    rho : In(RHO_FRAC + 1)
        Autocorrelation of the proposal, RHO_FRAC fraction bits.
    mid : In(DAC_BITS)
        Common centre.
    lo, hi : In(DAC_BITS)
        Limits of a target.
    trim_enable : In(1)
        Devices have trims of their own.
    centre_enable : In(1)
        Devices have centres of their own.
    load_dac : In(segment_window)
        Nodes of the DAC table.
    load_calibration : In(Window)
        Trim and centre of each device; only with ``config.device_calibration``.
    """

    def __init__(self, config: CoreConfig) -> None:
        ports: dict[str, Any] = {
            "orders": In(stream.Signature(device_order(config))),
            "targets": Out(stream.Signature(device_target(config))),
            "rho": In(RHO_FRAC + 1),
            "mid": In(DAC_BITS),
            "lo": In(DAC_BITS),
            "hi": In(DAC_BITS),
            "trim_enable": In(1),
            "centre_enable": In(1),
            "load_dac": In(segment_window(config)),
        }
        if config.device_calibration:
            ports["load_calibration"] = In(Window(config.row_bits + config.device_bits))
        super().__init__(ports)


class PricingPorts(wiring.Signature):
    """Ports of a pricing block.

    Attributes
    ----------
    devices : In(stream of PROGRAMMED)
        Devices of a proposal, pair after pair, g⁺ before g⁻.
    price : Out(stream of PRICE)
        One item for each proposal.
    rho : In(RHO_FRAC + 1)
        Autocorrelation of the proposal, RHO_FRAC fraction bits.
    mid : In(DAC_BITS)
        Common centre.
    lo, hi : In(DAC_BITS)
        Limits of a target.
    valid_lo, valid_hi : In(CODE_BITS)
        Lowest and highest code of a valid read-back.
    hastings : In(1)
        Compute the Hastings term; otherwise it is 0.
    weight_mantissa, common_mantissa : In(COEF_BITS)
        Coefficients of the weight prior and of the common-mode prior.
    weight_shift, common_shift : In(SHIFT_BITS)
        Right shifts of these coefficients.
    load_inv_sigma, load_log_sigma : In(segment_window)
        Nodes of the tables of 1/σ and log σ.
    """

    def __init__(self, config: CoreConfig) -> None:
        super().__init__(
            {
                "devices": In(stream.Signature(PROGRAMMED)),
                "price": Out(stream.Signature(PRICE)),
                "rho": In(RHO_FRAC + 1),
                "mid": In(DAC_BITS),
                "lo": In(DAC_BITS),
                "hi": In(DAC_BITS),
                "valid_lo": In(CODE_BITS),
                "valid_hi": In(CODE_BITS),
                "hastings": In(1),
                "weight_mantissa": In(COEF_BITS),
                "weight_shift": In(SHIFT_BITS),
                "common_mantissa": In(COEF_BITS),
                "common_shift": In(SHIFT_BITS),
                "load_inv_sigma": In(segment_window(config)),
                "load_log_sigma": In(segment_window(config)),
            }
        )


class LikelihoodPorts(wiring.Signature):
    """Ports of a likelihood block.

    Attributes
    ----------
    jobs : In(stream of likelihood_job)
        Evaluations and predictions.
    requests : Out(stream of array_request)
        Accesses of the array (DOT).
    readings : In(stream of array_response)
        Their readings, in order.
    terms : Out(stream of TERM)
        Log-likelihood of each data point.
    predictions : Out(stream of PREDICTION)
        Sums of each predicted point.
    stop : In(1)
        Drop the evaluation in progress.
    idle : Out(1)
        No job is in progress.
    points : In(position_bits + 1)
        Data points in use.
    features : In(range(max_features + 1))
        Inputs of a point, the bias among them.
    hidden : In(range(max(max_group_rows, 2)))
        Hidden units; 0: logistic regression.
    logit_mantissa : In(COEF_BITS)
        Coefficient from dot product to logit.
    logit_shift : In(SHIFT_BITS)
        Right shift of that coefficient.
    load_points : In(Window)
        Words of the data points.
    load_order : In(Window)
        Order in which the points are evaluated.
    log_repeats : In(REPEAT_BITS)
        Every access is made 2**log_repeats times and averaged; only with ``repeats`` of the
        configuration.
    streamed : In(stream of data_point)
        Points beyond the data memory; only with ``max_streamed_points`` of the configuration, like
        the next two.
    wants_streamed : Out(1)
        The evaluation needs one of them next.
    drop_streamed : Out(1)
        The evaluation has ended early.
    """

    def __init__(self, config: CoreConfig) -> None:
        word_bits = (config.point_words - 1).bit_length()
        repeats = {"log_repeats": In(REPEAT_BITS)} if config.repeats else {}
        streamed = {
            "streamed": In(stream.Signature(data_point(config))),
            "wants_streamed": Out(1),
            "drop_streamed": Out(1),
        }
        super().__init__(
            repeats
            | (streamed if config.max_streamed_points else {})
            | {
                "jobs": In(stream.Signature(likelihood_job(config))),
                "requests": Out(stream.Signature(array_request(config))),
                "readings": In(stream.Signature(array_response(config))),
                "terms": Out(stream.Signature(TERM)),
                "predictions": Out(stream.Signature(PREDICTION)),
                "stop": In(1),
                "idle": Out(1),
                "points": In(config.position_bits + 1),
                "features": In(range(config.max_features + 1)),
                "hidden": In(range(max(config.max_group_rows, 2))),
                "logit_mantissa": In(COEF_BITS),
                "logit_shift": In(SHIFT_BITS),
                "load_points": In(Window(config.point_bits + word_bits)),
                "load_order": In(Window(config.point_bits)),
            }
        )
