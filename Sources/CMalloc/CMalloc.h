// malloc_trim, which Swift's Glibc module does not show.
#pragma once
#include <malloc.h>
