// The one thing that is used of Debian's libcrypto (libssl-dev): SHA-256 in one go.
#pragma once
// The plain calls, not EVP's: they look up no provider and cost a fifth for short texts.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

static inline void ccrypto_sha256(
    const void *_Nullable bytes, unsigned long count, unsigned char *_Nonnull digest) {
  SHA256_CTX context;
  SHA256_Init(&context);
  if (count) SHA256_Update(&context, bytes, count);
  SHA256_Final(digest, &context);
}
