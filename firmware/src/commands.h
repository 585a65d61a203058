// Requests of the host: each is checked, executed and answered.
#ifndef COMMANDS_H
#define COMMANDS_H

#include "link.h"

// Identification of board and firmware, IDENTIFICATION_bytes long
void commands_identify(uint8_t *identification);

// Executes the request and writes the answer
void commands_execute(struct link_request request);

#endif // COMMANDS_H
