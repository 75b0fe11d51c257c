// YAML as a flat run of events, over Debian's libyaml (0.2.5).
//
// A tree of nodes, as libraries for Swift make it, would refuse duplicate keys that LiteLLM's parser
// accepts, and needs several times the memory. A node of a list of a million deployments must be
// cheap.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cyaml_kind {
  CYAML_END = 0,  // of the stream
  CYAML_DOCUMENT_START,
  CYAML_DOCUMENT_END,
  CYAML_SCALAR,
  CYAML_ALIAS,
  CYAML_SEQUENCE_START,
  CYAML_SEQUENCE_END,
  CYAML_MAPPING_START,
  CYAML_MAPPING_END,
  CYAML_ERROR,
};

// What one step saw. The pointers are valid until the next step.
struct cyaml_event {
  int32_t kind;
  bool is_plain;         // a scalar without quotes and tag: its form tells its type
  bool has_form;         // a scalar in quotes or in a block: it may hold any white space
  const uint8_t *value;  // of a scalar, not terminated
  size_t value_count;
  const char *anchor;  // of any node, or the alias's target; may be null
  const char *tag;     // an explicit one; may be null
  const char *problem;  // of an error
  size_t start, end;    // of a scalar: its bytes in the text, quotes and all
  size_t line;          // from 1
  size_t column;        // from 1
};

typedef struct cyaml_reader cyaml_reader;

// Reads `count` bytes of UTF-8 without byte order mark, which stay valid as long as the reader.
// Null where there is no memory.
cyaml_reader *cyaml_open(const uint8_t *bytes, size_t count);

// Fills in the next event. After an error or the end, the same again.
void cyaml_next(cyaml_reader *reader, struct cyaml_event *event);

void cyaml_close(cyaml_reader *reader);
