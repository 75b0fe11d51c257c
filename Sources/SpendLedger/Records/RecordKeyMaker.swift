public import BudgetModel
import Digest

/// Writes the text of a request's fingerprint: `begin`, `addTag` for each tag, `finish`; or `key`,
/// which finishes it too. A value with buffers that are reused from request to request; each lane
/// has its own.
public struct RecordKeyMaker: Sendable {
  /// The text so far.
  public private(set) var text = FingerprintText()
  /// The ranges of the tags in the text, without their lengths.
  private var tags: [Range<Int>] = []
  /// The buffer in which tags are put in order.
  private var sorted = ByteText(room: 256)

  private static let lengthSize = 4

  /// Makes one without a text.
  public init() {}

  /// Begins the text of a request with these fields.
  public mutating func begin(_ fields: RecordFields) {
    text.shrink()
    text.bytes.removeAll()
    text.bytes.append(bytesOf: FingerprintText.version)
    append(fields.provider)
    append(fields.deploymentID)
    append(fields.model)
    text.subjectLength = text.bytes.count
    add(reservationID: fields.reservationID, cost: fields.cost)
  }

  /// As `begin` of fields whose provider, deployment and model are those of `text`.
  public mutating func begin(
    subjectOf text: borrowing FingerprintText, reservationID: NameBytes, cost: PicoUSD
  ) {
    self.text.shrink()
    self.text.copySubject(of: text)
    add(reservationID: reservationID, cost: cost)
  }

  /// As `begin`, `addTag` for each tag and `finish` of fields whose subject and tags are those of
  /// `text`, which is a whole one.
  public mutating func write(
    _ text: borrowing FingerprintText, reservationID: NameBytes, cost: PicoUSD
  ) {
    self.text.shrink()
    self.text.copy(text, reservationID: reservationID, cost: cost)
  }

  private mutating func add(reservationID: NameBytes, cost: PicoUSD) {
    append(reservationID)
    text.costOffset = text.bytes.count
    text.bytes.append(bytesOf: cost.pico.littleEndian)
    // How many tags: known when they are in order, each once.
    append(count: 0)
    tags.removeAll(keepingCapacity: true)
  }

  /// Adds a tag of the request; order and repetition do not matter, an absent one is ignored.
  @inline(__always)
  public mutating func addTag(_ tag: NameBytes) {
    guard !tag.isEmpty else { return }
    append(tag)
    tags.append(text.bytes.count - tag.count..<text.bytes.count)
  }

  /// Ends the text: tags in the order of their bytes, each once, then the public model name, if the
  /// request gives one.
  public mutating func finish(modelName: NameBytes = .absent) {
    if !tags.isEmpty {
      sortTags()
      text.bytes.write(
        bytesOf: UInt32(truncatingIfNeeded: tags.count).littleEndian,
        at: tagsOffset - Self.lengthSize)
    }
    // Requests from before there was such a field have the text that they had.
    if !modelName.isEmpty { append(modelName) }
  }

  /// Ends the text and makes the record's key of it and the idempotency key's identity.
  public mutating func key(
    _ identity: KeyIdentity, modelName: NameBytes = .absent
  ) -> RecordKey {
    finish(modelName: modelName)
    return identity.key(with: text)
  }

  /// The place of the first tag's length: behind the cost and the number of tags.
  private var tagsOffset: Int { text.costOffset + MemoryLayout<Int128>.size + Self.lengthSize }

  private mutating func append(_ name: NameBytes) {
    append(count: name.count)
    text.bytes.append(name)
  }

  private mutating func append(count: Int) {
    text.bytes.append(bytesOf: UInt32(truncatingIfNeeded: count).littleEndian)
  }

  private mutating func sortTags() {
    if isInOrder { return }
    putInOrder()
    if sorted.room > 8_192 { sorted = ByteText(room: 256) }
    sorted.removeAll()
    for tag in tags {
      sorted.append(bytesOf: UInt32(truncatingIfNeeded: tag.count).littleEndian)
      sorted.append(text.bytes, tag)
    }
    text.bytes.removeAll(from: tagsOffset)
    text.bytes.append(sorted, 0..<sorted.count)
  }

  private var isInOrder: Bool {
    for index in tags.indices.dropFirst() where !text.bytes.precedes(tags[index - 1], tags[index]) {
      return false
    }
    return true
  }

  private mutating func putInOrder() {
    // Out of the value meanwhile, so that it is not copied.
    var tags = exchange(&tags, with: [])
    if tags.count <= 8 {
      // Nearly always a few: moved into place one by one.
      for end in 1..<tags.count {
        var index = end
        while index > 0, text.bytes.precedes(tags[index], tags[index - 1]) {
          tags.swapAt(index, index - 1)
          index -= 1
        }
      }
    } else {
      tags.sort { text.bytes.precedes($0, $1) }
    }
    var kept = 1
    for index in 1..<tags.count where text.bytes.precedes(tags[kept - 1], tags[index]) {
      tags[kept] = tags[index]
      kept += 1
    }
    tags.removeLast(tags.count - kept)
    self.tags = tags
  }
}
