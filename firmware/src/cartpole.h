// CartPole-v1 in integers; twin of ohmcarlo.golden.cartpole, constants from ohmcarlo.spec.cartpole.
#ifndef CARTPOLE_H
#define CARTPOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "spec_cartpole.h"

// Position and speed of the cart, angle and angular speed of the pole; STATE_FRAC fraction bits
struct cartpole {
    int32_t x;
    int32_t speed;
    int32_t angle;
    int32_t rate;
};

struct cartpole cartpole_begin(uint32_t seed, uint32_t episode);

// Whether a linear policy pushes to the right
bool cartpole_action(const struct cartpole *state, const int16_t weights[POLICY_INPUTS]);

void cartpole_step(struct cartpole *state, bool right);

// Whether the state is beyond the limits, which ends the episode
bool cartpole_fallen(const struct cartpole *state);

// scale / log 2 · log(steps / episodes), signed, LOGLIK_FRAC fraction bits; scale as in POLICY
int32_t cartpole_log_likelihood(uint32_t steps, uint32_t episodes, uint32_t scale);

#endif // CARTPOLE_H
