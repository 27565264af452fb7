// Compiled once for every installed header, alone, as C++.
#include HEADER

#include HEADER // twice: it guards itself
