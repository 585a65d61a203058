// The parts of the model: the bus (hal_native.c) and the controller behind it (controller.c).
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "hal.h"

#define ROWS OHMCARLO__ID__ROWS__VALUE_reset
#define DEVICES (2u * OHMCARLO__ID__PAIRS__VALUE_reset)

// hal_native.c
void bus_reset(void);
uint32_t bus_value(uint32_t at);  // value that was written to a register of the controller
uint32_t *bus_place(uint32_t at); // the same, writable
uint64_t bus_clock(void);
bool bus_record(uint32_t word); // false: the ring is full
void unsafe(const char *reason);

// controller.c
void controller_reset(void);
void controller_work(uint64_t clock); // advances the controller to this clock
bool controller_busy(void);
bool controller_started(void);
bool controller_hangs(void); // the present operation or step is never answered
uint32_t controller_state(void);
bool controller_answers(uint32_t at, uint32_t *value); // registers that the controller drives
void controller_command(uint32_t strobes);
void controller_shows(uint32_t at, uint32_t *word); // words of windows that it keeps
void controller_takes(uint32_t at, uint32_t word);

#endif // MODEL_H
