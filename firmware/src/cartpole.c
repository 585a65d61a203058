#include "cartpole.h"

#include "spec_cartpole.h"
#include "threefry.h"

// a × b >> shift, rounded half up, as everywhere in the controller. All operands fit 32 bits, so
// that a 32 × 32 multiplication suffices; the processor takes one clock for each bit of it.
static inline int32_t times(int32_t a, int32_t b, uint32_t shift)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << (shift - 1))) >> shift);
}

// -- the beginning -------------------------------------------------------------------------------
static inline int32_t uniform(uint32_t word)
{
    return (int32_t)((uint64_t)word * (2u * INITIAL + 1u) >> 32) - (int32_t)INITIAL;
}

struct cartpole cartpole_begin(uint32_t seed, uint32_t episode)
{
    const struct threefry_words cart = threefry2x32(seed, CARTPOLE_KEY, episode, 0);
    const struct threefry_words pole = threefry2x32(seed, CARTPOLE_KEY, episode, 1);
    return (struct cartpole){
        .x = uniform(cart.first),
        .speed = uniform(cart.second),
        .angle = uniform(pole.first),
        .rate = uniform(pole.second),
    };
}

// -- the policy ----------------------------------------------------------------------------------
// A variable as an input of the array
static inline int32_t input(int32_t variable, int32_t factor)
{
    const int32_t wanted = times(variable, factor, STATE_FRAC + INPUT_FRAC);
    const int32_t most = (int32_t)INPUT_MAX;
    return wanted > most ? most : wanted < -most ? -most : wanted;
}

bool cartpole_action(const struct cartpole *state, const int16_t weights[POLICY_INPUTS])
{
    int32_t sum = weights[0] * input(state->x, INPUT_X);
    sum += weights[1] * input(state->speed, INPUT_SPEED);
    sum += weights[2] * input(state->angle, INPUT_ANGLE);
    sum += weights[3] * input(state->rate, INPUT_RATE);
    sum += weights[4] * (int32_t)INPUT_BIAS;
    return sum > 0;
}

// -- the dynamics --------------------------------------------------------------------------------
// Fraction bits: state STATE_FRAC; squares of the angle, cosine and coefficients COEF_FRAC
#define SQUARE_SHIFT (2u * STATE_FRAC - COEF_FRAC)

static inline int32_t sine(int32_t angle, int32_t square)
{
    const int32_t inner = SIN1 + times(square, SIN2, COEF_FRAC);
    return angle + times(angle, times(square, inner, COEF_FRAC), COEF_FRAC);
}

static inline int32_t cosine(int32_t square)
{
    const int32_t inner = COS1 + times(square, COS2, COEF_FRAC);
    return (int32_t)COS0 + times(square, inner, COEF_FRAC);
}

// 1 / (length (4/3 - pole cos² / mass)), from sin²
static inline int32_t inverse(int32_t square)
{
    const int32_t inner = INVERSE1 + times(square, INVERSE2, COEF_FRAC);
    return (int32_t)INVERSE0 + times(square, inner, COEF_FRAC);
}

static inline int32_t moved(int32_t value, int32_t speed)
{
    return value + times(speed, INTERVAL, INTERVAL_FRAC);
}

void cartpole_step(struct cartpole *state, bool right)
{
    const int32_t square = times(state->angle, state->angle, SQUARE_SHIFT);
    const int32_t sin = sine(state->angle, square);
    const int32_t cos = cosine(square);
    const int32_t swing = times(times(state->rate, POLE, COEF_FRAC), state->rate, STATE_FRAC);
    const int32_t push = right ? (int32_t)PUSH : -(int32_t)PUSH;
    const int32_t thrust = push + times(swing, sin, STATE_FRAC);
    const int32_t torque = times(sin, GRAVITY, STATE_FRAC) - times(cos, thrust, COEF_FRAC);
    const int32_t turn = times(torque, inverse(times(sin, sin, SQUARE_SHIFT)), COEF_FRAC);
    const int32_t pull = thrust - times(times(turn, cos, COEF_FRAC), POLE, COEF_FRAC);
    state->x = moved(state->x, state->speed);
    state->speed = moved(state->speed, pull);
    state->angle = moved(state->angle, state->rate);
    state->rate = moved(state->rate, turn);
}

static inline bool beyond(int32_t value, int32_t limit)
{
    return value > limit || value < -limit;
}

bool cartpole_fallen(const struct cartpole *state)
{
    return beyond(state->x, (int32_t)X_LIMIT) || beyond(state->angle, (int32_t)ANGLE_LIMIT);
}

// -- the log-likelihood --------------------------------------------------------------------------
// log2 of a positive number, LOG2_FRAC fraction bits, rounded down. One squaring gives one digit.
static uint32_t log2_of(uint32_t number)
{
    uint32_t result = 31;
    for (; (number & 0x80000000u) == 0; number <<= 1)
        result--;
    for (uint32_t digit = 0; digit < LOG2_FRAC; digit++) {
        const uint64_t square = (uint64_t)number * number >> 31;
        const uint32_t carry = (uint32_t)(square >> 32);
        number = (uint32_t)(square >> carry);
        result = result << 1 | carry;
    }
    return result;
}

int32_t cartpole_log_likelihood(uint32_t steps, uint32_t episodes, uint32_t scale)
{
    return times((int32_t)(log2_of(steps) - log2_of(episodes)), (int32_t)scale,
                 LOG2_FRAC + SCALE_FRAC - LOGLIK_FRAC);
}
