// Episodes of cartpole under a linear policy. They run a few steps at a time between other work:
// for a request of the host (EPISODE), whose answer comes when they are over; and for a proposal of
// the chain that waits for its log-likelihood (POLICY), which is given then.
#ifndef EPISODES_H
#define EPISODES_H

#include <stdbool.h>

#include "handler.h"

void episodes_reset(void);

handler episodes_request;
handler episodes_policy;

bool episodes_judge(void); // whether proposals are judged here
bool episodes_busy(void);
void episodes_poll(void);

#endif // EPISODES_H
