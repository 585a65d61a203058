#include "platform.h"

void put_character(char character)
{
    CONSOLE_CHARACTER = (uint32_t)(uint8_t)character;
}

int main(void)
{
    CONSOLE_EXIT = (uint32_t)program();
    return 0;
}
