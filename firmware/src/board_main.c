// The firmware on the board.
#include "firmware.h"

int main(void);

int main(void)
{
    firmware_start();
    for (;;)
        firmware_poll();
}
