#include "CYAMLEvents.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct cyaml_reader {
  yaml_parser_t parser;
  yaml_event_t event;
  const uint8_t *bytes;
  size_t count;
  bool has_event;
  bool is_over;
};

cyaml_reader *cyaml_open(const uint8_t *bytes, size_t count) {
  cyaml_reader *reader = calloc(1, sizeof *reader);
  if (!reader) return NULL;
  if (!yaml_parser_initialize(&reader->parser)) {
    free(reader);
    return NULL;
  }
  reader->bytes = bytes;
  reader->count = count;
  yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reader->parser, bytes, count);
  return reader;
}

static void drop_event(cyaml_reader *reader) {
  if (reader->has_event) yaml_event_delete(&reader->event);
  reader->has_event = false;
}

static void fail(cyaml_reader *reader, struct cyaml_event *out) {
  const yaml_parser_t *parser = &reader->parser;
  reader->is_over = true;
  out->kind = CYAML_ERROR;
  out->problem = parser->problem ? parser->problem : "there is no memory left";
  out->line = parser->problem_mark.line + 1;
  out->column = parser->problem_mark.column + 1;
  if (parser->error != YAML_READER_ERROR) return;
  // The byte reader knows an offset only.
  size_t end = parser->problem_offset < reader->count ? parser->problem_offset : reader->count;
  out->line = 1;
  out->column = 1;
  for (size_t index = 0; index < end; index++) {
    if (reader->bytes[index] == '\n') {
      out->line++;
      out->column = 1;
    } else if ((reader->bytes[index] & 0xC0) != 0x80) {
      out->column++;
    }
  }
}

void cyaml_next(cyaml_reader *reader, struct cyaml_event *out) {
  memset(out, 0, sizeof *out);
  out->kind = CYAML_END;
  if (reader->is_over) return;
  do {
    drop_event(reader);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
      fail(reader, out);
      return;
    }
    reader->has_event = true;
  } while (reader->event.type == YAML_STREAM_START_EVENT);
  const yaml_event_t *event = &reader->event;
  out->line = event->start_mark.line + 1;
  out->column = event->start_mark.column + 1;
  switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
      out->kind = CYAML_DOCUMENT_START;
      return;
    case YAML_DOCUMENT_END_EVENT:
      out->kind = CYAML_DOCUMENT_END;
      return;
    case YAML_ALIAS_EVENT:
      out->kind = CYAML_ALIAS;
      out->anchor = (const char *)event->data.alias.anchor;
      return;
    case YAML_SCALAR_EVENT:
      out->kind = CYAML_SCALAR;
      out->value = event->data.scalar.value;
      out->value_count = event->data.scalar.length;
      out->anchor = (const char *)event->data.scalar.anchor;
      out->tag = (const char *)event->data.scalar.tag;
      out->is_plain = event->data.scalar.plain_implicit;
      out->has_form = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
      out->start = event->start_mark.index;
      out->end = event->end_mark.index;
      return;
    case YAML_SEQUENCE_START_EVENT:
      out->kind = CYAML_SEQUENCE_START;
      out->anchor = (const char *)event->data.sequence_start.anchor;
      out->tag = (const char *)event->data.sequence_start.tag;
      return;
    case YAML_SEQUENCE_END_EVENT:
      out->kind = CYAML_SEQUENCE_END;
      return;
    case YAML_MAPPING_START_EVENT:
      out->kind = CYAML_MAPPING_START;
      out->anchor = (const char *)event->data.mapping_start.anchor;
      out->tag = (const char *)event->data.mapping_start.tag;
      return;
    case YAML_MAPPING_END_EVENT:
      out->kind = CYAML_MAPPING_END;
      return;
    default:
      reader->is_over = true;
      return;
  }
}

void cyaml_close(cyaml_reader *reader) {
  if (!reader) return;
  drop_event(reader);
  yaml_parser_delete(&reader->parser);
  free(reader);
}
