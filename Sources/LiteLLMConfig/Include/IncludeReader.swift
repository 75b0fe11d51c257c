import Documents

/// Reads a configuration with the files that its `include:` names, as LiteLLM 1.106.2 does.
///
/// Files are taken in the order in which they are named, those that an included file names at the
/// end of the queue. A list of an included file is appended to the one before; any other value takes
/// the place of the whole section; a file that was read is not read again. The one exception is
/// `budgetd.budgets`, a list that is not LiteLLM's: it is appended to, too.
struct IncludeReader {
  /// More files than LiteLLM's own recursion could take.
  static let maximumFiles = 900

  private let includes: ConfigIncludes
  private var log: ProblemLog
  private var warnings: ProblemLog
  private var queue: [Entry] = []
  private var loaded: Set<String> = []
  private var sections: [DocumentMapping.Entry] = []
  /// Repetitions within a file, which its own sections have lost.
  private var repetitions: [DocumentMapping.Entry] = []

  /// One path of an `include:`, and the file that names it.
  private struct Entry {
    var path: String
    var node: DocumentNode
    var declaredIn: String
  }

  /// A document whose parts are together, and what was found on the way.
  struct Outcome {
    var root: DocumentNode
    var log: ProblemLog
    var warnings: ProblemLog
  }

  private init(file: String, includes: ConfigIncludes) {
    self.includes = includes
    log = ProblemLog(file: file)
    warnings = ProblemLog(file: file)
  }

  /// Reads the document in `bytes`, of `file`, and all that it includes. A fault of an
  /// included file as a whole is thrown; faults of its sections are in the outcome's log.
  static func read(
    _ bytes: [UInt8], file: String, includes: ConfigIncludes
  ) throws(DocumentError) -> Outcome {
    let root = try DocumentNode.parse(yaml: bytes, file: file)
    var reader = IncludeReader(file: file, includes: includes)
    guard let mapping = root.mapping, mapping["include"] != nil else {
      return Outcome(root: root, log: reader.log, warnings: reader.warnings)
    }
    reader.log.lines.end(bytes)
    return try reader.including(root, mapping, file: file)
  }

  private mutating func including(
    _ root: DocumentNode, _ mapping: DocumentMapping, file: String
  ) throws(DocumentError) -> Outcome {
    loaded.insert(PathText.absolute(file, in: includes.workingFolder))
    repetitions = mapping.repetitions
    sections = mapping.entries.filter { $0.key.text != "include" }
    try queueEntries(of: mapping, declaredIn: file)
    var next = 0
    while next < queue.count {
      let entry = queue[next]
      next += 1
      let path = resolve(entry)
      guard loaded.insert(PathText.absolute(path, in: includes.workingFolder)).inserted else {
        continue
      }
      guard loaded.count <= Self.maximumFiles else {
        throw refusal(entry.node, "more than \(Self.maximumFiles) files are included")
      }
      try include(path, entry)
    }
    warnings.lines = log.lines
    let merged = DocumentMapping(sections, replacing: repetitions)
    return Outcome(
      root: DocumentNode(.mapping(merged), line: root.line), log: log, warnings: warnings)
  }

  private mutating func queueEntries(
    of mapping: DocumentMapping, declaredIn file: String
  ) throws(DocumentError) {
    guard let node = mapping["include"] else { return }
    guard let entries = node.sequence else {
      throw refusal(
        node, "this is \(node.words): it has to be a list of files, as LiteLLM takes no other")
    }
    for entry in entries {
      guard let path = entry.text, !path.isEmpty, !path.utf8.contains(0) else {
        throw refusal(entry, "this is \(entry.words): write the path of a file")
      }
      queue.append(Entry(path: path, node: entry, declaredIn: file))
    }
  }

  /// The file beside the one that names it; else the one beside the root, as older files have it.
  private mutating func resolve(_ entry: Entry) -> String {
    let declared = PathText.joined(folder(of: entry.declaredIn), entry.path)
    let fromRoot = PathText.joined(folder(of: log.lines.root), entry.path)
    let isSame =
      PathText.absolute(declared, in: includes.workingFolder)
      == PathText.absolute(fromRoot, in: includes.workingFolder)
    guard !isSame, includes.exists(fromRoot) else { return declared }
    guard includes.exists(declared) else {
      warn(
        entry.node,
        "there is no \(DocumentProblem.plain(declared)), so \(DocumentProblem.plain(fromRoot)) is read "
          + "as LiteLLM does: move it beside the file that names it")
      return fromRoot
    }
    warn(
      entry.node,
      "\(DocumentProblem.plain(declared)) is read, and \(DocumentProblem.plain(fromRoot)) of the same "
        + "name is not: rename one of them")
    return declared
  }

  private func folder(of file: String) -> String {
    if file == log.lines.root, let folder = includes.rootFolder { return folder }
    return PathText.folder(of: file)
  }

  private mutating func include(_ path: String, _ entry: Entry) throws(DocumentError) {
    guard includes.exists(path) else {
      throw refusal(
        entry.node, "there is no file \(DocumentProblem.plain(path)): write it, or its path")
    }
    let bytes = try includes.bytes(path)
    let offset = log.lines.begin(path)
    let node = try DocumentNode.parse(yaml: bytes, file: path, offset: offset)
    log.lines.end(bytes)
    warnings.lines = log.lines
    if node.isNull { return }
    guard let mapping = node.mapping else {
      let place = log.lines.place(of: node.line)
      throw DocumentError(problems: [
        DocumentProblem(
          file: place.file, line: place.line, keyPath: "",
          message: "this included file is \(node.words): it has to be a mapping")
      ])
    }
    repetitions += mapping.repetitions
    for section in mapping.entries where section.key.text != "include" { merge(section) }
    try queueEntries(of: mapping, declaredIn: path)
  }

  /// Puts a section of an included file to those before.
  private mutating func merge(_ section: DocumentMapping.Entry) {
    guard let index = sections.firstIndex(where: { $0.key.pythonKey == section.key.pythonKey })
    else {
      sections.append(section)
      return
    }
    let old = sections[index].value
    if let joined = Self.joined(old, section) {
      sections[index].value = joined
      return
    }
    if section.key.text == "budgetd", let before = old.mapping, let more = section.value.mapping {
      sections[index].value = joinedOwn(before, more, line: old.line)
      return
    }
    judge(old, replacedBy: section)
    sections[index] = section
  }

  /// Both values as one list, or nil where the newer takes the place of the older.
  private static func joined(_ old: DocumentNode, _ section: DocumentMapping.Entry) -> DocumentNode?
  {
    if let before = old.sequence, let more = section.value.sequence {
      return DocumentNode(.sequence(before + more), line: old.line)
    }
    return nil
  }

  /// The section `budgetd:` of both: budgets are appended, and another setting has one value.
  private mutating func joinedOwn(
    _ before: DocumentMapping, _ more: DocumentMapping, line: Int
  ) -> DocumentNode {
    var entries = before.entries
    for entry in more.entries {
      guard let index = entries.firstIndex(where: { $0.key.pythonKey == entry.key.pythonKey })
      else {
        entries.append(entry)
        continue
      }
      let old = entries[index].value
      if entry.key.text == "budgets", let list = old.sequence, let next = entry.value.sequence {
        entries[index].value = DocumentNode(.sequence(list + next), line: old.line)
      } else if old.isNull {
        entries[index] = entry
      } else if !entry.value.isNull, entry.value != old {
        log.add(
          entry.key, "budgetd.\(entry.key.pathSegment)",
          "this has another value at \(log.lines.words(old.line, from: entry.key.line)), and one holds "
            + "for the budgets of all files: keep one")
      }
    }
    let joined = DocumentMapping(entries, replacing: before.repetitions + more.repetitions)
    return DocumentNode(.mapping(joined), line: line)
  }

  /// Says what a replaced section loses: refused where that is a budget or a Redis.
  private mutating func judge(_ old: DocumentNode, replacedBy section: DocumentMapping.Entry) {
    let name = section.key.text ?? section.key.pathSegment
    let losses = SectionLosses(of: old, replacedBy: section.value, section: name)
    let there = log.lines.words(old.line, from: section.value.line)
    let replaces = "this takes the place of the whole section at \(there), as in LiteLLM"
    if !losses.grave.isEmpty {
      log.add(
        section.key, name,
        "\(replaces), and \(SectionLosses.words(losses.grave)) would be lost: write the section in "
          + "one file")
    } else if !losses.others.isEmpty {
      warnings.add(
        section.key, name, "\(replaces): \(SectionLosses.words(losses.others)) is lost")
    }
  }

  private mutating func warn(_ node: DocumentNode, _ message: String) {
    warnings.lines = log.lines
    warnings.add(node, "include", message)
  }

  private func refusal(_ node: DocumentNode, _ message: String) -> DocumentError {
    let place = log.lines.place(of: node.line)
    return DocumentError(problems: [
      DocumentProblem(file: place.file, line: place.line, keyPath: "include", message: message)
    ])
  }
}
