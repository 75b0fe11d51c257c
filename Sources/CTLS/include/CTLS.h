// OpenSSL (Debian's libssl) as a codec: bytes in, bytes out, no socket.
//
// A BIO of our own reads from the bytes that a recv brought and writes to a buffer that the caller
// sends. So no OpenSSL call blocks, touches a descriptor, or has to be repeated with the same
// arguments. Callers: one thread at a time per session; contexts are not changed once in use.
#ifndef BUDGETD_CTLS_H
#define BUDGETD_CTLS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct ssl_st;
struct ssl_ctx_st;

// Ciphertext to be sent: grows as needed, emptied by the caller; or lent by him, and then it does not grow.
struct ctls_output {
  unsigned char *_Nullable bytes;
  size_t used, room;
  bool is_lent;
};

struct ctls_session {
  struct ssl_st *_Nonnull ssl;
  // Borrowed for the length of one call.
  const unsigned char *_Nullable input;
  size_t input_left;
  struct ctls_output *_Nullable output;
};

enum ctls_kind {
  CTLS_OTHER,
  CTLS_NO_CERTIFICATE,
  CTLS_UNKNOWN_CA,
  CTLS_EXPIRED,
  CTLS_PURPOSE,
  CTLS_NAME,
  CTLS_PROTOCOL,
  CTLS_PLAINTEXT,
  CTLS_ALERT
};

// Why something failed: a kind to count by and OpenSSL's words.
struct ctls_failure {
  enum ctls_kind kind;
  char text[160];
};

// A fixed place for lines of names; longer ones are left out.
struct ctls_names {
  char lines[2048];
  size_t used;
};

enum ctls_client_certificates { CTLS_NOT_ASKED, CTLS_ASKED, CTLS_REQUIRED };
enum ctls_outcome { CTLS_GOES_ON, CTLS_ENDED, CTLS_FAILED };

// A server's context; NULL, and why, where its files are not what they have to be.
struct ssl_ctx_st *_Nullable ctls_server_context(const char *_Nonnull certificate, const char
    *_Nonnull key, const char *_Nullable client_ca, enum ctls_client_certificates clients, struct
    ctls_failure *_Nonnull failure);

// A client's context. `verifies`: whether the server's certificate has to lead to a trusted root, one of
// the file or folder, else of the system.
struct ssl_ctx_st *_Nullable ctls_client_context(const char *_Nullable ca_file, const char
    *_Nullable ca_folder, bool verifies, const char *_Nullable certificate, const char *_Nullable
    key, bool takes_1_2, struct ctls_failure *_Nonnull failure);

// Sessions keep what they need of it.
void ctls_context_free(struct ssl_ctx_st *_Nonnull context);

// When the context's own certificate ends, in Unix seconds; 0: it has none.
int64_t ctls_certificate_end(const struct ssl_ctx_st *_Nonnull context);

// When the first certificate of a file of them ends; 0: it has none.
int64_t ctls_file_end(const char *_Nonnull path);

struct ctls_session *_Nullable ctls_session_new(struct ssl_ctx_st *_Nonnull context);

void ctls_accept(struct ctls_session *_Nonnull session);

// `name`: a host name or an address in numbers that the certificate has to be for; NULL: any.
// `shown`: the host name that the server is told; NULL: none.
bool ctls_connect(struct ctls_session *_Nonnull session, const char *_Nullable name, const char
    *_Nullable shown);

void ctls_session_free(struct ctls_session *_Nonnull session);

// Takes in ciphertext, `count` bytes, and decrypts all of it to `place`, which has room for `count`
// bytes and two records more. Handshakes on the way, if that is not done. What has to be sent in
// answer is appended to `output`.
enum ctls_outcome ctls_open(struct ctls_session *_Nonnull session, const void *_Nullable bytes,
    size_t count, unsigned char *_Nonnull place, size_t room, size_t *_Nonnull opened, struct
    ctls_output *_Nonnull output, struct ctls_failure *_Nonnull failure);

// Encrypts `count` bytes to `output`.
bool ctls_seal(struct ctls_session *_Nonnull session, const void *_Nonnull bytes, size_t count,
    struct ctls_output *_Nonnull output, struct ctls_failure *_Nonnull failure);

// Says goodbye, once; not after a failure.
void ctls_shutdown(struct ctls_session *_Nonnull session, struct ctls_output *_Nonnull output);

bool ctls_is_established(const struct ctls_session *_Nonnull session);

// Whether part of a record has come and its end has not.
bool ctls_is_mid_record(const struct ctls_session *_Nonnull session);

// Appends `uri:NAME`, `dns:NAME` and `cn:NAME`, a line each, of a certificate that was verified.
void ctls_peer_names(const struct ctls_session *_Nonnull session, struct ctls_names *_Nonnull
    names);

const char *_Nonnull ctls_version(const struct ctls_session *_Nonnull session);

#endif
