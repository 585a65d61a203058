// The firmware: started once, then polled forever.
#ifndef FIRMWARE_H
#define FIRMWARE_H

void firmware_start(void);
void firmware_poll(void);

#endif // FIRMWARE_H
