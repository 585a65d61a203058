"""The tables of ``docs/formats.md``: number formats from ``ohmcarlo.spec``."""

from __future__ import annotations

from ohmcarlo.spec import formats as f
from ohmcarlo.spec import geometry
from ohmcarlo.spec import tables as spec_tables

from ..markdown import markdown_table
from ..sources import REPOSITORY

PAGE = REPOSITORY / "docs" / "formats.md"
LIMITS = {
    "rows": (4, 65536),
    "pairs": (2, 256),
    "row_group": (1, 64),
    "regions": (1, 64),
    "dot_bits": (4, 24),
    "dot_shift": (0, 20),
}
"""Least and largest value of a parameter of ``Geometry``; a test tries both sides of each."""
HEAD = ("quantity", "format", "one LSB", "range")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(exponent: int) -> str:
    return "2" + str(exponent).translate(SUPERSCRIPTS)


def _lsb(frac: int, unit: str = "") -> str:
    return f"{power(-frac)} {unit}".rstrip() if frac else f"1 {unit}".rstrip()


def _us(value: float) -> str:
    return f"{value:g} µS"


def _signed(bits: int) -> str:
    return f"signed {bits} bits"


def _unsigned(bits: int) -> str:
    return f"unsigned {bits} bits"


def _devices() -> str:
    code, dac = _us(f.CODE_LSB_US), _us(f.TARGET_LSB_US)
    top = f.CODE_MAX * f.CODE_LSB_US
    return markdown_table(
        HEAD,
        [
            ("device code", _unsigned(f.CODE_BITS), code, f"0 to {_us(top)}"),
            ("pair difference k⁺ − k⁻", _signed(f.CODE_BITS + 1), code, f"±{_us(top)}"),
            (
                "programming target, DAC code",
                _unsigned(f.DAC_BITS),
                dac,
                f"0 to {_us(f.DAC_MAX * f.TARGET_LSB_US)}",
            ),
            (
                "valid read-back",
                "code",
                code,
                f"codes {f.VALID_LO_CODE} to {f.VALID_HI_CODE}; others have prior probability 0",
            ),
            (
                "default middle, and clip limits of a target",
                "target",
                dac,
                f"{_us(f.DEFAULT_MID_US)}; {f.DEFAULT_LO_US:g} to {_us(f.DEFAULT_HI_US)}",
            ),
        ],
    )


def _proposal() -> str:
    segment = f"{f.SEGMENTS} linear segments over the target"
    gain = 1 << (f.TRIM_GAIN_BITS - 1)
    offset = (1 << (f.TRIM_OFFSET_BITS - 1)) * f.CODE_LSB_US
    return markdown_table(
        HEAD,
        [
            ("ρ", _unsigned(f.RHO_FRAC + 1), _lsb(f.RHO_FRAC), "up to 1, the random walk"),
            (
                "trim offset of a device",
                _signed(f.TRIM_OFFSET_BITS),
                _us(f.CODE_LSB_US),
                f"±{_us(offset)}",
            ),
            (
                "trim gain of a device",
                _signed(f.TRIM_GAIN_BITS),
                _lsb(f.TRIM_GAIN_FRAC),
                f"±{gain / (1 << f.TRIM_GAIN_FRAC):g}",
            ),
            ("conductance-to-DAC table", segment, _us(f.TARGET_LSB_US), "a DAC code"),
            ("1/σ(µ)", segment, _lsb(f.INV_SIGMA_FRAC, "per code"), "positive"),
            ("log σ(µ)", segment, _lsb(f.LOG_SIGMA_FRAC, "nat"), ""),
            (
                "deviation (k − µ)/σ(µ)",
                "signed, saturating",
                _lsb(f.Z_FRAC),
                f"±{(f.Z_MAX + 1) >> f.Z_FRAC}",
            ),
            (
                "deviation of a stuck device",
                "in σ",
                "",
                f"an invalid read-back more than {f.STUCK_Z} σ from its target",
            ),
        ],
    )


def _likelihood() -> str:
    feature = _lsb(f.FEATURE_FRAC)
    top = f.FEATURE_MAX / (1 << f.FEATURE_FRAC)
    word = 1 + (f.ACC_MAX).bit_length()
    acc = (f.ACC_MAX + 1) >> f.LOGLIK_FRAC
    return markdown_table(
        HEAD,
        [
            ("feature, hidden activation", _signed(8), feature, f"±{top:g}, saturating"),
            (
                "coefficient",
                f"{f.COEF_BITS}-bit mantissa, right shift of 0 to 47",
                "",
                "γ is what the coefficient represents exactly",
            ),
            (
                "logit z",
                _signed(f.LOGIT_BITS),
                _lsb(f.LOGIT_FRAC),
                f"±{(f.LOGIT_MAX + 1) >> f.LOGIT_FRAC}, saturating",
            ),
            (
                "logit offset of a point",
                _signed(f.OFFSET_MAX.bit_length() + 1),
                _lsb(f.OFFSET_FRAC),
                f"±{(f.OFFSET_MAX + 1) >> f.OFFSET_FRAC}",
            ),
            (
                "term, running sum, log-prior, Hastings term",
                _signed(word),
                _lsb(f.LOGLIK_FRAC, "nat"),
                f"±{acc:,} nat, saturating",
            ),
            ("probability p, rounded p²", "unsigned", _lsb(f.PROB_FRAC), "0 to 1"),
            (
                "label",
                "code",
                "",
                f"{f.LABEL_NEGATIVE}: log sigmoid(−z); {f.LABEL_POSITIVE}: log sigmoid(z); "
                f"{f.LABEL_QUADRATIC}: −z²/2",
            ),
        ],
    )


def _functions() -> str:
    fine, coarse = 1 << spec_tables.LOGSIG_FINE_BITS, 1 << spec_tables.LOGSIG_COARSE_BITS
    knee, end = spec_tables.LOGSIG_KNEE, spec_tables.LOGSIG_END
    logistic = (
        f"{fine} segments per unit on [0, {knee}), {coarse} per unit on [{knee}, {end}), "
        f"{spec_tables.LOGSIG_SEGMENTS} in all"
    )
    return markdown_table(
        ("function", "linear segments", "one LSB", "beyond the table"),
        [
            ("−log sigmoid(a), a = magnitude of z", logistic, _lsb(f.LOGLIK_FRAC, "nat"), "0"),
            ("sigmoid(a)", "the same", _lsb(f.PROB_FRAC), "1"),
            (
                "log(1 + x), for −log u",
                f"{1 << spec_tables.NEG_LOG_SEGMENT_BITS} over the normalised mantissa x",
                _lsb(f.LOGLIK_FRAC, "nat"),
                "the leading zeros of u add multiples of log 2",
            ),
            (
                "inverse normal CDF",
                f"{1 << f.GAUSS_SUB_BITS} per octave, {spec_tables.GAUSS_NODES - 1} in all",
                _lsb(f.GAUSS_FRAC),
                "",
            ),
        ],
    )


def _coin() -> str:
    return markdown_table(
        ("quantity", "value"),
        [
            ("bits that one entropy device gives (a symbol)", str(f.SYMBOL_BITS)),
            ("bits of the uniform word u", str(f.COIN_BITS)),
            ("window of the adaptive proportion, bits", f"{spec_tables.APT_WINDOW:,}"),
            ("clean windows that a start needs", str(spec_tables.STARTUP_WINDOWS)),
            (
                "false alarms of the adaptive proportion, per window",
                f"below {power(-spec_tables.ALPHA_LOG2)}",
            ),
            (
                "false alarms of the repetition counts, per bit or symbol",
                f"below {power(-spec_tables.REPETITION_ALPHA_LOG2)}",
            ),
        ],
    )


def _emulator() -> str:
    segment = f"{f.SEGMENTS} linear segments"
    return markdown_table(
        HEAD,
        [
            (
                "median over the DAC code",
                segment,
                _lsb(f.MEDIAN_FRAC, "code"),
                f"0 to {_us((f.CODE_MAX + 1) * f.CODE_LSB_US)}",
            ),
            ("σ over the median", segment, _lsb(f.SIGMA_FRAC, "code"), ""),
            ("standard normal", "signed", _lsb(f.GAUSS_FRAC), "from 32 bits of the generator"),
            (
                "device-to-device spread",
                "fraction of the median",
                _lsb(f.D2D_FRAC),
                "",
            ),
            (
                "age: gain of the median, of σ",
                "unsigned",
                f"{_lsb(f.MEDIAN_GAIN_FRAC)}, {_lsb(f.SIGMA_GAIN_FRAC)}",
                "",
            ),
            ("share of stuck devices", "unsigned", _lsb(f.STUCK_BITS), "0 to 1"),
            ("code after RESET", "code", _us(f.CODE_LSB_US), str(f.HRS_CODE)),
            ("rounds of Threefry-2x32", "", "", str(f.THREEFRY_ROUNDS)),
        ],
    )


def _geometry() -> str:
    g = geometry.REFERENCE
    limits = {name: f"{low:,} to {high:,}" for name, (low, high) in LIMITS.items()}
    shift = LIMITS["dot_shift"]
    return markdown_table(
        ("parameter", "reference", "choices"),
        [
            ("rows", str(g.rows), limits["rows"]),
            ("pairs of a row", str(g.pairs), limits["pairs"]),
            ("entropy pairs of a row", str(g.entropy_pairs), "1 to pairs − 1"),
            ("rows of a group", str(g.row_group), f"{limits['row_group']}: hidden units + 1"),
            (
                "regions (chains)",
                str(g.regions),
                f"{limits['regions']}, each with 4 row groups or more",
            ),
            (
                "input bits per access",
                str(g.access_bits),
                ", ".join(str(bits) for bits in geometry.ACCESS_BITS),
            ),
            ("pairs per access (tile)", "all", "1 to pairs"),
            (
                "converter",
                "full resolution",
                f"{limits['dot_bits']} bits, LSB {power(shift[0])} to {power(shift[1])}",
            ),
        ],
    )


def tables() -> dict[str, str]:
    """Name of a table in the page → its text."""
    return {
        "geometry": _geometry(),
        "devices": _devices(),
        "proposal": _proposal(),
        "likelihood": _likelihood(),
        "functions": _functions(),
        "coin": _coin(),
        "emulator": _emulator(),
    }
