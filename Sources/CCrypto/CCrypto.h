// The one call that is used of Debian's libcrypto (libssl-dev): SHA-256 in one go.
#pragma once
#include <openssl/sha.h>
