// Episodes of cartpole under a linear policy: EPISODE. They run a few steps at a time between other
// work; the answer comes when they are over.
#ifndef EPISODES_H
#define EPISODES_H

#include <stdbool.h>

#include "handler.h"

void episodes_reset(void);

handler episodes_request;

bool episodes_busy(void);
void episodes_poll(void);

#endif // EPISODES_H
