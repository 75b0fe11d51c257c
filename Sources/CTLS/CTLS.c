#include "CTLS.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

static bool ctls_reserve(struct ctls_output *_Nonnull output, size_t count) {
  if (output->room - output->used >= count) return true;
  if (output->is_lent) return false;
  size_t room = output->room ? output->room : 4096;
  while (room - output->used < count) room *= 2;
  unsigned char *bytes = realloc(output->bytes, room);
  if (!bytes) return false;
  output->bytes = bytes;
  output->room = room;
  return true;
}

// Each thread has one queue of errors, and SSL_get_error looks at it: another's must not count. It is
// empty almost always, and emptying it costs more than looking.
static void ctls_forget_errors(void) {
  if (ERR_peek_error()) ERR_clear_error();
}

// --- the BIO

static int ctls_bio_read(BIO *_Nonnull bio, char *_Nonnull place, size_t room, size_t *_Nonnull got) {
  struct ctls_session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (!session || !session->input_left) {
    BIO_set_retry_read(bio);
    *got = 0;
    return 0;
  }
  *got = room < session->input_left ? room : session->input_left;
  memcpy(place, session->input, *got);
  session->input += *got;
  session->input_left -= *got;
  return 1;
}

static int ctls_bio_write(BIO *_Nonnull bio, const char *_Nonnull bytes, size_t count, size_t *_Nonnull taken) {
  struct ctls_session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *taken = 0;
  if (!session || !session->output || !ctls_reserve(session->output, count)) return 0;
  memcpy(session->output->bytes + session->output->used, bytes, count);
  session->output->used += count;
  *taken = count;
  return 1;
}

static long ctls_bio_ctrl(BIO *_Nonnull bio, int command, long number, void *_Nullable pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static int ctls_bio_create(BIO *_Nonnull bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// Made once and kept for as long as the process lives.
static BIO_METHOD *ctls_method;
static pthread_once_t ctls_once = PTHREAD_ONCE_INIT;
static void ctls_make_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ctls");
  if (!method) return;
  BIO_meth_set_read_ex(method, ctls_bio_read);
  BIO_meth_set_write_ex(method, ctls_bio_write);
  BIO_meth_set_ctrl(method, ctls_bio_ctrl);
  BIO_meth_set_create(method, ctls_bio_create);
  ctls_method = method;
}

// --- failures

static void ctls_say(struct ctls_failure *_Nonnull failure, enum ctls_kind kind, const char *_Nullable text) {
  failure->kind = kind;
  strncpy(failure->text, text ? text : "unknown", sizeof failure->text - 1);
  failure->text[sizeof failure->text - 1] = 0;
}

// The first of the errors that this thread's last call left behind.
static void ctls_explain(struct ctls_failure *_Nonnull failure) {
  unsigned long code = ERR_peek_error();
  int reason = ERR_GET_REASON(code);
  enum ctls_kind kind = CTLS_OTHER;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: kind = CTLS_NO_CERTIFICATE; break;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE: kind = CTLS_PROTOCOL; break;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG: kind = CTLS_PLAINTEXT; break;
    default:
      if (reason > SSL_AD_REASON_OFFSET) kind = CTLS_ALERT;
    }
  }
  const char *text = "the other side broke off";
  // OpenSSL has no words for what the system refused: a file that is not there, above all.
  if (code) text = ERR_SYSTEM_ERROR(code) ? strerror(reason) : ERR_reason_error_string(code);
  ctls_say(failure, kind, text);
}

static void ctls_explain_certificate(struct ctls_failure *_Nonnull failure, long result) {
  enum ctls_kind kind = CTLS_UNKNOWN_CA;
  switch (result) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID: kind = CTLS_EXPIRED; break;
  case X509_V_ERR_INVALID_PURPOSE: kind = CTLS_PURPOSE; break;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: kind = CTLS_NAME; break;
  default: break;
  }
  ctls_say(failure, kind, X509_verify_cert_error_string(result));
}

// --- contexts

// A key with a password is refused rather than asked for on the terminal.
static int ctls_no_password(char *_Nullable place, int size, int writing, void *_Nullable data) {
  (void)place, (void)size, (void)writing, (void)data;
  return -1;
}

static bool ctls_use_identity(
    SSL_CTX *_Nonnull context, const char *_Nonnull certificate, const char *_Nonnull key) {
  SSL_CTX_set_default_passwd_cb(context, ctls_no_password);
  return SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
         SSL_CTX_check_private_key(context) == 1;
}

static SSL_CTX *_Nullable ctls_context(const SSL_METHOD *_Nonnull method, int least_version) {
  SSL_CTX *context = SSL_CTX_new(method);
  if (!context) return NULL;
  SSL_CTX_set_min_proto_version(context, least_version);
  // Connections live for hours: tickets would save little, and outlive a CA that was taken away.
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(
      context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return context;
}

SSL_CTX *_Nullable ctls_server_context(
    const char *_Nonnull certificate, const char *_Nonnull key, const char *_Nullable client_ca,
    enum ctls_client_certificates clients, struct ctls_failure *_Nonnull failure) {
  ERR_clear_error();
  SSL_CTX *context = ctls_context(TLS_server_method(), TLS1_3_VERSION);
  if (context && ctls_use_identity(context, certificate, key)) {
    SSL_CTX_set_num_tickets(context, 0);
    // Without it a client that tries to resume fails hard where certificates are asked for.
    static const unsigned char name[] = "budgetd";
    SSL_CTX_set_session_id_context(context, name, sizeof name - 1);
    if (!client_ca) return context;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(client_ca);
    if (names && SSL_CTX_load_verify_locations(context, client_ca, NULL) == 1) {
      SSL_CTX_set_client_CA_list(context, names);
      SSL_CTX_set_verify(
          context,
          clients == CTLS_NOT_ASKED ? SSL_VERIFY_NONE
          : clients == CTLS_ASKED   ? SSL_VERIFY_PEER
                                    : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
          NULL);
      return context;
    }
    if (names) sk_X509_NAME_pop_free(names, X509_NAME_free);
  }
  ctls_explain(failure);
  SSL_CTX_free(context);
  return NULL;
}

SSL_CTX *_Nullable ctls_client_context(
    const char *_Nullable ca_file, const char *_Nullable ca_folder, bool verifies,
    const char *_Nullable certificate, const char *_Nullable key, bool takes_1_2,
    struct ctls_failure *_Nonnull failure) {
  ERR_clear_error();
  SSL_CTX *context = ctls_context(TLS_client_method(), takes_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
  bool is_fine = context && (!certificate || !key || ctls_use_identity(context, certificate, key));
  if (is_fine && verifies) {
    is_fine = ca_file || ca_folder ? SSL_CTX_load_verify_locations(context, ca_file, ca_folder) == 1
                                   : SSL_CTX_set_default_verify_paths(context) == 1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  }
  if (is_fine) return context;
  ctls_explain(failure);
  SSL_CTX_free(context);
  return NULL;
}

static int64_t ctls_end(const ASN1_TIME *_Nullable end) {
  struct tm parts;
  memset(&parts, 0, sizeof parts);
  return end && ASN1_TIME_to_tm(end, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}
int64_t ctls_certificate_end(const SSL_CTX *_Nonnull context) {
  X509 *certificate = SSL_CTX_get0_certificate(context);
  return certificate ? ctls_end(X509_get0_notAfter(certificate)) : 0;
}

int64_t ctls_file_end(const char *_Nonnull path) {
  int64_t first = 0;
  BIO *file = BIO_new_file(path, "r");
  if (!file) return 0;
  X509 *certificate;
  while ((certificate = PEM_read_bio_X509(file, NULL, ctls_no_password, NULL))) {
    int64_t end = ctls_end(X509_get0_notAfter(certificate));
    if (end && (!first || end < first)) first = end;
    X509_free(certificate);
  }
  BIO_free(file);
  ERR_clear_error();
  return first;
}

// --- sessions

struct ctls_session *_Nullable ctls_session_new(
    SSL_CTX *_Nonnull context) {
  pthread_once(&ctls_once, ctls_make_method);
  if (!ctls_method) return NULL;
  struct ctls_session *session = calloc(1, sizeof *session);
  SSL *ssl = session ? SSL_new(context) : NULL;
  BIO *bio = ssl ? BIO_new(ctls_method) : NULL;
  if (!bio) {
    SSL_free(ssl);
    free(session);
    return NULL;
  }
  session->ssl = ssl;
  BIO_set_data(bio, session);
  SSL_set_bio(ssl, bio, bio);
  return session;
}

void ctls_accept(struct ctls_session *_Nonnull session) { SSL_set_accept_state(session->ssl); }

bool ctls_connect(
    struct ctls_session *_Nonnull session, const char *_Nullable name, const char *_Nullable shown) {
  SSL_set_connect_state(session->ssl);
  if (shown && SSL_set_tlsext_host_name(session->ssl, shown) != 1) return false;
  if (!name) return true;
  // OpenSSL takes an empty name for none, and then verifies none.
  if (!*name) return false;
  X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1 ||
         X509_VERIFY_PARAM_set1_host(rules, name, 0) == 1;
}

void ctls_context_free(SSL_CTX *_Nonnull context) { SSL_CTX_free(context); }

void ctls_session_free(struct ctls_session *_Nonnull session) {
  SSL_free(session->ssl);
  free(session);
}

static enum ctls_outcome ctls_judge(
    struct ctls_session *_Nonnull session, int result, struct ctls_failure *_Nonnull failure) {
  switch (SSL_get_error(session->ssl, result)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE: return CTLS_GOES_ON;
  case SSL_ERROR_ZERO_RETURN: return CTLS_ENDED;
  default:
    ctls_explain(failure);
    long verified = SSL_get_verify_result(session->ssl);
    if (verified != X509_V_OK && failure->kind != CTLS_ALERT &&
        SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE)
      ctls_explain_certificate(failure, verified);
    return CTLS_FAILED;
  }
}

// Takes in ciphertext, `count` bytes, and decrypts all of it to `place`, which has room for `count`
// bytes and one record more. Handshakes on the way, if that is not done. What has to be sent in
// answer is appended to `output`.
enum ctls_outcome ctls_open(
    struct ctls_session *_Nonnull session, const void *_Nullable bytes, size_t count,
    unsigned char *_Nonnull place, size_t room, size_t *_Nonnull opened,
    struct ctls_output *_Nonnull output, struct ctls_failure *_Nonnull failure) {
  enum ctls_outcome outcome = CTLS_GOES_ON;
  session->input = bytes;
  session->input_left = count;
  session->output = output;
  *opened = 0;
  ctls_forget_errors();
  if (!SSL_is_init_finished(session->ssl)) {
    int result = SSL_do_handshake(session->ssl);
    if (result != 1) outcome = ctls_judge(session, result, failure);
  }
  if (outcome == CTLS_GOES_ON && SSL_is_init_finished(session->ssl)) {
    while (*opened < room) {
      size_t got = 0;
      int result = SSL_read_ex(session->ssl, place + *opened, room - *opened, &got);
      *opened += got;
      if (result != 1) {
        outcome = ctls_judge(session, result, failure);
        break;
      }
      // Nothing is left to ask for: the question alone costs a third of an answer.
      if (!session->input_left && !SSL_has_pending(session->ssl)) break;
    }
  }
  if (outcome == CTLS_GOES_ON && session->input_left) {
    // More than fits: the caller's room was too small, and the rest would be lost.
    ctls_say(failure, CTLS_OTHER, "too much at once");
    outcome = CTLS_FAILED;
  }
  session->input = NULL;
  session->input_left = 0;
  session->output = NULL;
  return outcome;
}

bool ctls_seal(
    struct ctls_session *_Nonnull session, const void *_Nonnull bytes, size_t count,
    struct ctls_output *_Nonnull output, struct ctls_failure *_Nonnull failure) {
  session->output = output;
  size_t done = 0;
  bool is_fine = true;
  ctls_forget_errors();
  while (done < count) {
    size_t taken = 0;
    if (SSL_write_ex(session->ssl, (const char *)bytes + done, count - done, &taken) != 1) {
      ctls_explain(failure);
      is_fine = false;
      break;
    }
    done += taken;
  }
  session->output = NULL;
  return is_fine;
}

void ctls_shutdown(
    struct ctls_session *_Nonnull session, struct ctls_output *_Nonnull output) {
  session->output = output;
  ctls_forget_errors();
  if (SSL_is_init_finished(session->ssl)) SSL_shutdown(session->ssl);
  ctls_forget_errors();
  session->output = NULL;
}

bool ctls_is_established(const struct ctls_session *_Nonnull session) {
  return SSL_is_init_finished(session->ssl);
}

bool ctls_is_mid_record(const struct ctls_session *_Nonnull session) {
  return SSL_has_pending(session->ssl);
}

// --- names of the other side's certificate

static void ctls_add_name(
    struct ctls_names *_Nonnull names, const char *_Nonnull kind, const ASN1_STRING *_Nonnull text) {
  const unsigned char *bytes = ASN1_STRING_get0_data(text);
  size_t length = (size_t)ASN1_STRING_length(text), lead = strlen(kind);
  // A zero byte or a line's end could make one name look like another; a pattern is nobody's name.
  for (size_t index = 0; index < length; index++)
    if (bytes[index] < 0x21 || bytes[index] == 0x7F || bytes[index] == '*') return;
  if (!length || names->used + lead + length + 1 > sizeof names->lines) return;
  memcpy(names->lines + names->used, kind, lead);
  memcpy(names->lines + names->used + lead, bytes, length);
  names->used += lead + length;
  names->lines[names->used++] = '\n';
}

void ctls_peer_names(
    const struct ctls_session *_Nonnull session, struct ctls_names *_Nonnull names) {
  X509 *certificate = SSL_get0_peer_certificate(session->ssl);
  if (!certificate || SSL_get_verify_result(session->ssl) != X509_V_OK) return;
  GENERAL_NAMES *others = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  for (int index = 0; others && index < sk_GENERAL_NAME_num(others); index++) {
    const GENERAL_NAME *other = sk_GENERAL_NAME_value(others, index);
    if (other->type == GEN_URI) ctls_add_name(names, "uri:", other->d.uniformResourceIdentifier);
    if (other->type == GEN_DNS) ctls_add_name(names, "dns:", other->d.dNSName);
  }
  GENERAL_NAMES_free(others);
  X509_NAME *subject = X509_get_subject_name(certificate);
  int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  // Two common names are no name: which one counts is anybody's guess.
  if (first >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, first) < 0) {
    unsigned char *text = NULL;
    ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first));
    int length = ASN1_STRING_to_UTF8(&text, name);
    if (length >= 0) {
      ASN1_STRING *plain = ASN1_STRING_new();
      if (plain && ASN1_STRING_set(plain, text, length)) ctls_add_name(names, "cn:", plain);
      ASN1_STRING_free(plain);
      OPENSSL_free(text);
    }
  }
  ERR_clear_error();
}

const char *_Nonnull ctls_version(const struct ctls_session *_Nonnull session) {
  return SSL_get_version(session->ssl);
}
