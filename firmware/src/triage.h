// Answers of the processor (command TRIAGE): it takes the sums of a prediction from the record
// ring, answers each point, and sends the host only the points whose doubt reaches a threshold.
#ifndef TRIAGE_H
#define TRIAGE_H

#include <stdbool.h>

#include "handler.h"

void triage_reset(void);

handler triage_answers;

// Call it before the controller predicts the data memory: `thresholds` is the argument of TRIAGE
void triage_begin(uint32_t thresholds);
bool triage_active(void);
bool triage_waiting(void); // records or doubtful points wait
void triage_end(void);

// Replaces records_poll() while a triage is active
void triage_poll(void);

#endif // TRIAGE_H
