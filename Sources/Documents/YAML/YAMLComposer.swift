/// Builds the tree of one YAML document, typed and merged as PyYAML's safe loader does.
///
/// Bounds: `DocumentNode.maximumDepth` levels; aliases that stand for `maximumAliased` values in all.
/// Stops at the first error, as PyYAML does: what follows cannot be trusted.
struct YAMLComposer {
  /// How many values all aliases together may stand for, so that a few lines of aliases to aliases
  /// cannot make a document that nothing could walk through.
  static let maximumAliased = 10_000_000

  private static let tooDeep = "nested deeper than \(DocumentNode.maximumDepth) levels"

  private let file: String
  /// A number added to the text's lines, for a text that is part of a larger document.
  private let offset: Int
  private var tabs: YAMLTabs
  private var frames: [Frame] = []
  private var anchors: [String: Anchored] = [:]
  private var aliased = 0
  private var root: DocumentNode?

  /// A sequence or mapping under way.
  private struct Frame {
    var isMapping: Bool
    var anchor: String?
    var line: Int
    /// How many values there are so far, aliases expanded.
    var count = 1
    var nodes: [DocumentNode] = []
    var entries: [DocumentMapping.Entry] = []
    var merges: [DocumentNode] = []
    var key: Key?
  }

  private enum Key {
    case node(DocumentNode)
    case merge
  }

  private enum Anchored {
    case underWay
    case node(DocumentNode, count: Int)
  }

  /// The meaning of one scalar or alias.
  private enum Item {
    case node(DocumentNode, count: Int, anchor: String?)
    /// `<<`, which means something only as a key.
    case merge(line: Int)
    /// `=`, which is a text only as a key.
    case equals(line: Int)
  }

  private struct Failure: Error {
    var line: Int
    var column: Int?
    var message: String
  }

  private init(_ text: ArraySlice<UInt8>, file: String, offset: Int) {
    self.file = file
    self.offset = offset
    tabs = YAMLTabs(text)
  }

  /// The document in `text`, UTF-8 without byte order mark; its lines count from `offset` + 1. Nil:
  /// there is none, only comments.
  static func compose(
    _ text: ArraySlice<UInt8>, file: String, offset: Int = 0
  ) throws(DocumentError) -> DocumentNode? {
    let result = YAMLEventReader.with(text) { reader -> Result<DocumentNode?, DocumentError> in
      var composer = YAMLComposer(text, file: file, offset: offset)
      do throws(Failure) {
        return .success(try composer.run(&reader))
      } catch {
        let problem = DocumentProblem(
          file: file, line: error.line - offset, column: error.column, keyPath: "",
          message: error.message)
        return .failure(DocumentError(problems: [problem]))
      }
    }
    return try result.get()
  }

  private mutating func run(_ reader: inout YAMLEventReader) throws(Failure) -> DocumentNode? {
    var documents = 0
    while true {
      let event = reader.next()
      let line = reader.line + offset
      switch event {
      case .end:
        try refuse(tabs.refusedAtEnd())
        return root
      case .failure(let problem) where problem.hasPrefix("Maximum nesting"):
        // The C reader's own bound, which is higher, but it reads ahead.
        throw Failure(line: line, message: Self.tooDeep)
      case .failure(let problem):
        throw Failure(line: line, column: reader.column, message: "no valid YAML: \(problem)")
      case .documentStart:
        documents += 1
        if documents > 1 {
          throw Failure(
            line: line, column: reader.column,
            message: "a second document starts here: a configuration is one document")
        }
      case .documentEnd: break
      case .scalar(let scalar):
        try refuse(tabs.refused(upTo: scalar))
        try add(item(scalar, line: line), line: line)
      case .alias(let name): try add(alias(name, line: line), line: line)
      case .sequenceStart(let anchor, let tag):
        try open(isMapping: false, anchor: anchor, tag: tag, line: line)
      case .mappingStart(let anchor, let tag):
        try open(isMapping: true, anchor: anchor, tag: tag, line: line)
      case .sequenceEnd, .mappingEnd: try close(line: line)
      }
    }
  }

  private func refuse(_ tab: YAMLTabs.Place?) throws(Failure) {
    guard let tab else { return }
    throw Failure(
      line: tab.line + offset, column: tab.column,
      message: "no valid YAML: found a tab where no token can start, as PyYAML does: write a blank")
  }

  private func item(_ scalar: YAMLScalarEvent, line: Int) throws(Failure) -> Item {
    let value: DocumentNode.Value
    do throws(YAMLScalar.Refusal) {
      // A `!` alone is not a tag to PyYAML: the form tells the type, even within quotes.
      if let tag = scalar.tag, tag != "!" {
        if tag == "tag:yaml.org,2002:merge" { return .merge(line: line) }
        value = try YAMLScalar.tagged(scalar.text, tag: tag)
      } else if scalar.isPlain || scalar.tag != nil {
        if scalar.text == "<<" { return .merge(line: line) }
        if scalar.text == "=" { return .equals(line: line) }
        value = try YAMLScalar.plain(scalar.text)
      } else {
        value = .string(scalar.text)
      }
    } catch {
      throw Failure(line: line, message: error.message)
    }
    return .node(DocumentNode(value, line: line), count: 1, anchor: scalar.anchor)
  }

  private mutating func alias(_ name: String, line: Int) throws(Failure) -> Item {
    switch anchors[name] {
    case nil:
      throw Failure(line: line, message: "the alias *\(name) has no anchor before it")
    case .underWay:
      throw Failure(line: line, message: "the alias *\(name) stands inside its own anchor")
    case .node(let node, let count):
      aliased += count
      guard aliased <= Self.maximumAliased else {
        throw Failure(
          line: line,
          message: "with *\(name) the aliases stand for more than \(Self.maximumAliased) values")
      }
      return .node(node, count: count, anchor: nil)
    }
  }

  private mutating func open(
    isMapping: Bool, anchor: String?, tag: String?, line: Int
  ) throws(Failure) {
    let plainTag = isMapping ? "tag:yaml.org,2002:map" : "tag:yaml.org,2002:seq"
    if let tag, tag != "!", tag != plainTag {
      throw Failure(line: line, message: YAMLScalar.unknown(tag).message)
    }
    guard frames.count < DocumentNode.maximumDepth else {
      throw Failure(line: line, message: Self.tooDeep)
    }
    if frames.last?.isMapping == true, frames.last?.key == nil {
      throw Failure(
        line: line, message: "\(isMapping ? "a mapping" : "a list") cannot be a key: use a text")
    }
    if let anchor { anchors[anchor] = .underWay }
    frames.append(Frame(isMapping: isMapping, anchor: anchor, line: line))
  }

  private mutating func close(line: Int) throws(Failure) {
    guard let frame = frames.popLast() else { return }
    let node: DocumentNode
    if frame.isMapping {
      node = DocumentNode(.mapping(try mapping(frame)), line: frame.line)
    } else {
      node = DocumentNode(.sequence(frame.nodes), line: frame.line)
    }
    try add(.node(node, count: frame.count, anchor: frame.anchor), line: frame.line)
  }

  /// The mapping of a frame with what `<<` brings: of a list of mappings the first one's values
  /// count, so it comes last.
  private func mapping(_ frame: Frame) throws(Failure) -> DocumentMapping {
    guard !frame.merges.isEmpty else { return DocumentMapping(frame.entries) }
    var sources: [DocumentMapping] = []
    var inherited: [DocumentMapping.Entry] = []
    for merge in frame.merges {
      let merged = try (merge.sequence ?? [merge]).map { source throws(Failure) in
        try Self.merged(source)
      }
      sources += merged
      for mapping in merged.reversed() { inherited += mapping.entries }
    }
    var mapping = DocumentMapping(frame.entries, inherited: inherited)
    mapping.dependence = MergeDependence(of: mapping, frame.entries, merging: sources)
    return mapping
  }

  private static func merged(_ source: DocumentNode) throws(Failure) -> DocumentMapping {
    if let mapping = source.mapping { return mapping }
    throw Failure(
      line: source.line,
      message: "<< takes a mapping or a list of mappings, this is \(source.words)")
  }

  private mutating func add(_ item: Item, line: Int) throws(Failure) {
    guard let top = frames.indices.last else {
      root = try value(of: item).node
      return
    }
    guard frames[top].isMapping else {
      let (node, count) = try value(of: item)
      frames[top].nodes.append(node)
      frames[top].count += count
      return
    }
    guard let key = frames[top].key else {
      frames[top].key = try self.key(of: item)
      frames[top].count += 1
      return
    }
    let (node, count) = try value(of: item)
    frames[top].key = nil
    frames[top].count += count
    switch key {
    case .merge: frames[top].merges.append(node)
    case .node(let key): frames[top].entries.append(DocumentMapping.Entry(key: key, value: node))
    }
  }

  private mutating func key(of item: Item) throws(Failure) -> Key {
    if case .merge = item { return .merge }
    if case .equals(let line) = item { return .node(DocumentNode(.string("="), line: line)) }
    let node = try value(of: item).node
    switch node.value {
    case .sequence, .mapping:
      throw Failure(line: node.line, message: "\(node.words) cannot be a key: use a text")
    default: return .node(node)
    }
  }

  private mutating func value(of item: Item) throws(Failure) -> (node: DocumentNode, count: Int) {
    switch item {
    case .node(let node, let count, let anchor):
      if let anchor { anchors[anchor] = .node(node, count: count) }
      return (node, count)
    case .merge(let line):
      throw Failure(line: line, message: "'<<' means something as a key only: quote it")
    case .equals(let line):
      throw Failure(line: line, message: "'=' is not a value that PyYAML reads: quote it")
    }
  }
}
