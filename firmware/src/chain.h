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

// Reports the end of a command, once all of its records are out
void chain_poll(void);

// Brings whatever goes on to its end and drops its records; true: nothing goes on any more
bool chain_quiet(void);

#endif // CHAIN_H
