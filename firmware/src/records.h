// Words of the record stream, from the board's ring to RECORDS messages. When no message can be
// sent the ring fills and the controller waits: that is the flow control.
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>

void records_poll(void);
bool records_waiting(void); // words wait in the ring
void records_drop(void);    // throws them away

#endif // RECORDS_H
