import CYAMLEvents

/// One step through a YAML document.
enum YAMLEvent {
  case documentStart
  case documentEnd
  case scalar(YAMLScalarEvent)
  case alias(String)
  case sequenceStart(anchor: String?, tag: String?)
  case sequenceEnd
  case mappingStart(anchor: String?, tag: String?)
  case mappingEnd
  case end
  case failure(String)
}

/// A scalar as it stands in the document.
struct YAMLScalarEvent {
  var text: String
  /// Whether its form tells its type: no quotes, no tag.
  var isPlain: Bool
  /// Its range among the text's characters, quotes and all.
  var place: Range<Int>
  /// Whether it stands in quotes or in a block, where tabs are text.
  var holdsTabs: Bool
  var anchor: String?
  var tag: String?
}

/// Steps through a YAML document. This file is the only one that touches the C reader.
@safe struct YAMLEventReader: ~Copyable {
  private let reader: OpaquePointer
  /// The line and column that the last event starts on, from 1.
  private(set) var line = 1
  private(set) var column = 1

  /// Calls `body` with a reader of `text`, which is UTF-8 and stays in place for that long.
  static func with<Result>(
    _ text: ArraySlice<UInt8>, _ body: (inout YAMLEventReader) -> Result
  ) -> Result {
    unsafe text.withUnsafeBufferPointer { bytes in
      var reader = unsafe YAMLEventReader(bytes)
      return body(&reader)
    }
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let reader = unsafe cyaml_open(bytes.baseAddress, bytes.count) else {
      preconditionFailure("no memory for a YAML reader")
    }
    unsafe self.reader = reader
  }

  deinit { unsafe cyaml_close(reader) }

  /// The next event. After `end` or a failure: `end`.
  mutating func next() -> YAMLEvent {
    var event = unsafe cyaml_event()
    unsafe cyaml_next(reader, &event)
    line = unsafe Int(event.line)
    column = unsafe Int(event.column)
    let anchor = unsafe Self.text(event.anchor)
    let tag = unsafe Self.text(event.tag)
    switch unsafe cyaml_kind(UInt32(event.kind)) {
    case CYAML_DOCUMENT_START: return .documentStart
    case CYAML_DOCUMENT_END: return .documentEnd
    case CYAML_SCALAR:
      let bytes = unsafe UnsafeBufferPointer(start: event.value, count: event.value_count)
      return .scalar(
        YAMLScalarEvent(
          text: unsafe String(decoding: bytes, as: UTF8.self), isPlain: unsafe event.is_plain,
          place: unsafe Int(event.start)..<max(Int(event.start), Int(event.end)),
          holdsTabs: unsafe event.has_form, anchor: anchor, tag: tag))
    case CYAML_ALIAS: return .alias(anchor ?? "")
    case CYAML_SEQUENCE_START: return .sequenceStart(anchor: anchor, tag: tag)
    case CYAML_SEQUENCE_END: return .sequenceEnd
    case CYAML_MAPPING_START: return .mappingStart(anchor: anchor, tag: tag)
    case CYAML_MAPPING_END: return .mappingEnd
    case CYAML_ERROR: return .failure(unsafe Self.text(event.problem) ?? "unreadable")
    default: return .end
    }
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String? {
    guard let pointer = unsafe pointer else { return nil }
    return unsafe String(cString: pointer)
  }
}
