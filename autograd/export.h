#pragma once

// Marks what a shared tapegrad library shows to its users; everything else is hidden.
#define TAPEGRAD_API __attribute__((visibility("default")))
