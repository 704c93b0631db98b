#include <nn/nn.h>

int main() {}
