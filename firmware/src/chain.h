// Commands of the controller. Long commands (START, RUN, FLUSH, PREDICT) end with FINISHED.
#ifndef CHAIN_H
#define CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "handler.h"

void chain_reset(void);

handler chain_command;

// The controller is busy, or the end of a long command is not reported yet
bool chain_busy(void);

// The processor judges proposals of `inputs` features and no hidden units: EXTERNAL and other
// models are refused. 0: the host judges.
void chain_judge(uint32_t inputs);

// A proposal waits for its log-likelihood, and its record is complete. Call it in every poll.
bool chain_proposal_waits(void);
bool chain_waits_external(void);
void chain_give_external(uint32_t loglik);

// Reports the end of a long command after all of its records are sent
void chain_poll(void);

// Ends any activity and drops its records; if the array does not answer, everything is switched
// off. True: nothing is active.
bool chain_quiet(void);

#endif // CHAIN_H
