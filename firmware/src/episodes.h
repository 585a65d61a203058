// Episodes of cartpole under a linear policy. Each poll runs a few steps. The episodes serve a
// request of the host (EPISODE), which is answered at their end, or a proposal of the chain that
// waits for its log-likelihood (POLICY).
#ifndef EPISODES_H
#define EPISODES_H

#include <stdbool.h>

#include "handler.h"

void episodes_reset(void);

handler episodes_request;
handler episodes_policy;

bool episodes_busy(void);
void episodes_poll(void);

#endif // EPISODES_H
