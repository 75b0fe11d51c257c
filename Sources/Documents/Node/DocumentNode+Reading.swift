extension DocumentNode {
  /// Reads one strict JSON document, such as a line of a trace; keys keep their order.
  ///
  /// `line` is the number of the text's first line within `file`. Throws one problem with line and
  /// column. Bounds: `maximumDepth` levels, whole numbers of 4,300 digits (Python's own bound).
  public static func parse(
    json: String, file: String = "json", line: Int = 1
  ) throws(DocumentError) -> DocumentNode {
    try JSONReader.read(json, file: file, line: line)
  }

  /// Reads one YAML document, typed as PyYAML's safe loader does; one that is empty is null.
  ///
  /// Throws one problem with its line, and its column where it is one of syntax. Bounds:
  /// `maximumDepth` levels; aliases that stand for 10,000,000 values in all.
  public static func parse(yaml: String, file: String = "yaml") throws(DocumentError)
    -> DocumentNode
  {
    try parse(utf8: Array(yaml.utf8), file: file, offset: 0)
  }

  /// Reads one YAML document from a file's bytes, which have to be UTF-8.
  ///
  /// The nodes' lines count from `offset` + 1, for a file that is part of a larger document; problems
  /// have the file's own lines.
  public static func parse(
    yaml bytes: [UInt8], file: String = "yaml", offset: Int = 0
  ) throws(DocumentError) -> DocumentNode {
    // Judged in place: the text of a large file is not held twice.
    guard (try? UTF8Span(validating: bytes.span)) != nil else {
      let (line, column) = firstIllFormed(bytes)
      let problem = DocumentProblem(
        file: file, line: line, column: column, keyPath: "",
        message: encodingComplaint(bytes))
      throw DocumentError(problems: [problem])
    }
    return try parse(utf8: bytes, file: file, offset: offset)
  }

  private static func parse(
    utf8 bytes: [UInt8], file: String, offset: Int
  ) throws(DocumentError) -> DocumentNode {
    // Python drops a byte order mark too.
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    guard start < bytes.count else { return DocumentNode(.null, line: offset + 1) }
    return try YAMLComposer.compose(bytes[start...], file: file, offset: offset)
      ?? DocumentNode(.null, line: offset + 1)
  }

  /// A guess at the encoding of bytes that are not UTF-8.
  private static func encodingComplaint(_ bytes: [UInt8]) -> String {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      return "the file is UTF-16: save it as UTF-8"
    }
    return bytes.prefix(8_192).contains(0)
      ? "the file is not a text, it has bytes of zero: name the YAML file"
      : "the file is not UTF-8: save it as UTF-8"
  }

  private static func firstIllFormed(_ bytes: [UInt8]) -> (line: Int, column: Int) {
    var line = 1
    var column = 1
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      column += 1
      if scalar == "\n" {
        line += 1
        column = 1
      }
    }
    return (line, column)
  }
}
