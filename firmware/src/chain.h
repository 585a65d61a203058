// Commands of the controller, and the end of those that take time.
#ifndef CHAIN_H
#define CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "handler.h"

void chain_reset(void);

handler chain_command;

// The controller works, or a command has not been reported as finished yet
bool chain_busy(void);

// A proposal waits for its log-likelihood, and its record is complete; to be asked in every poll
bool chain_proposal_waits(void);
bool chain_waits_external(void);
void chain_give_external(uint32_t loglik);

// Reports the end of a command, once all of its records are out
void chain_poll(void);

// Brings whatever goes on to its end and drops its records; true: nothing goes on any more
bool chain_quiet(void);

#endif // CHAIN_H
