#include "cartpole.h"

#include "spec_cartpole.h"
#include "threefry.h"

// a × b >> shift, rounded half up: the machine's one rounding rule
static inline int64_t times(int64_t a, int64_t b, uint32_t shift)
{
    return (a * b + ((int64_t)1 << (shift - 1))) >> shift;
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
bool cartpole_action(const struct cartpole *state, const int16_t weights[CARTPOLE_VARIABLES])
{
    const int64_t sum = (int64_t)weights[0] * state->x + (int64_t)weights[1] * state->speed +
                        (int64_t)weights[2] * state->angle + (int64_t)weights[3] * state->rate;
    return sum > 0;
}

// -- the dynamics --------------------------------------------------------------------------------
// Fraction bits: state STATE_FRAC; squares of the angle, cosine and coefficients COEF_FRAC
#define SQUARE_SHIFT (2u * STATE_FRAC - COEF_FRAC)

static inline int32_t sine(int32_t angle, int64_t square)
{
    const int64_t inner = SIN2 + times(square, SIN3, COEF_FRAC);
    const int64_t outer = SIN1 + times(square, inner, COEF_FRAC);
    return angle + (int32_t)times(angle, times(square, outer, COEF_FRAC), COEF_FRAC);
}

static inline int64_t cosine(int64_t square)
{
    const int64_t inner = COS2 + times(square, COS3, COEF_FRAC);
    const int64_t outer = COS1 + times(square, inner, COEF_FRAC);
    return COS0 + times(square, outer, COEF_FRAC);
}

// 1 / (length (4/3 - pole cos² / mass)), from sin²
static inline int64_t inverse(int64_t square)
{
    const int64_t inner = INVERSE2 + times(square, INVERSE3, COEF_FRAC);
    const int64_t outer = INVERSE1 + times(square, inner, COEF_FRAC);
    return INVERSE0 + times(square, outer, COEF_FRAC);
}

static inline int32_t moved(int32_t value, int64_t speed)
{
    return value + (int32_t)times(speed, INTERVAL, INTERVAL_FRAC);
}

void cartpole_step(struct cartpole *state, bool right)
{
    const int64_t square = times(state->angle, state->angle, SQUARE_SHIFT);
    const int64_t sin = sine(state->angle, square);
    const int64_t cos = cosine(square);
    const int64_t swing = times(times(state->rate, state->rate, STATE_FRAC), POLE, COEF_FRAC);
    const int64_t push = right ? (int64_t)PUSH : -(int64_t)PUSH;
    const int64_t thrust = push + times(swing, sin, STATE_FRAC);
    const int64_t torque = times(GRAVITY, sin, STATE_FRAC) - times(cos, thrust, COEF_FRAC);
    const int64_t turn = times(torque, inverse(times(sin, sin, SQUARE_SHIFT)), COEF_FRAC);
    const int64_t pull = thrust - times(times(turn, cos, COEF_FRAC), POLE, COEF_FRAC);
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
