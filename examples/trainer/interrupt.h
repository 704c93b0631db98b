#pragma once

namespace trainer {

// From now on the first SIGINT, SIGTERM or SIGHUP only asks for an end; the next one ends the process at
// once.
void catch_interrupts();
// The signal that asked for an end, or 0.
int interrupted();

}  // namespace trainer
