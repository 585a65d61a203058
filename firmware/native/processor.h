// The board's processor in software.
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdint.h>

void processor_load(const uint8_t *image, uint32_t bytes);
void processor_restart(void);
uint32_t processor_step(void); // executes one instruction; returns its clocks
uint64_t processor_instructions(void);
uint32_t processor_stack(void); // largest depth since the restart, in bytes

#endif // PROCESSOR_H
